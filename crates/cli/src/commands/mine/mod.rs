//! `basis mine`: makes a pack of gated tasks from a package.

use std::path::{Path, PathBuf};
use std::time::Duration;

use basis_gym::factory::{self, Crew, Ledger, Quarry, Recipe, Yield};
use basis_gym::grade::Workshop;
use basis_gym::pack::{Manifest, Pack};
use basis_gym::skills::{self, Rejection};
use basis_gym::sources::git::Commit;
use basis_gym::sources::releases::Line;
use basis_gym::sources::{self, Opened};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::{machine, packs, text};

mod attempts;
mod funnel;
mod page;
mod texts;
mod view;

use view::MiningView;

/// What is settled while the pack is not finished, in the directory of the pack.
const UNFINISHED: &str = "unfinished";
/// The funnel as a page, in the directory of the pack.
const PAGE: &str = "report.html";
/// So much of a reason is shown.
const LONGEST_NOTE: usize = 200;
/// What is left out of a repository is named up to here.
const MOST_LEFT_OUT: usize = 10;
/// Wall time of a run of tests at least: what runs away is ended by its processor time, and a busy machine must not reject a task.
const PATIENCE: Duration = Duration::from_secs(300);

/// Make a pack of gated tasks from a package with tests, its history or its releases
///
/// The package's own code only ever runs in sandboxes. What is rejected is counted with its reason.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A directory, a git repository (a directory, `https://…`, or `git:<address>`), `pypi:<name>[==<version>]`,
    /// `crate:<name>[@<version>]`, `npm:<name>[@<version>]`, `generated:<seed>`, or `run:<run>`, what agents handed in for the
    /// `bugfix` tasks of a pack, which becomes tasks of `review`
    source: String,
    /// Directory of the pack that a run used
    #[arg(long, value_name = "DIR")]
    pack: Option<PathBuf>,
    /// Branch, tag or commit of a git repository; default: what it shows by itself
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// Where bugs come from, separated by commas: `history`, the commits of a git repository that repaired something; `releases`, what the
    /// releases of a package in a registry repaired; and `mutation`; default: `mutation`, and of a repository `history` as well
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WAYS")]
    bugs: Vec<Way>,
    /// Commits, or pairs of releases, to look at, newest first
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    commits: u32,
    /// Directory of the pack; default: the package's name below `packs/`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where the page of the funnel goes; default: `report.html` in the directory of the pack
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Bug records to make tasks from, for each way
    #[arg(long, default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    records: u32,
    /// Skills to make tasks of, separated by commas; default: all
    #[arg(long, value_delimiter = ',', value_name = "SKILLS")]
    skills: Vec<String>,
    /// Assistant turns per task at most
    #[arg(long, default_value_t = 30, value_name = "N")]
    max_turns: u32,
}

/// Where bugs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    History,
    Releases,
    Mutation,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let recipe = packs::recipe(context, &arguments.skills, arguments.records as usize, arguments.max_turns)?;
    if let Some(run) = arguments.source.strip_prefix("run:") {
        return attempts::run(run, arguments.pack.as_deref(), arguments.out, &recipe, context);
    }
    if arguments.pack.is_some() {
        return Err(Failure::new(Kind::Usage, "`--pack` says which pack a run used; the source is no run")
            .hint("name a run as `run:<run>`, or leave out `--pack`"));
    }
    let opened = source(&arguments, context)?;
    let seams = Seams::of(&arguments, &opened, context)?;
    let name = opened.project.name.clone();
    let out = arguments.out.unwrap_or_else(|| Path::new("packs").join(&name));
    packs::refuse_pack(&out)?;
    let is_new = !out.exists();
    let page = arguments.report.as_deref();
    let made = mine(&out, &opened, &seams, &recipe, context).and_then(|made| {
        if let Some(page) = page {
            write_page(page, &opened, &made)?;
        }
        tasks_of(&made, &name, context)?;
        let manifest = Pack::write(&out, &name, &made.tasks, &made.evidence).kind(Kind::Machine)?;
        std::fs::remove_dir_all(out.join(UNFINISHED)).kind(Kind::Machine)?;
        if page.is_none() {
            write_page(&out.join(PAGE), &opened, &made)?;
        }
        Ok((manifest, made))
    });
    match made {
        Ok((manifest, made)) => report(context, &out, &manifest, &made),
        Err(failure) => {
            // Trees without a manifest are no pack; nobody would miss them, unless somebody goes on.
            if is_new && context.check_stop().is_ok() {
                let _ = std::fs::remove_dir_all(&out);
            }
            return Err(failure);
        }
    }
    Ok(())
}

/// Makes the tasks; their trees go to `out` at once.
fn mine(out: &Path, opened: &Opened, seams: &Seams, recipe: &Recipe, context: &Context<'_>) -> Result<Yield, Failure> {
    let project = &opened.project;
    let mut workshop = machine::workshop(&context.settings, Pack::blobs(out).kind(Kind::Machine)?)?;
    workshop.grading_limits.wall = workshop.grading_limits.wall.max(PATIENCE);
    let title = format!("{} {}", project.name, project.version);
    let (files, tests) = (project.tree.len(), project.tests.files.len());
    context.printer.say(format_args!("{}: {files} files, {tests} of them with tests", title.trim()));
    for left_out in opened.left_out.iter().take(MOST_LEFT_OUT) {
        context.printer.say(format_args!("left out: `{}` {}", text::sanitized(&left_out.path), left_out.reason));
    }
    let quarry = Quarry {
        healthy: seams.ways.contains(&Way::Mutation).then_some(project),
        history: opened.repository.as_ref().zip(seams.commits.as_deref()),
        releases: seams.line.as_ref().map(|line| (line, seams.most)),
    };
    let workers = machine::workers(&context.settings);
    let mut view = MiningView::new(context, recipe.records * seams.ways.len());
    let show = &mut |progress| view.show(progress);
    let texts = texts::open(context)?;
    let purpose = purpose(opened, seams, recipe, &workshop, &context.settings.mine.texts.model);
    let ledger = Ledger::open(&out.join(UNFINISHED), &purpose).kind(Kind::Machine)?;
    if !ledger.is_empty() {
        context.printer.say(format_args!("going on where an earlier run was: {} things are settled", ledger.len()));
    }
    let crew = Crew { workshop: &workshop, workers, stop: &context.stop, ledger: &ledger, texts: texts.as_ref() };
    let made = factory::mine(&crew, &quarry, recipe, show).map_err(unusable)?;
    drop(view);
    if let Some(texts) = &texts {
        texts::tell(&texts.tally(), context);
    }
    if context.check_stop().is_err() {
        return Err(Failure::new(Kind::Interrupted, "interrupted").hint("the same command goes on where this one was"));
    }
    Ok(made)
}

/// Fails when nothing came out, and shows why.
fn tasks_of(made: &Yield, project: &str, context: &Context<'_>) -> Result<(), Failure> {
    if made.tasks.is_empty() {
        match context.printer.is_json() {
            true => context.printer.json(&serde_json::json!({ "funnel": made.funnel })),
            false => context.printer.data(funnel::table(&made.funnel).render()),
        }
        return Err(Failure::new(Kind::Criterion, format!("no task of `{project}` passed its gates"))
            .hint("try more bug records with `--records`, more of a history with `--commits`, or a package whose tests compare what functions return"));
    }
    Ok(())
}

fn write_page(path: &Path, opened: &Opened, made: &Yield) -> Result<(), Failure> {
    std::fs::write(path, page::page(opened, made)).map_err(|error| {
        Failure::new(Kind::Machine, format!("`{}`: {error}", path.display())).hint("name another place with `--report`")
    })
}

/// Everything on which depends what a run settles.
fn purpose(opened: &Opened, seams: &Seams, recipe: &Recipe, workshop: &Workshop, texts: &str) -> String {
    let graders: Vec<&str> = skills::ALL.iter().map(|skill| skill.grader()).collect();
    let revision = opened.repository.as_ref().map(|repository| repository.head.as_str());
    let version = workshop.version(&opened.project.tests);
    let program = (env!("CARGO_PKG_VERSION"), version, &workshop.grading_limits, graders);
    let source = (opened.project.tree.id(), &opened.project.tests, revision, &seams.ways, seams.most);
    let text = format!("{program:?} {source:?} {recipe:?} {texts}");
    format!("basis mine {}", blake3::hash(text.as_bytes()).to_hex())
}

/// Why a package cannot be used at all.
fn unusable(rejection: Rejection) -> Failure {
    let failure = Failure::new(Kind::Input, rejection.detail);
    match rejection.code.as_str() {
        "environment" => failure.hint("check what the package requires, and that `pip` reaches its index"),
        "texts" => failure.hint("check `mine.texts.url`; what is settled is kept, and the same command goes on there"),
        _ => failure,
    }
}

/// Where a run looks for bugs.
struct Seams {
    ways: Vec<Way>,
    /// Commits or pairs of releases to look at.
    most: usize,
    commits: Option<Vec<Commit>>,
    line: Option<Line>,
}

impl Seams {
    /// The ways that were named, or those that the source has.
    fn of(arguments: &Arguments, opened: &Opened, context: &Context<'_>) -> Result<Self, Failure> {
        let lacks = |what: &str, hint: &str| {
            Failure::new(Kind::Usage, format!("`{}` has no {what}", arguments.source)).hint(hint.to_owned())
        };
        let ways = match (arguments.bugs.is_empty(), &opened.repository) {
            (false, _) => arguments.bugs.clone(),
            (true, None) => vec![Way::Mutation],
            (true, Some(_)) => vec![Way::History, Way::Mutation],
        };
        let most = arguments.commits as usize;
        let commits = match &opened.repository {
            _ if !ways.contains(&Way::History) => None,
            Some(repository) => Some(repository.commits(most, false).kind(Kind::Input)?),
            None => return Err(lacks("history", "name a git repository, or leave out `--bugs history`")),
        };
        let line = if ways.contains(&Way::Releases) {
            let settings = &context.settings;
            let (toolchains, downloads) = (machine::toolchains(settings)?, machine::downloads(settings)?);
            let hint = "name a package as `pypi:…`, `crate:…` or `npm:…`, or leave out `--bugs releases`";
            Some(Line::of(&opened.project.origin, &toolchains, &downloads).ok_or_else(|| lacks("releases", hint))?)
        } else {
            None
        };
        Ok(Self { ways, most, commits, line })
    }
}

fn source(arguments: &Arguments, context: &Context<'_>) -> Result<Opened, Failure> {
    let downloads = machine::downloads(&context.settings)?;
    let toolchains = machine::toolchains(&context.settings)?;
    sources::open(&arguments.source, arguments.revision.as_deref(), &toolchains, &downloads).kind(Kind::Input)
}

fn report(context: &Context<'_>, out: &Path, manifest: &Manifest, made: &Yield) {
    if context.printer.is_json() {
        return context.printer.json(&serde_json::json!({ "pack": out, "manifest": manifest, "funnel": made.funnel }));
    }
    context.printer.data(funnel::table(&made.funnel).render());
    for note in &made.notes {
        context.printer.say(format_args!("{}", text::line(note, LONGEST_NOTE)));
    }
    for row in made.evidence.iter().filter(|row| !row.passed && !row.reason.is_empty()) {
        context.printer.say(format_args!("gate failed: {} {}: {}", row.skill, row.task, row.reason));
    }
    context.printer.say(format_args!("{} tasks in `{}`", made.tasks.len(), out.display()));
}
