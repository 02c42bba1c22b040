//! `basis env gc`: what was not asked for longest goes first.

use std::time::Duration;

use super::{bytes, stores};
use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};

/// Remove what was not asked for longest, until the rest fits
///
/// What was asked for within the last hours stays, because something that runs may use it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Mebibytes that may stay, for layers and for what was fetched each
    #[arg(long, default_value_t = 10_240, value_name = "MIB")]
    keep_mib: u64,
    /// Hours within which nothing that was asked for is removed
    #[arg(long, default_value_t = 24, value_name = "HOURS")]
    spare_hours: u64,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let spared = Duration::from_secs(arguments.spare_hours.saturating_mul(3600));
    let (mut count, mut total) = (0, 0);
    for store in stores(context)? {
        let swept = store.sweep().kind(Kind::Machine)?;
        let gone = store.evict(arguments.keep_mib.saturating_mul(1 << 20), spared).kind(Kind::Machine)?;
        count += swept.len() + gone.len();
        total += gone.iter().map(|layer| layer.bytes).sum::<u64>();
    }
    match context.printer.is_json() {
        true => context.printer.json(&serde_json::json!({ "removed": count, "bytes": total })),
        false => context.printer.say(format_args!("removed {count} layers with {}", bytes(total))),
    }
    Ok(())
}
