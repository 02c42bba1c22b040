//! `basis compare`: arms of an experiment, each a few finished runs, on what they measured last.

use std::collections::BTreeMap;

use basis_gym::episode::Episode;
use basis_gym::stats::{ArmDifference, Arms, Evaluation};
use basis_gym::store::{self, Reader};
use serde::Serialize;

use crate::context::Context;
use crate::exit::{Failure, Kind};
use crate::table::Table;

/// Compare arms of an experiment over their seeds
///
/// Each arm is a name and its finished runs of training, one per seed: `basis compare joint=RUN,RUN bugfix=RUN,RUN`. What the runs
/// measured last is compared, with intervals and p-values: every arm with the
/// first one, on the held-out tasks that all of their runs have. Tasks and seeds are resampled together.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// NAME=RUN[,RUN...], at least two
    #[arg(required = true, num_args = 2.., value_name = "ARM")]
    arms: Vec<String>,
}

/// One arm.
struct Arm {
    name: String,
    evaluations: Vec<Evaluation>,
    /// Tokens sampled in training, mean over runs.
    tokens: f64,
}

/// What `--json` gives.
#[derive(Serialize)]
struct Report<'a> {
    first: &'a str,
    tokens: BTreeMap<&'a str, f64>,
    differences: BTreeMap<&'a str, &'a Arms>,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let arms: Vec<Arm> = arguments.arms.iter().map(|text| arm(text, context)).collect::<Result<_, _>>()?;
    let (first, others) = arms.split_first().expect("the command line asks for two");
    let seed = context.settings.run.seed;
    let differences: Vec<Arms> =
        others.iter().map(|arm| Arms::of(&first.evaluations, &arm.evaluations, seed)).collect();
    if context.printer.is_json() {
        let names = others.iter().map(|arm| arm.name.as_str());
        context.printer.json(&Report {
            first: &first.name,
            tokens: arms.iter().map(|arm| (arm.name.as_str(), arm.tokens)).collect(),
            differences: names.zip(&differences).collect(),
        });
        return Ok(());
    }
    for arm in &arms {
        let runs = arm.evaluations.len();
        context
            .printer
            .say(format_args!("{}: {runs} runs, {:.0} tokens sampled in training each", arm.name, arm.tokens));
    }
    context.printer.data(table(first, others, &differences).render());
    Ok(())
}

fn arm(text: &str, context: &Context<'_>) -> Result<Arm, Failure> {
    let Some((name, runs)) = text.split_once('=') else {
        return Err(Failure::new(
            Kind::Usage,
            format!("`{text}`: expected NAME=RUN, several runs separated by commas"),
        ));
    };
    let (mut evaluations, mut tokens) = (Vec::new(), 0.0);
    for run in runs.split(',') {
        let reader = Reader::open(&store::find_run(&context.runs(), run)?)?;
        if reader.manifest()?.is_none() {
            return Err(Failure::new(Kind::Input, format!("run {} is not complete", reader.name()))
                .hint("the command that began it goes on with it"));
        }
        let episodes = last_probe(&reader)?;
        let attempts = episodes.iter().map(|episode| episode.sample + 1).max().unwrap_or(0);
        if attempts == 0 {
            return Err(Failure::new(Kind::Input, format!("run {} has measured nothing", reader.name())));
        }
        evaluations.push(Evaluation::of(&episodes, attempts, context.settings.run.seed));
        tokens += reader.metrics()?.iter().filter_map(|row| row.values.get("tokens/sampled")).sum::<f64>();
    }
    tokens /= evaluations.len() as f64;
    Ok(Arm { name: name.to_owned(), evaluations, tokens })
}

fn last_probe(reader: &Reader) -> Result<Vec<Episode>, Failure> {
    let probes = reader.overview()?.into_iter().filter(|cell| cell.phase == "probe").map(|cell| cell.iteration);
    match probes.max() {
        Some(iteration) => Ok(reader.episodes("probe", iteration)?),
        None => Ok(Vec::new()),
    }
}

/// A row per skill; per arm what it reaches, and what that is more than the first one.
fn table(first: &Arm, others: &[Arm], differences: &[Arms]) -> Table {
    let mut header = vec!["skill".to_owned(), "#tasks".to_owned(), format!("#{}", first.name)];
    for arm in others {
        header.extend([format!("#{}", arm.name), "#change".to_owned(), "#95 %".to_owned(), "#p".to_owned()]);
    }
    let mut table = Table::new(&header);
    let skills = differences[0].skills.keys().map(String::as_str).map(Some).chain([None]);
    for skill in skills {
        let of = |arms: &Arms| match skill {
            Some(skill) => arms.skills.get(skill).copied().unwrap_or_default(),
            None => arms.average,
        };
        let start = of(&differences[0]);
        let mut row =
            vec![skill.unwrap_or("average").to_owned(), start.tasks.to_string(), format!("{:.3}", start.first)];
        differences.iter().for_each(|arms| row.extend(cells(&of(arms))));
        table.row(row);
    }
    table
}

fn cells(difference: &ArmDifference) -> [String; 4] {
    let interval = format!("[{:+.3}, {:+.3}]", difference.interval.low, difference.interval.high);
    [
        format!("{:.3}", difference.second),
        format!("{:+.3}", difference.change),
        interval,
        format!("{:.3}", difference.p),
    ]
}
