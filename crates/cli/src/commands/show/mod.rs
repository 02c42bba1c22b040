//! `basis show`: a run, or one episode of it, readable in the terminal.

mod episode;
mod overview;

use basis_gym::store::{self, EpisodeFilter, Reader};

use crate::context::Context;
use crate::exit::Failure;

/// Show a run, or one episode of it
///
/// Without an episode: rewards per phase, iteration and skill. With one: the task, what the agent did, what it handed in and
/// how that was graded. `--list` shows the numbers and names of episodes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Name of the run or the beginning of it, a path to it, or `last`
    run: String,
    /// Number of the episode, or its name <PHASE>/<ITERATION>/<TASK>/<SAMPLE> or the beginning of it
    episode: Option<String>,
    /// List episodes instead
    #[arg(long, conflicts_with = "episode")]
    list: bool,
    /// With --list: only this phase
    #[arg(long, requires = "list")]
    phase: Option<String>,
    /// With --list: only this iteration
    #[arg(long, requires = "list")]
    iteration: Option<u32>,
    /// With --list: only this skill
    #[arg(long, requires = "list")]
    skill: Option<String>,
    /// Do not shorten long texts
    #[arg(long)]
    full: bool,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let reader = Reader::open(&store::find_run(&context.runs(), &arguments.run)?)?;
    if let Some(given) = &arguments.episode {
        let (row, episode) = reader.episode(given)?;
        episode::print(&row, &episode, arguments.full, context.printer);
    } else if arguments.list {
        let Arguments { phase, iteration, skill, .. } = arguments;
        let rows = reader.rows(&EpisodeFilter { phase, iteration, skill, ..EpisodeFilter::default() })?;
        overview::print_rows(&rows, context.printer);
    } else {
        overview::print(&reader, context.printer)?;
    }
    Ok(())
}
