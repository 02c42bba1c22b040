//! `basis runs`: what lies in the run store.

use std::time::{Duration, SystemTime};

use basis_gym::store::{self, Cell, Reader, RunEntry, RunState};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Failure;
use crate::progress::duration;
use crate::table::Table;

/// List runs with their state and the mean reward of each skill
///
/// The rewards are those of the phase and iteration that began last. An interrupted run goes on when the same command is
/// given with the same settings.
#[derive(clap::Args)]
pub(crate) struct Arguments {}

/// A run with the rewards of its newest part.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    run: RunEntry,
    newest: Vec<Cell>,
}

pub(crate) fn run(_: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let runs = store::list_runs(&context.runs())?;
    let lines =
        runs.into_iter().map(|run| Ok(Line { newest: newest(&run)?, run })).collect::<Result<Vec<_>, Failure>>()?;
    for line in &lines {
        if let RunState::Damaged(reason) = &line.run.state {
            context.printer.warn(format_args!("run `{}`: {reason}", line.run.name));
        }
    }
    if context.printer.is_json() {
        lines.iter().for_each(|line| context.printer.json(line));
    } else if lines.is_empty() {
        context.printer.say(format_args!("no runs in `{}`", context.settings.run.dir));
    } else {
        context.printer.data(table(&lines).render());
    }
    Ok(())
}

/// The cells of the phase and iteration that began last.
fn newest(run: &RunEntry) -> Result<Vec<Cell>, Failure> {
    if matches!(run.state, RunState::Damaged(_)) {
        return Ok(Vec::new());
    }
    let mut cells = Reader::open(&run.dir)?.overview()?;
    if let Some(last) = cells.last().map(|cell| (cell.phase.clone(), cell.iteration)) {
        cells.retain(|cell| (&cell.phase, cell.iteration) == (&last.0, last.1));
    }
    Ok(cells)
}

fn table(lines: &[Line]) -> Table {
    let mut table = Table::new(&["run", "state", "#age", "#episodes", "newest", "reward per skill"]);
    for Line { run, newest } in lines {
        let state = match &run.state {
            RunState::Running => "running".to_owned(),
            RunState::Complete => "complete".to_owned(),
            RunState::Interrupted => "interrupted".to_owned(),
            RunState::Damaged(_) => "damaged".to_owned(),
        };
        let part = newest.first().map_or(String::new(), |cell| format!("{} {}", cell.phase, cell.iteration));
        let rewards: Vec<String> = newest.iter().map(reward).collect();
        table.row([run.name.clone(), state, age(run.started), run.episodes.to_string(), part, rewards.join("  ")]);
    }
    table
}

fn reward(cell: &Cell) -> String {
    match cell.reward {
        Some(reward) => format!("{} {reward:.2}", cell.skill),
        None => format!("{} -", cell.skill),
    }
}

fn age(started: u64) -> String {
    let started = SystemTime::UNIX_EPOCH + Duration::from_secs(started);
    SystemTime::now().duration_since(started).map_or_else(|_| "-".to_owned(), duration)
}
