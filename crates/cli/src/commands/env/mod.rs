//! `basis env`: environments and trees that the cache keeps.

mod gc;
mod ls;

use basis_gym::tree::LayerStore;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;

/// List what the cache keeps of environments and trees, and remove what is not used
///
/// What is removed is made again when it is needed; packages are then fetched again.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    Ls(ls::Arguments),
    Gc(gc::Arguments),
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    match arguments.action {
        Action::Ls(arguments) => ls::run(arguments, context),
        Action::Gc(arguments) => gc::run(arguments, context),
    }
}

/// The stores of the cache that are there: layers of sandboxes, and what was fetched.
fn stores(context: &Context<'_>) -> Result<Vec<LayerStore>, Failure> {
    let cache = machine::cache(&context.settings);
    let places = ["layers", "downloads"].map(|name| cache.join(name));
    places.iter().filter(|place| place.is_dir()).map(|place| LayerStore::open(place).kind(Kind::Machine)).collect()
}

/// Bytes for people.
fn bytes(count: u64) -> String {
    match count {
        0..1_048_576 => format!("{} KiB", count.div_ceil(1024)),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}
