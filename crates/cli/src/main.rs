//! The command line of basis: parse, resolve settings, run one command, turn its outcome into an exit code.
//!
//! This crate is the only one that prints, reads the environment and exits.

mod commands;
mod context;
mod exit;
mod images;
mod interrupt;
mod layers;
mod machine;
mod models;
mod packs;
mod policies;
mod printer;
mod programs;
mod progress;
mod results;
mod settings;
mod table;
mod text;
mod training_view;
mod verdicts;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;
use crate::context::Context;
use crate::exit::Failure;
use crate::printer::Printer;

/// Trains and measures coding agents on the atomic skills of software engineering
#[derive(Parser)]
#[command(name = "basis", version, after_help = exit::HELP, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes.
#[derive(clap::Args)]
struct Global {
    /// Read settings from this file instead of `basis.toml`
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    config: Option<PathBuf>,
    /// Change one setting, for example `--set train.group_size=16`; may be repeated
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE", help_heading = "Global options")]
    set: Vec<String>,
    /// Short for `--set run.seed=N`
    #[arg(long, global = true, value_name = "N", help_heading = "Global options")]
    seed: Option<u64>,
    /// Print data as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    /// Print data and errors only
    #[arg(long, short, global = true, help_heading = "Global options")]
    quiet: bool,
}

fn main() -> ExitCode {
    let Arguments { global, command } = Arguments::parse();
    let printer = Printer::new(global.json, global.quiet);
    let outcome = run(global, &printer, command).and_then(|()| printer.check());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.failure(&failure);
            failure.kind.code()
        }
    }
}

fn run(global: Global, printer: &Printer, command: Command) -> Result<(), Failure> {
    let seed = global.seed.map(|seed| format!("run.seed={seed}"));
    let flags: Vec<String> = global.set.into_iter().chain(seed).collect();
    let effective = layers::resolve(global.config.as_deref(), std::env::vars_os(), &flags)?;
    let context = Context { settings: effective.settings()?, effective, printer, stop: interrupt::install()? };
    command.run(&context)
}
