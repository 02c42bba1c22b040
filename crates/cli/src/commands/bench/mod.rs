//! `basis bench`: how fast this machine is at what basis does most.

mod controller;
mod engine;
mod episodes;
mod grader;
mod mining;
mod sandbox;

use std::path::PathBuf;

use self::controller::Workload;
use crate::context::Context;
use crate::exit::{Failure, Kind};

/// Measure sandboxes, verdicts, episodes, the controller and the engine on this machine
///
/// Sandboxes are compared with a plain process, and with bubblewrap, crun and podman where they are installed, in the same
/// minutes. Episodes are those of the scripted teacher on generated packages, acted and graded: everything but a model. The
/// controller is measured with a model, sandboxes and graders that only take time.
/// On a machine with other work only the ratios mean something, and tokens per second of processor time.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to measure; all of it if nothing is named
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Rounds of the sandbox cases
    #[arg(long, default_value_t = 200, value_name = "N")]
    rounds: usize,
    /// Idle sandboxes at once
    #[arg(long, default_value_t = 1000, value_name = "N")]
    crowd: usize,
    /// Episodes at once that only take time
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    at_once: usize,
    /// The run whose times they take; default: made up, spread a hundredfold around 1.5 s a turn
    #[arg(long, value_name = "RUN")]
    recorded: Option<String>,
    /// Play against the server of `policy.url` and `policy.model`, with tools and graders that take no time
    #[arg(long, conflicts_with = "recorded")]
    served: bool,
    /// Package of which `mining` judges mutations, as `basis mine` names it
    #[arg(long, value_name = "SOURCE")]
    package: Option<String>,
    /// Mutations that `mining` judges
    #[arg(long, default_value_t = 60, value_name = "N")]
    mutants: usize,
    /// Those of them that it also judges with one fresh process of pytest each
    #[arg(long, default_value_t = 20, value_name = "N")]
    fresh: usize,
    /// The engine that is measured
    #[arg(long, default_value = "local", value_parser = ["local", "gpu"], value_name = "ENGINE")]
    engine: String,
    /// Model directory to measure it on; default: two made-up models
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
}

/// A part of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Sandboxes: start, commands, a large repository, thousands at once
    Sandbox,
    /// Verdicts of each skill; test runs in fresh sandboxes and in forks of a warm interpreter
    Grader,
    /// Mutations judged per second, of the package named by `--package`
    Mining,
    /// Episodes per second
    Episodes,
    /// What thousands of episodes at once cost the controller
    Controller,
    /// Tokens per second in training and decoding, and where the time goes
    #[value(alias = "train")]
    Engine,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    if wanted(Part::Sandbox) {
        sandbox::run(arguments.rounds, arguments.crowd, context)?;
    }
    context.check_stop()?;
    if wanted(Part::Grader) {
        grader::run(context)?;
    }
    context.check_stop()?;
    if let Some(package) = arguments.package.as_deref().filter(|_| wanted(Part::Mining)) {
        mining::run(package, arguments.mutants, arguments.fresh, context)?;
    } else if arguments.parts.contains(&Part::Mining) {
        return Err(
            Failure::new(Kind::Usage, "`mining` needs a package").hint("name one, as `--package pypi:inflection`")
        );
    }
    context.check_stop()?;
    if wanted(Part::Episodes) {
        episodes::run(context)?;
    }
    context.check_stop()?;
    if wanted(Part::Controller) {
        let workload = match arguments.recorded.as_deref() {
            _ if arguments.served => Workload::Served,
            Some(run) => Workload::Recorded(run),
            None => Workload::MadeUp,
        };
        controller::run(arguments.at_once, workload, context)?;
    }
    context.check_stop()?;
    if wanted(Part::Engine) {
        engine::run(&arguments.engine, arguments.model.as_deref(), context)?;
    }
    Ok(())
}

/// A figure, and how it stands to another one.
struct Figure<'a> {
    name: &'a str,
    value: f64,
    unit: &'a str,
    /// What it is divided by, and its name.
    base: Option<(f64, &'a str)>,
}

impl Figure<'_> {
    fn print(&self, context: &Context<'_>) {
        let Self { name, value, unit, base } = self;
        let ratio = base.map(|(base, _)| value / base);
        if context.printer.is_json() {
            let base = base.map(|(_, name)| name);
            context
                .printer
                .json(&serde_json::json!({ "name": name, "value": value, "unit": unit, "ratio": ratio, "base": base }));
            return;
        }
        let compared = base.map(|(base, name)| format!(" ({:.2} × {name})", value / base)).unwrap_or_default();
        let digits = usize::from(*value < 100.0);
        context.printer.data(format_args!("{name}: {value:.digits$} {unit}{compared}"));
    }
}
