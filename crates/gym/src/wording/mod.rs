//! What a model adds to tasks, behind any server that speaks the OpenAI protocol: words for reports and instructions that templates have
//! written, and mistakes that somebody could make in a function.
//!
//! What it words has to keep the facts, must not tell more than the template did, and the call that it shows has to fail
//! on the buggy tree and not on the healthy one; else the template stays. What its mistakes are worth is decided by execution. Answers are kept by the
//! content of the request, so that a run can be made again without a server.

mod answers;
mod ask;
mod check;
mod mistakes;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Mutex;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use self::answers::Answers;
use self::mistakes::Subject;
use crate::draft;
use crate::grade::Workshop;
use crate::instruction;
use crate::policy::PolicyError;
use crate::policy::http::HttpConfig;
use crate::record::{BugRecord, Mutation, Words};

/// How often a text is asked for: the second time with what was wrong with the first.
const TRIES: usize = 2;
/// Mistakes that are asked for in one function, as many as the method's paper has.
const MISTAKES: usize = 16;

/// A model that words texts and thinks up mistakes.
pub struct Wording {
    answers: Answers,
    tally: Mutex<Tally>,
}

/// What the model did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Texts that replaced those of templates, and mistakes that are tried.
    pub kept: usize,
    /// Texts and mistakes that are not used, one line each.
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
        words.mistakes = Subject::of(record).map_or(Ok(Vec::new()), |subject| self.mistakes(&subject))?;
        Ok(words)
    }

    /// Wrong versions of a function, each once.
    fn mistakes(&self, subject: &Subject<'_>) -> Result<Vec<Mutation>, String> {
        let text = self.answer(&ask::mistakes(&subject.text(), MISTAKES))?;
        let mut found: Vec<Mutation> = Vec::new();
        let mut tally = self.tally.lock().expect("no panic while locked");
        for version in check::blocks(&text).into_iter().take(MISTAKES) {
            match subject.edit(version) {
                Ok(edit) if found.contains(&edit) => tally.refused.push("it was there before".to_owned()),
                Ok(edit) => found.push(edit),
                Err(reason) => tally.refused.push(reason),
            }
        }
        tally.kept += found.len();
        Ok(found)
    }

    /// What the model answers, with what that cost.
    fn answer(&self, messages: &[(&str, String)]) -> Result<String, String> {
        let (answer, is_known) = self.answers.answer(messages).map_err(|error| error.to_string())?;
        let mut tally = self.tally.lock().expect("no panic while locked");
        match is_known {
            true => tally.replayed += 1,
            false => {
                tally.asked += 1;
                tally.read += answer.read;
                tally.written += answer.written;
            }
        }
        Ok(answer.text.trim().to_owned())
    }

    /// The first text that passes its check.
    fn written(
        &self,
        mut messages: Vec<(&str, String)>,
        check: &dyn Fn(&str) -> Checked,
    ) -> Result<Option<String>, String> {
        for _ in 0..TRIES {
            let text = self.answer(&messages)?;
            let verdict = check(&text)?;
            let mut tally = self.tally.lock().expect("no panic while locked");
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
