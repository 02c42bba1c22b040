//! The commands, one file or folder each: its arguments, whose doc comment is its help, and `run`.
//!
//! A new command is its file, a `mod` line and a line in the registry.

mod bench;
mod compare;
mod config;
mod doctor;
mod env;
mod eval;
mod export;
mod gate;
mod import;
mod mine;
mod regrade;
mod runs;
mod sandbox;
mod serve;
mod sft;
mod show;
mod train;

use crate::context::Context;
use crate::exit::Failure;

/// Makes the enum of commands and its dispatch from `Name(module)`; each module has `Arguments` and `run`.
macro_rules! registry {
    ($($name:ident($module:ident),)*) => {
        /// The command to run.
        #[derive(clap::Subcommand)]
        pub(crate) enum Command {
            $($name($module::Arguments),)*
        }

        impl Command {
            /// Runs the command.
            pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Failure> {
                match self {
                    $(Self::$name(arguments) => $module::run(arguments, context),)*
                }
            }
        }
    };
}

// In the order in which `basis --help` lists them.
registry! {
    Train(train),
    Eval(eval),
    Compare(compare),
    Mine(mine),
    Gate(gate),
    Regrade(regrade),
    Export(export),
    Import(import),
    Serve(serve),
    Sft(sft),
    Runs(runs),
    Show(show),
    Sandbox(sandbox),
    Env(env),
    Bench(bench),
    Config(config),
    Doctor(doctor),
}
