//! How a model family writes conversations as token ids and reads its own turns back.
//!
//! A conversation only grows: prompt, sampled turn, observations, sampled turn, … Each function here gives the ids of one
//! piece, and nobody ever decodes a piece in order to encode it again. A renderer knows nothing of sampling or training.

mod compact;
mod files;
mod qwen3;

use std::path::PathBuf;

use basis_gym::episode::{Message, Reply};

pub use compact::Compact;
pub use files::{load, save};
pub use qwen3::Qwen3;

use crate::tokenizer::Tokenizer;

/// The format of one model family.
pub trait Renderer: Send + Sync {
    /// The name under which it is selected and recorded.
    fn name(&self) -> &'static str;

    /// The ids that begin a conversation with `message` and open the policy's first turn.
    fn prompt(&self, message: &Message) -> Vec<u32>;

    /// The ids that follow a sampled turn: the messages that came back, and the opening of the next turn.
    fn observations(&self, messages: &[Message]) -> Vec<u32>;

    /// Reads one turn as it was sampled, with its stop id. What does not follow the format is no error but a
    /// [`Reply::malformed`] that says what was expected; such a reply has no calls.
    fn parse(&self, ids: &[u32]) -> Reply;

    /// The ids of one turn, for supervised training: for a reply that is not malformed, `parse(encode_reply(reply)) == reply`.
    fn encode_reply(&self, reply: &Reply) -> Vec<u32>;

    /// Ids after which sampling ends.
    fn stop_ids(&self) -> Vec<u32>;

    /// What turns text into ids.
    fn tokenizer(&self) -> &Tokenizer;
}

/// Makes a renderer around a tokenizer.
type Open = fn(Tokenizer) -> Result<Box<dyn Renderer>, RendererError>;

/// Every renderer by name.
const ALL: &[(&str, Open)] = &[
    (compact::NAME, |tokenizer| Ok(Box::new(Compact::new(tokenizer)?))),
    (qwen3::NAME, |tokenizer| Ok(Box::new(Qwen3::new(tokenizer)?))),
];

/// Opens the renderer called `name`.
///
/// # Errors
/// [`RendererError::Unknown`], or [`RendererError::NoSpecial`] when the tokenizer belongs to another family.
pub fn open(name: &str, tokenizer: Tokenizer) -> Result<Box<dyn Renderer>, RendererError> {
    match ALL.iter().find(|(known, _)| *known == name) {
        Some((_, open)) => open(tokenizer),
        None => Err(RendererError::Unknown { name: name.to_owned(), known: names().join("`, `") }),
    }
}

/// Names of all renderers.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|(name, _)| *name).collect()
}

/// Why a renderer could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RendererError {
    /// There is no such renderer.
    #[error("unknown renderer `{name}`; choose one of `{known}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The tokenizer lacks a control token.
    #[error(
        "renderer `{renderer}` needs the special token `{token}`, which the tokenizer lacks; use the tokenizer that belongs to the model"
    )]
    NoSpecial {
        /// The renderer.
        renderer: &'static str,
        /// The missing token.
        token: &'static str,
    },
    /// A file of a model's directory cannot be read or written.
    #[error("`{path}`: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
