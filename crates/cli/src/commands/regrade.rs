//! `basis regrade`: grades the episodes of a run again with today's graders, and says what changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use basis_gym::episode::{Episode, Grade};
use basis_gym::pack::Pack;
use basis_gym::parallel;
use basis_gym::regrade::{decides_alike, regrade};
use basis_gym::store::{self, EpisodeFilter, EpisodeRow, Reader, Regrader};
use basis_gym::task::Task;
use serde::Serialize;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;
use crate::packs::{self, Use};
use crate::table::Table;

/// Grade the episodes of a run again with today's graders, without any model
///
/// What decides otherwise than before is listed and replaced; the old grades stay in the run. Episodes whose tasks are in
/// none of the packs, and those that ended before anything was handed in, keep their grades and are counted.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Name of the run or the beginning of it, a path to it, or `last`
    run: String,
    /// Directory of a pack that the run used; may be repeated; default: the generated packages
    #[arg(long, value_name = "DIR")]
    pack: Vec<PathBuf>,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// One episode before and after.
#[derive(Serialize)]
struct Line {
    id: i64,
    episode: String,
    skill: String,
    old: Grade,
    new: Option<Grade>,
    changed: bool,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let run = store::find_run(&context.runs(), &arguments.run)?;
    let opened = open_packs(&arguments.pack, context)?;
    let mut workshop = packs::workshop(context, &opened.iter().collect::<Vec<_>>())?;
    if arguments.pack.is_empty() {
        packs::hurry(&mut workshop);
    }
    let tasks: BTreeMap<&str, &Arc<Task>> =
        opened.iter().flat_map(|pack| &pack.tasks).map(|task| (task.id.as_str(), task)).collect();
    let mut regrader = if arguments.dry_run { None } else { Some(Regrader::open(&run)?) };
    let reader = Reader::open(&run)?;
    let mut stored = Vec::new();
    for row in reader.rows(&EpisodeFilter::default())? {
        let episode = reader.episode_of(&row)?;
        stored.push((row, episode));
    }
    let progress = context.printer.progress("episodes", stored.len() as u64);
    let work = |(row, episode): &(EpisodeRow, Episode)| {
        let new = tasks.get(row.key.task.as_str()).and_then(|task| regrade(&workshop, task, episode));
        progress.advance(1);
        new
    };
    let grades = parallel::map(&stored, machine::workers(&context.settings), &context.stop, &work);
    drop(progress);
    context.check_stop()?;
    drop(reader);
    let mut lines = Vec::new();
    for ((row, episode), new) in stored.iter().zip(grades) {
        let changed = new.as_ref().is_some_and(|new| !decides_alike(&episode.grade, new));
        if let (Some(regrader), Some(new), true) = (&mut regrader, &new, changed) {
            regrader.replace(row.id, episode, new.clone())?;
        }
        let (skill, old) = (row.skill.clone(), episode.grade.clone());
        lines.push(Line { id: row.id, episode: row.key.to_string(), skill, old, new, changed });
    }
    report(context, &lines, arguments.dry_run);
    Ok(())
}

fn open_packs(given: &[PathBuf], context: &Context<'_>) -> Result<Vec<Pack>, Failure> {
    if given.is_empty() {
        let settings = &context.settings.train;
        let uses = [(Use::Train, settings.pack_tasks), (Use::HeldOut, settings.probe_tasks)];
        return uses.into_iter().map(|(purpose, tasks)| packs::open(context, purpose, tasks)).collect();
    }
    given.iter().map(|path| Pack::open_whole(path).kind(Kind::Input)).collect()
}

fn report(context: &Context<'_>, lines: &[Line], dry_run: bool) {
    if context.printer.is_json() {
        return lines.iter().for_each(|line| context.printer.json(line));
    }
    let mut table = Table::new(&["skill", "#episodes", "#graded again", "#changed", "#reward before", "#reward now"]);
    let mut skills: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    lines.iter().for_each(|line| skills.entry(&line.skill).or_default().push(line));
    for (skill, lines) in skills {
        let graded = lines.iter().filter(|line| line.new.is_some()).count();
        let changed = lines.iter().filter(|line| line.changed).count();
        let before = mean(lines.iter().filter_map(|line| reward(&line.old)));
        let now = mean(lines.iter().filter_map(|line| reward(line.new.as_ref().unwrap_or(&line.old))));
        table.row([skill.to_owned(), lines.len().to_string(), graded.to_string(), changed.to_string(), before, now]);
    }
    context.printer.data(table.render());
    for line in lines.iter().filter(|line| line.changed) {
        let new = line.new.as_ref().expect("what changed was graded");
        context.printer.data(format_args!("{} {}: {} -> {}", line.id, line.episode, told(&line.old), told(new)));
    }
    let changed = lines.iter().filter(|line| line.changed).count();
    let kept = if dry_run { "nothing was written" } else { "the old grades are kept in the run" };
    context.printer.say(format_args!("{changed} of {} grades changed; {kept}", lines.len()));
}

fn reward(grade: &Grade) -> Option<f64> {
    match grade {
        Grade::Scored(score) => Some(score.reward),
        Grade::Invalid(_) => None,
    }
}

fn mean(rewards: impl Iterator<Item = f64>) -> String {
    let rewards: Vec<f64> = rewards.collect();
    match rewards.len() {
        0 => "-".to_owned(),
        count => format!("{:+.3}", rewards.iter().sum::<f64>() / count as f64),
    }
}

fn told(grade: &Grade) -> String {
    match grade {
        Grade::Scored(score) if score.detail.is_empty() => format!("{} ({})", score.reward, score.code),
        Grade::Scored(score) => format!("{} ({}: {})", score.reward, score.code, score.detail),
        Grade::Invalid(cause) => format!("invalid ({cause:?})"),
    }
}
