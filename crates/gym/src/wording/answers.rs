//! Answers of the model, each in a file that is named by the hash of its request.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::PolicyError;
use crate::policy::http::{Completion, Completions, HttpConfig};

pub(super) struct Answers {
    model: Completions,
    directory: PathBuf,
}

/// A file: the request, so that people can read what was asked, and the answer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    request: Value,
    text: String,
    read: u64,
    written: u64,
}

impl Answers {
    pub(super) fn open(config: &HttpConfig, directory: PathBuf) -> Result<Self, PolicyError> {
        Ok(Self { model: Completions::new(config)?, directory })
    }

    /// The answer, and whether it was known. What cannot be kept is asked for again the next time.
    pub(super) fn answer(&self, messages: &[(&str, String)]) -> Result<(Completion, bool), PolicyError> {
        let request = self.model.request(messages);
        let name = blake3::hash(request.to_string().as_bytes()).to_hex()[..32].to_owned();
        let path = self.directory.join(format!("{name}.json"));
        let known = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        if let Some(Kept { text, read, written, .. }) = known.filter(|known| known.request == request) {
            return Ok((Completion { text, read, written }, true));
        }
        let answer = self.model.complete(&request)?;
        let Completion { text, read, written } = answer.clone();
        let _ = self.keep(&path, &Kept { request, text, read, written });
        Ok((answer, false))
    }

    /// The file appears whole.
    fn keep(&self, path: &std::path::Path, kept: &Kept) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let new = path.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&new, serde_json::to_vec_pretty(kept)?)?;
        std::fs::rename(new, path)
    }
}
