//! `basis mine`: makes a pack of gated tasks from a package.

use std::path::{Path, PathBuf};

use basis_gym::factory::{self, Recipe, Yield};
use basis_gym::pack::{Manifest, Pack};
use basis_gym::skills;
use basis_gym::sources;
use basis_gym::tree::LayerStore;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;
use crate::table::Table;

/// Make a pack of gated tasks from a Python package with tests
///
/// The package's own code only ever runs in sandboxes. What is rejected is counted with its reason.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A directory, `pypi:<name>`, `pypi:<name>==<version>`, or `generated:<seed>`
    source: String,
    /// Directory of the pack; default: the package's name below `packs/`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Bug records to make tasks from
    #[arg(long, default_value_t = 12, value_name = "N")]
    records: usize,
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
    let workshop = machine::workshop(&context.settings, Pack::blobs(&out).kind(Kind::Machine)?)?;
    context.printer.say(format_args!(
        "{} {}: {} files, {} test files",
        project.name,
        project.version,
        project.tree.len(),
        project.tests.files.len()
    ));
    let progress = context.printer.progress("bug records", recipe.records as u64);
    let mut seen = 0;
    let made = factory::make(&workshop, &project, &recipe, &context.stop, &mut |made| {
        let records = made.funnel.get("bug records").copied().unwrap_or_default();
        progress.advance((records - seen) as u64);
        seen = records;
        progress.note(format!("{} tasks", made.tasks.len()));
    })
    .map_err(|rejection| Failure::new(Kind::Input, rejection.detail))?;
    drop(progress);
    context.check_stop()?;
    if made.tasks.is_empty() {
        return Err(Failure::new(
            Kind::Criterion,
            format!("no task of `{}` passed its gates: {:?}", project.name, made.funnel),
        ));
    }
    let manifest = Pack::write(&out, &project.name, &made.tasks, &made.evidence).kind(Kind::Machine)?;
    report(context, &out, &manifest, &made);
    Ok(())
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
        records: arguments.records,
        max_turns: arguments.max_turns,
        max_variants: 16,
        gated: true,
        seed: context.settings.run.seed,
    })
}

fn source(locator: &str, context: &Context<'_>) -> Result<basis_gym::project::Project, Failure> {
    let downloads = LayerStore::open(machine::cache(&context.settings).join("downloads")).kind(Kind::Machine)?;
    sources::open(locator, &machine::toolchain(&context.settings)?, &downloads).kind(Kind::Input)
}

fn report(context: &Context<'_>, out: &Path, manifest: &Manifest, made: &Yield) {
    if context.printer.is_json() {
        return context.printer.json(&serde_json::json!({ "pack": out, "manifest": manifest, "funnel": made.funnel }));
    }
    let mut table = Table::new(&["stage", "#count"]);
    for (stage, count) in &made.funnel {
        table.row([stage.clone(), count.to_string()]);
    }
    context.printer.data(table.render());
    context.printer.say(format_args!("{} tasks in `{}`", made.tasks.len(), out.display()));
}
