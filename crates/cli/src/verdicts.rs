//! The file of verdicts in the cache, and what is said about its use.

use basis_gym::verdicts::{Remembering, Verdicts};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;

/// The file of this machine's cache; nothing when the settings say to do without.
pub(crate) fn open(context: &Context<'_>) -> Result<Option<Verdicts>, Failure> {
    if !context.settings.cache.verdicts {
        return Ok(None);
    }
    let cache = machine::cache(&context.settings);
    std::fs::create_dir_all(&cache).kind(Kind::Machine)?;
    Verdicts::open(&cache.join("verdicts.db")).map(Some).kind(Kind::Machine)
}

/// Says how many verdicts were known, and warns of those that came out otherwise.
pub(crate) fn say(context: &Context<'_>, world: Option<&Remembering<'_>>) {
    let counts = world.map(Remembering::counts).unwrap_or_default();
    if counts.known > 0 {
        context.printer.say(format_args!("{} of {} verdicts were known", counts.known, counts.asked));
    }
    if counts.changed > 0 {
        let (changed, doubted) = (counts.changed, counts.doubted);
        context.printer.warn(format_args!(
            "{changed} of {doubted} known verdicts that were given anew came out otherwise; `basis gate --strict` finds such tasks"
        ));
    }
}
