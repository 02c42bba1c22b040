//! Texts of tasks in the words of a model: reports and instructions that templates have written, written again by any server that speaks the
//! OpenAI protocol.
//!
//! A model is asked for words only. What it writes has to keep the facts, must not tell more than the template did, and the call that it shows has to fail
//! on the buggy tree and not on the healthy one; else the template stays. Answers are kept by the content of the request, so that a run can be made
//! again without a server.

mod answers;
mod ask;
mod check;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Mutex;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use self::answers::Answers;
use crate::draft;
use crate::grade::Workshop;
use crate::instruction;
use crate::policy::PolicyError;
use crate::policy::http::HttpConfig;
use crate::record::{BugRecord, Words};

/// How often a text is asked for: the second time with what was wrong with the first.
const TRIES: usize = 2;

/// A model that words texts.
pub struct Wording {
    answers: Answers,
    tally: Mutex<Tally>,
}

/// What the model did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Texts that replaced those of templates.
    pub kept: usize,
    /// Texts that did not, one line each.
    pub refused: Vec<String>,
    /// Answers that came from the server, and from earlier runs.
    pub asked: usize,
    /// See above.
    pub replayed: usize,
    /// Tokens that the server read and wrote, as it counts them.
    pub read: u64,
    /// See above.
    pub written: u64,
}

/// Whether a text may be used, or why it may not; or what kept it from being checked.
type Checked = Result<Result<(), String>, String>;

impl Wording {
    /// A model, and the directory in which its answers are kept.
    ///
    /// # Errors
    /// [`PolicyError`] when the address is not a URL.
    pub fn open(config: &HttpConfig, directory: PathBuf) -> Result<Self, PolicyError> {
        Ok(Self { answers: Answers::open(config, directory)?, tally: Mutex::default() })
    }

    /// What was done so far.
    pub fn tally(&self) -> Tally {
        self.tally.lock().expect("no panic while locked").clone()
    }

    /// Words the texts of a record.
    ///
    /// # Errors
    /// When the server does not answer, or the infrastructure fails.
    pub fn words(&self, workshop: &Workshop, record: &BugRecord) -> Result<Words, String> {
        // The template does not depend on which tasks are made of the record.
        let mut rng = ChaCha8Rng::from_seed(*blake3::hash(format!("words {}", record.id).as_bytes()).as_bytes());
        let mut words = Words::default();
        if let Ok(issue) = draft::issue(record, &mut rng).or_else(|_| draft::complaint(record, &mut rng)) {
            let check = |text: &str| match check::issue(text, &issue, record) {
                Ok(()) => check::shows(workshop, &issue, record),
                Err(reason) => Ok(Err(reason)),
            };
            if !issue.call.is_empty() {
                words.issue = self.written(ask::issue(&issue, record), &check)?.map(|text| (text, issue.call.clone()));
            }
        }
        let main = record.change.main();
        let texts = record.buggy.text(&main.path).zip(record.fixed.text(&main.path));
        let sentence = texts.and_then(|(buggy, fixed)| instruction::write(&main.function, buggy, fixed, &mut rng));
        if let Some(sentence) = sentence {
            let check = |text: &str| Ok(check::instruction(text, &sentence));
            words.instruction = self.written(ask::instruction(&sentence), &check)?;
        }
        Ok(words)
    }

    /// The first text that passes its check.
    fn written(
        &self,
        mut messages: Vec<(&str, String)>,
        check: &dyn Fn(&str) -> Checked,
    ) -> Result<Option<String>, String> {
        for _ in 0..TRIES {
            let (answer, is_known) = self.answers.answer(&messages).map_err(|error| error.to_string())?;
            let text = answer.text.trim().to_owned();
            let verdict = check(&text)?;
            let mut tally = self.tally.lock().expect("no panic while locked");
            match is_known {
                true => tally.replayed += 1,
                false => {
                    tally.asked += 1;
                    tally.read += answer.read;
                    tally.written += answer.written;
                }
            }
            match verdict {
                Ok(()) => {
                    tally.kept += 1;
                    return Ok(Some(text));
                }
                Err(reason) => {
                    messages.extend(ask::again(text, &reason));
                    tally.refused.push(reason);
                }
            }
        }
        Ok(None)
    }
}
