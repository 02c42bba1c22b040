//! The model that words texts of tasks, if one is named, and what it did.

use basis_gym::policy::http::HttpConfig;
use basis_gym::wording::{Tally, Wording};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::{machine, policies, text};

/// Refused texts are named up to here, and each up to so many letters.
const MOST_REFUSED: usize = 5;
const LONGEST_REASON: usize = 160;

/// The model of the settings; its answers are kept in the cache.
pub(super) fn open(context: &Context<'_>) -> Result<Option<Wording>, Failure> {
    let texts = &context.settings.mine.texts;
    if texts.url.is_empty() {
        return Ok(None);
    }
    if texts.model.is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            "`mine.texts.url` needs `mine.texts.model`, the name of the model there",
        ));
    }
    let config = HttpConfig {
        api_key: policies::api_key(),
        temperature: Some(texts.temperature),
        max_tokens: Some(texts.max_tokens),
        ..HttpConfig::new(&texts.url, &texts.model)
    };
    Wording::open(&config, machine::cache(&context.settings).join("texts")).kind(Kind::Usage).map(Some)
}

/// What was written, and what it cost.
pub(super) fn tell(tally: &Tally, context: &Context<'_>) {
    let Tally { kept, refused, asked, replayed, read, written } = tally;
    context.printer.say(format_args!(
        "texts by the model: {kept} kept, {} refused; {asked} answers of the server, which read {read} tokens and wrote {written}; {replayed} from the cache",
        refused.len()
    ));
    for reason in refused.iter().take(MOST_REFUSED) {
        context.printer.say(format_args!("text refused: {}", text::line(reason, LONGEST_REASON)));
    }
}
