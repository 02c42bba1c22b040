//! `basis env ls`: what there is, by kind.

use std::collections::BTreeMap;
use std::time::SystemTime;

use basis_gym::tree::Kept;
use serde::Serialize;

use super::{bytes, stores};
use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::progress::duration;
use crate::table::Table;

/// List what the cache keeps, by kind; each layer with `--all`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One line for each layer
    #[arg(long)]
    all: bool,
}

/// One line.
#[derive(Serialize)]
struct Line {
    name: String,
    count: usize,
    bytes: u64,
    /// Seconds since the newest of them was asked for.
    unused_seconds: u64,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let mut groups: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
    for store in stores(context)? {
        for layer in store.kept().kind(Kind::Machine)? {
            let name = if arguments.all { layer.key.clone() } else { layer.kind().to_owned() };
            groups.entry(name).or_default().push(layer);
        }
    }
    let lines: Vec<Line> = groups.into_iter().map(|(name, layers)| line(name, &layers)).collect();
    if context.printer.is_json() {
        lines.iter().for_each(|line| context.printer.json(line));
        return Ok(());
    }
    if lines.is_empty() {
        context.printer.say("the cache keeps nothing");
        return Ok(());
    }
    let mut table = Table::new(&["kind", "#count", "#size", "#last use"]);
    for line in &lines {
        let ago = duration(std::time::Duration::from_secs(line.unused_seconds));
        table.row([line.name.clone(), line.count.to_string(), bytes(line.bytes), format!("{ago} ago")]);
    }
    context.printer.data(table.render());
    context.printer.say(format_args!("{} in all", bytes(lines.iter().map(|line| line.bytes).sum())));
    Ok(())
}

fn line(name: String, layers: &[Kept]) -> Line {
    let newest = layers.iter().map(|layer| layer.used).max().unwrap_or(SystemTime::UNIX_EPOCH);
    let unused_seconds = newest.elapsed().map_or(0, |age| age.as_secs());
    Line { name, count: layers.len(), bytes: layers.iter().map(|layer| layer.bytes).sum(), unused_seconds }
}
