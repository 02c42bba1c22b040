//! `basis mine`: makes a pack of gated tasks from a package.

use std::path::{Path, PathBuf};
use std::time::Duration;

use basis_gym::factory::{self, Recipe, Yield};
use basis_gym::pack::{Manifest, Pack};
use basis_gym::project::Project;
use basis_gym::skills::{self, Rejection};
use basis_gym::sources;
use basis_gym::tree::LayerStore;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;

mod funnel;
mod view;

use view::MiningView;

/// Wall time of a run of tests at least: what runs away is ended by its processor time, and a busy machine must not reject a task.
const PATIENCE: Duration = Duration::from_secs(300);

/// Make a pack of gated tasks from a Python or JavaScript package with tests
///
/// The package's own code only ever runs in sandboxes. What is rejected is counted with its reason.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A directory, `pypi:<name>`, `pypi:<name>==<version>`, `npm:<name>`, `npm:<name>@<version>`, or `generated:<seed>`
    source: String,
    /// Directory of the pack; default: the package's name below `packs/`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Bug records to make tasks from
    #[arg(long, default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    records: u32,
    /// Skills to make tasks of, separated by commas; default: all
    #[arg(long, value_delimiter = ',', value_name = "SKILLS")]
    skills: Vec<String>,
    /// Assistant turns per task at most
    #[arg(long, default_value_t = 30, value_name = "N")]
    max_turns: u32,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let recipe = recipe(&arguments, context)?;
    let project = source(&arguments.source, context)?;
    let out = arguments.out.unwrap_or_else(|| Path::new("packs").join(&project.name));
    if out.join("pack.toml").exists() {
        return Err(Failure::new(Kind::Input, format!("`{}` is already a pack", out.display()))
            .hint("choose another place with `--out`"));
    }
    let is_new = !out.exists();
    let made = mine(&out, &project, &recipe, context).and_then(|made| {
        let manifest = Pack::write(&out, &project.name, &made.tasks, &made.evidence).kind(Kind::Machine)?;
        Ok((manifest, made))
    });
    match made {
        Ok((manifest, made)) => report(context, &out, &manifest, &made),
        Err(failure) => {
            // Trees without a manifest are no pack; nobody would miss them.
            if is_new {
                let _ = std::fs::remove_dir_all(&out);
            }
            return Err(failure);
        }
    }
    Ok(())
}

/// Makes the tasks; their trees go to `out` at once.
fn mine(out: &Path, project: &Project, recipe: &Recipe, context: &Context<'_>) -> Result<Yield, Failure> {
    let mut workshop = machine::workshop(&context.settings, Pack::blobs(out).kind(Kind::Machine)?)?;
    workshop.grading_limits.wall = workshop.grading_limits.wall.max(PATIENCE);
    let title = format!("{} {}", project.name, project.version);
    let (files, tests) = (project.tree.len(), project.tests.files.len());
    context.printer.say(format_args!("{}: {files} files, {tests} of them with tests", title.trim()));
    let workers = machine::workers(&context.settings);
    let mut view = MiningView::new(context, recipe.records);
    let show = &mut |progress| view.show(progress);
    let made = factory::mine(&workshop, project, recipe, workers, &context.stop, show).map_err(unusable)?;
    drop(view);
    if context.check_stop().is_err() {
        return Err(Failure::new(Kind::Interrupted, "interrupted; nothing was written").hint("begin again"));
    }
    if made.tasks.is_empty() {
        let reasons = format!("no task of `{}` passed its gates: {:?}", project.name, made.funnel);
        return Err(Failure::new(Kind::Criterion, reasons)
            .hint("try more bug records with `--records`, or a package whose tests compare what functions return"));
    }
    Ok(made)
}

/// Why a package cannot be used at all.
fn unusable(rejection: Rejection) -> Failure {
    let failure = Failure::new(Kind::Input, rejection.detail);
    match rejection.code.as_str() {
        "environment" => failure.hint("check what the package requires, and that `pip` reaches its index"),
        _ => failure,
    }
}

fn recipe(arguments: &Arguments, context: &Context<'_>) -> Result<Recipe, Failure> {
    let known: Vec<&str> = skills::ALL.iter().map(|skill| skill.name()).collect();
    if let Some(unknown) = arguments.skills.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Failure::new(Kind::Usage, format!("unknown skill `{unknown}`; known: {}", known.join(", "))));
    }
    let chosen = if arguments.skills.is_empty() {
        known.into_iter().map(str::to_owned).collect()
    } else {
        arguments.skills.clone()
    };
    Ok(Recipe {
        skills: chosen,
        records: arguments.records as usize,
        max_turns: arguments.max_turns,
        max_variants: 16,
        gated: true,
        seed: context.settings.run.seed,
    })
}

fn source(locator: &str, context: &Context<'_>) -> Result<Project, Failure> {
    let downloads = LayerStore::open(machine::cache(&context.settings).join("downloads")).kind(Kind::Machine)?;
    sources::open(locator, &machine::toolchains(&context.settings)?, &downloads).kind(Kind::Input)
}

fn report(context: &Context<'_>, out: &Path, manifest: &Manifest, made: &Yield) {
    if context.printer.is_json() {
        return context.printer.json(&serde_json::json!({ "pack": out, "manifest": manifest, "funnel": made.funnel }));
    }
    context.printer.data(funnel::table(made).render());
    for row in made.evidence.iter().filter(|row| !row.passed && !row.reason.is_empty()) {
        context.printer.say(format_args!("gate failed: {} {}: {}", row.skill, row.task, row.reason));
    }
    context.printer.say(format_args!("{} tasks in `{}`", made.tasks.len(), out.display()));
}
