//! `basis import`: reads tasks or episodes in a format of others, into a pack or into a run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use basis_gym::episode::Episode;
use basis_gym::factory::Yield;
use basis_gym::formats::{self, Import, Intake};
use basis_gym::pack::Pack;
use basis_gym::store::{Recorder, RunStart};

use super::export::{names, workshop};
use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::{machine, packs, text};

/// So much of a reason is shown.
const LONGEST_NOTE: usize = 200;

/// Read tasks or episodes in a format of others
///
/// Everything is looked at before anything is kept. Tasks become a pack of those that pass the gates here, episodes become a run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The file or directory to read
    path: PathBuf,
    /// The format
    #[arg(long, value_name = "FORMAT", value_parser = names(|format| format.import.is_some()))]
    format: String,
    /// Directory of the pack to make; default: the name of the format below `packs/`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// For rows: directory with clones of their repositories, called `owner__name`; default: those beside the rows, or GitHub
    #[arg(long, value_name = "DIR")]
    repositories: Option<PathBuf>,
    /// For predictions: directory of a pack with their tasks; may be repeated
    #[arg(long, value_name = "DIR")]
    pack: Vec<PathBuf>,
    /// For rows: skills to make tasks of, separated by commas; default: all
    #[arg(long, value_delimiter = ',', value_name = "SKILLS")]
    skills: Vec<String>,
    /// For rows: assistant turns per task at most
    #[arg(long, default_value_t = 30, value_name = "N")]
    max_turns: u32,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let format = formats::find(&arguments.format).expect("only known names are taken");
    match format.import.as_ref().expect("only formats that are read are taken") {
        Import::Tasks(read) => tasks(&arguments, context, *read),
        Import::Episodes(read) => {
            let (workshop, tasks) = workshop(context, &arguments.pack)?;
            let episodes = read(&workshop, &tasks, &arguments.path)?;
            record(context, &arguments, episodes)
        }
    }
}

type ReadTasks = fn(&Intake, &Path) -> Result<Yield, formats::FormatError>;

fn tasks(arguments: &Arguments, context: &Context<'_>, read: ReadTasks) -> Result<(), Failure> {
    let out = arguments.out.clone().unwrap_or_else(|| Path::new("packs").join(&arguments.format));
    packs::refuse_pack(&out)?;
    let is_new = !out.exists();
    let made = read_and_write(arguments, context, read, &out);
    if made.is_err() && is_new {
        // Trees without a manifest are no pack.
        let _ = std::fs::remove_dir_all(&out);
    }
    report(context, &made?, &out);
    Ok(())
}

fn read_and_write(arguments: &Arguments, context: &Context<'_>, read: ReadTasks, out: &Path) -> Result<Yield, Failure> {
    let recipe = packs::recipe(context, &arguments.skills, usize::MAX, arguments.max_turns)?;
    let workshop = machine::workshop(&context.settings, Pack::blobs(out).kind(Kind::Machine)?)?;
    let downloads = machine::downloads(&context.settings)?;
    let repositories = arguments.repositories.clone();
    let intake = Intake { workshop: &workshop, downloads: &downloads, recipe: &recipe, repositories };
    let made = read(&intake, &arguments.path)?;
    if made.tasks.is_empty() {
        let reasons = made.evidence.iter().map(|row| &row.reason).chain(&made.notes).find(|reason| !reason.is_empty());
        let reason = reasons.map_or("there is none", |reason| reason.as_str());
        let message =
            format!("no task of `{}` passed its gates: {}", arguments.path.display(), text::line(reason, LONGEST_NOTE));
        return Err(Failure::new(Kind::Criterion, message).hint("nothing was kept"));
    }
    Pack::write(out, &arguments.format, &made.tasks, &made.evidence).kind(Kind::Machine)?;
    Ok(made)
}

fn report(context: &Context<'_>, made: &Yield, out: &Path) {
    if context.printer.is_json() {
        let json =
            serde_json::json!({"pack": out, "tasks": made.tasks.len(), "notes": made.notes, "funnel": made.funnel});
        return context.printer.json(&json);
    }
    for note in &made.notes {
        context.printer.say(format_args!("left out: {}", text::line(note, LONGEST_NOTE)));
    }
    for row in made.evidence.iter().filter(|row| !row.passed) {
        context.printer.say(format_args!(
            "gate failed: {} {}: {}",
            row.skill,
            row.task,
            text::line(&row.reason, LONGEST_NOTE)
        ));
    }
    context.printer.say(format_args!("{} tasks in `{}`", made.tasks.len(), out.display()));
}

/// Keeps the episodes as a complete run.
fn record(context: &Context<'_>, arguments: &Arguments, mut episodes: Vec<Episode>) -> Result<(), Failure> {
    // Episodes of several phases of one run may bear the same number.
    let mut taken = BTreeSet::new();
    for episode in &mut episodes {
        while !taken.insert((episode.task.clone(), episode.sample)) {
            episode.sample += 1;
        }
    }
    let config = format!("# import of {} as {}\n", arguments.path.display(), arguments.format);
    let recorder = Recorder::create(&context.runs(), RunStart { command: "import", config: &config })?;
    recorder.record_all("import", 0, &episodes)?;
    let name = recorder.name();
    recorder.finish(serde_json::json!({"episodes": episodes.len()}))?;
    context.printer.say(format_args!("{} episodes in run {}", episodes.len(), name));
    Ok(())
}
