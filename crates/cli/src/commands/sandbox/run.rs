//! `basis sandbox run`: one command in a sandbox whose root is an image.

use std::collections::BTreeMap;

use basis_sandbox::images::{Image, Reference};
use basis_sandbox::{Captured, Command, Limits, Outcome, Output, SandboxSpec};

use crate::context::Context;
use crate::exit::{Failure, Kind};
use crate::{images, machine, text};

/// Run a command in a sandbox whose root is a container image
///
/// The image is taken from the cache, or pulled first. Environment and working directory are those of the image; there is no
/// network, and the limits are those of the settings. The exit code is 0 if the command succeeds and 6 if it does not.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// As for `basis sandbox pull`
    image: String,
    /// Where the command starts, instead of the image's working directory
    #[arg(long, value_name = "DIR")]
    workdir: Option<String>,
    /// Ask the registry even if the image is in the cache
    #[arg(long)]
    pull: bool,
    /// The command; what the image runs by itself if none is given
    #[arg(last = true)]
    command: Vec<String>,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let reference: Reference = arguments.image.parse()?;
    let cache = images::cache(&context.settings)?;
    let known = if arguments.pull { None } else { cache.cached(&reference)? };
    let image = match known {
        Some(image) => image,
        None => {
            context.printer.say(format_args!("pulling {reference}"));
            cache.pull(&reference, &images::credentials(&reference))?
        }
    };
    let argv = argv(&image, arguments.command)?;
    let workdir = arguments.workdir.unwrap_or_else(|| image.config.workdir.clone());
    // The root itself cannot be one; many images name none.
    let workdir = if workdir == "/" { "/work".to_owned() } else { workdir };
    let spec = spec(&image, workdir, machine::limits(&context.settings));
    let mut sandbox = machine::backend(&context.settings)?.create(&spec)?;
    let output = sandbox.exec(&Command::new(argv))?;
    show(context, &output);
    match output.outcome {
        Outcome::Exited(0) => Ok(()),
        other => Err(Failure::new(Kind::Criterion, format!("the command ended with {}", describe(other)))),
    }
}

fn argv(image: &Image, given: Vec<String>) -> Result<Vec<String>, Failure> {
    let config = &image.config;
    let argv = match given.is_empty() {
        true => config.entrypoint.iter().chain(&config.command).cloned().collect(),
        false => given,
    };
    match argv.is_empty() {
        true => Err(Failure::new(Kind::Usage, "the image runs nothing by itself").hint("give a command after `--`")),
        false => Ok(argv),
    }
}

fn spec(image: &Image, workdir: String, limits: Limits) -> SandboxSpec {
    let mut env = BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_owned())]);
    env.insert("HOME".to_owned(), "/tmp".to_owned());
    env.extend(image.config.env.clone());
    SandboxSpec { root: image.layers.clone(), layers: Vec::new(), workdir, mounts: Vec::new(), env, limits }
}

fn show(context: &Context<'_>, output: &Output) {
    let text = |captured: &Captured| text::sanitized(&captured.text()).trim_end_matches('\n').to_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    if context.printer.is_json() {
        let (outcome, seconds) = (output.outcome, output.duration.as_secs_f64());
        let ended = serde_json::json!({ "outcome": outcome, "stdout": stdout, "stderr": stderr, "seconds": seconds });
        context.printer.json(&ended);
        return;
    }
    if !stdout.is_empty() {
        context.printer.data(stdout);
    }
    if !stderr.is_empty() {
        context.printer.say(stderr);
    }
    if output.stdout.truncated() || output.stderr.truncated() {
        context.printer.warn("what is longer than the limit of output was thrown away");
    }
}

fn describe(outcome: Outcome) -> String {
    match outcome {
        Outcome::Exited(status) => format!("status {status}"),
        Outcome::Signalled(signal) => format!("signal {signal}"),
        Outcome::TimedOut => "its wall time used up; raise `sandbox.wall_seconds`".to_owned(),
        Outcome::OutOfMemory => "its memory used up; raise `sandbox.memory_mib`".to_owned(),
        other => format!("{other:?}"),
    }
}
