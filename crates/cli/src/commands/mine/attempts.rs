//! `basis mine run:<run> --pack DIR`: what agents tried becomes tasks of `review`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_gym::blobs::Blobs;
use basis_gym::episode::Submission;
use basis_gym::factory::{self, Crew, Ledger, Recipe};
use basis_gym::pack::Pack;
use basis_gym::store::{self, EpisodeFilter, Reader};
use basis_gym::task::Task;

use super::{PATIENCE, report};
use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;

/// The kinds of tasks whose attempts are repairs of an issue.
const KINDS: [&str; 2] = ["bugfix", "bugfix_multi"];

/// A task, and what was handed in for it.
type Tried = (Arc<Task>, Vec<Submission>);

pub(super) fn run(
    run: &str,
    pack: Option<&Path>,
    out: Option<PathBuf>,
    recipe: &Recipe,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let usage = || {
        Failure::new(Kind::Usage, "a run holds what agents handed in, but not the tasks")
            .hint("name the pack that the run used with `--pack`")
    };
    let path = pack.ok_or_else(usage)?;
    let pack = Pack::open_whole(path).kind(Kind::Input)?;
    let run = store::find_run(&context.runs(), run)?;
    let tried = tried(&pack, &Reader::open(&run)?)?;
    let name = format!("{}-reviews", pack.manifest.name);
    let out = out.unwrap_or_else(|| Path::new("packs").join(&name));
    if out.exists() {
        return Err(Failure::new(Kind::Input, format!("`{}` exists already", out.display()))
            .hint("choose another place with `--out`"));
    }
    let made = mine(&out, &pack, &tried, recipe, context).and_then(|made| {
        let manifest = Pack::write(&out, &name, &made.tasks, &made.evidence).kind(Kind::Machine)?;
        report(context, &out, &manifest, &made);
        Ok(())
    });
    if made.is_err() {
        // Trees without a manifest are no pack.
        let _ = std::fs::remove_dir_all(&out);
    }
    made
}

/// The tasks of fixing in a pack, each with what was handed in for it.
fn tried(pack: &Pack, reader: &Reader) -> Result<Vec<Tried>, Failure> {
    let tasks: Vec<Arc<Task>> = KINDS.iter().flat_map(|kind| pack.of_skill(kind)).collect();
    if tasks.is_empty() {
        return Err(Failure::new(Kind::Input, format!("`{}` has no tasks of {}", pack.path.display(), named())));
    }
    let attempts = |task: Arc<Task>| {
        let filter = EpisodeFilter { task: Some(task.id.clone()), ..EpisodeFilter::default() };
        let rows = reader.rows(&filter)?.into_iter().filter(|row| row.invalid.is_none());
        let handed_in = rows.map(|row| Ok(reader.episode_of(&row)?.submission));
        Ok((task, handed_in.collect::<Result<_, Failure>>()?))
    };
    let tried: Vec<Tried> = tasks.into_iter().map(attempts).collect::<Result<_, Failure>>()?;
    if tried.iter().all(|(_, attempts)| attempts.is_empty()) {
        return Err(Failure::new(Kind::Input, format!("the run has no episode of {} of this pack", named()))
            .hint("run `basis eval PACK --skills bugfix` with a model first"));
    }
    Ok(tried)
}

fn named() -> String {
    KINDS.map(|kind| format!("`{kind}`")).join(" or ")
}

fn mine(
    out: &Path,
    pack: &Pack,
    tried: &[Tried],
    recipe: &Recipe,
    context: &Context<'_>,
) -> Result<factory::Yield, Failure> {
    let blobs = Blobs::open(out.join("blobs")).kind(Kind::Machine)?.also_from(pack.path.join("blobs"));
    let mut workshop = machine::workshop(&context.settings, Arc::new(blobs))?;
    workshop.grading_limits.wall = workshop.grading_limits.wall.max(PATIENCE);
    let (workers, ledger) = (machine::workers(&context.settings), Ledger::default());
    let crew = Crew { workshop: &workshop, workers, stop: &context.stop, ledger: &ledger, texts: None };
    let progress = context.printer.progress("tasks with attempts", tried.len() as u64);
    let made = factory::review_attempts(&crew, tried, recipe, &|| progress.advance(1));
    drop(progress);
    context.check_stop()?;
    if made.tasks.is_empty() {
        return Err(Failure::new(Kind::Criterion, format!("no attempt became a task: {:?}", made.funnel))
            .hint("a pair needs an attempt that changes the broken file, runs, and fails its tests"));
    }
    Ok(made)
}
