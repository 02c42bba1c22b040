//! `basis export`: writes the tasks of a pack or the episodes of a run in a format of others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_gym::formats::{self, Export, Format, Played, Written};
use basis_gym::grade::Workshop;
use basis_gym::pack::Pack;
use basis_gym::store::{self, EpisodeFilter, EpisodeRow, Reader};
use basis_gym::task::Task;
use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::{packs, text};

/// What is left out is named up to here.
const MOST_LEFT_OUT: usize = 10;
/// So much of a reason is shown.
const LONGEST_NOTE: usize = 200;

/// Write the tasks of a pack or the episodes of a run in a format of others
///
/// What is written appears whole or not at all. Tasks and episodes that a format has no room for are left out and counted.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of a pack, or name of a run or the beginning of it, a path to it, or `last`
    what: String,
    /// The format
    #[arg(long, value_name = "FORMAT", value_parser = names(|_| true))]
    format: String,
    /// The file or directory to make
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Only these skills, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "SKILLS")]
    skills: Vec<String>,
    /// For a run: directory of a pack that it used; may be repeated
    #[arg(long, value_name = "DIR")]
    pack: Vec<PathBuf>,
}

/// The names of formats, for `--help` and for what may be given.
pub(super) fn names(wanted: fn(&Format) -> bool) -> PossibleValuesParser {
    let formats = formats::ALL.iter().filter(|format| wanted(format));
    PossibleValuesParser::new(formats.map(|format| PossibleValue::new(format.name).help(format.about)))
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let format = formats::find(&arguments.format).expect("only known names are taken");
    let is_pack = Path::new(&arguments.what).join("pack.toml").is_file();
    let written = match (&format.export, is_pack) {
        (Export::Tasks(write), _) => {
            let pack = Pack::open(Path::new(&arguments.what)).kind(Kind::Input)?;
            let tasks = packs::select(&pack, &arguments.skills, 0)?;
            write(&packs::workshop(context, &[&pack])?, &tasks, &arguments.out)?
        }
        (Export::Episodes(_), true) => {
            let message =
                format!("`{}` is a pack, `{}` is written from the episodes of a run", arguments.what, format.name);
            return Err(Failure::new(Kind::Usage, message).hint("`basis runs` lists runs"));
        }
        (Export::Episodes(write), false) => {
            let (workshop, tasks) = workshop(context, &arguments.pack)?;
            let played = played(&arguments, context, &tasks)?;
            write(&workshop, &played, &arguments.out)?
        }
    };
    report(context, &written, &arguments.out);
    Ok(())
}

/// The tasks of packs that were named, and where they can be graded.
pub(super) fn workshop(context: &Context<'_>, named: &[PathBuf]) -> Result<(Workshop, Vec<Arc<Task>>), Failure> {
    let opened = named.iter().map(|path| Pack::open_whole(path).kind(Kind::Input)).collect::<Result<Vec<_>, _>>()?;
    let workshop = match opened.is_empty() {
        true => packs::workshop_without(context)?,
        false => packs::workshop(context, &opened.iter().collect::<Vec<_>>())?,
    };
    Ok((workshop, opened.into_iter().flat_map(|pack| pack.tasks).collect()))
}

fn played(arguments: &Arguments, context: &Context<'_>, tasks: &[Arc<Task>]) -> Result<Vec<Played>, Failure> {
    let known: BTreeMap<&str, &Arc<Task>> = tasks.iter().map(|task| (task.id.as_str(), task)).collect();
    let reader = Reader::open(&store::find_run(&context.runs(), &arguments.what)?)?;
    let rows = reader.rows(&EpisodeFilter::default())?;
    let wanted = rows.iter().filter(|row| arguments.skills.is_empty() || arguments.skills.contains(&row.skill));
    let one = |row: &EpisodeRow| {
        let episode = reader.episode_of(row)?;
        let task = known.get(row.key.task.as_str()).map(|task| Arc::clone(task));
        Ok(Played { run: reader.name(), key: row.key.to_string(), episode, task })
    };
    wanted.map(one).collect()
}

fn report(context: &Context<'_>, written: &Written, out: &Path) {
    if context.printer.is_json() {
        let left_out: Vec<_> =
            written.left_out.iter().map(|(name, reason)| serde_json::json!({"name": name, "reason": reason})).collect();
        return context.printer.json(&serde_json::json!({"out": out, "written": written.count, "left_out": left_out}));
    }
    for (name, reason) in written.left_out.iter().take(MOST_LEFT_OUT) {
        context.printer.say(format_args!("left out: {name}: {}", text::line(reason, LONGEST_NOTE)));
    }
    if written.left_out.len() > MOST_LEFT_OUT {
        context.printer.say(format_args!("left out: {} more", written.left_out.len() - MOST_LEFT_OUT));
    }
    context.printer.say(format_args!("{} written to `{}`", written.count, out.display()));
}
