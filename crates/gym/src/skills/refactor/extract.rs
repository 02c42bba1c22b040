//! A part of a function becomes a function of its own.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Rejection;
use super::predicates::{Handed, texts};
use super::rename::WORDS;
use crate::languages::functions;
use crate::languages::python::extraction::{Part, extracted, parts, words};
use crate::languages::python::hollow::parameters;
use crate::record::BugRecord;
use crate::tree::Tree;

/// Share of the words of the part by which its old function has to become shorter.
const SHORTER: f64 = 0.5;

/// The part and what it becomes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extract {
    /// The file.
    pub(super) path: String,
    /// The function around the part, `name` or `Class.name`.
    function: String,
    part: Part,
    /// The text of the part.
    text: String,
    /// The name of the new function.
    pub(super) helper: String,
}

impl Extract {
    pub(super) fn choose(record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Self, Rejection> {
        let main = record.change.main();
        let source = record.fixed.text(&main.path).unwrap_or_default();
        let none = || Rejection::new("no_part", format!("no part of `{}` can stand alone", main.function));
        let found = if main.function.is_empty() { Vec::new() } else { parts(source, &main.function) };
        let part = found.choose(rng).ok_or_else(none)?.clone();
        let name = main.function.rsplit('.').next().unwrap_or_default().trim_matches('_');
        let helper = format!("_{}_{name}", WORDS[rng.random_range(0..WORDS.len())]);
        if texts(&record.fixed).iter().any(|(_, text)| text.contains(&helper)) {
            return Err(none());
        }
        let text = source[part.lines.clone()].trim_end().to_owned();
        Ok(Self { path: main.path.clone(), function: main.function.clone(), part, text, helper })
    }

    pub(super) fn perform(&self, tree: &Tree) -> Tree {
        let mut after = tree.clone();
        let source = tree.text(&self.path).unwrap_or_default();
        if let Some(text) = extracted(source, &self.function, &self.part, &self.helper) {
            after.insert(self.path.clone(), text);
        }
        after
    }

    pub(super) fn in_words(&self) -> String {
        let Self { path, function, helper, part, text } = self;
        let (inputs, results) = (part.inputs.join(", "), part.results.join(", "));
        format!(
            "Make a function of this part of `{function}` in `{path}`:\n\n```python\n{text}\n```\n\nThe new function stands at the top of the same file, is called `{helper}`, takes `{inputs}` in this order and returns `{results}`. `{function}` calls it once, where the part stood, and no longer does that work itself."
        )
    }

    pub(super) fn broken(&self, handed: &Handed<'_>) -> Option<String> {
        let Self { path, function, helper, part, text } = self;
        let own = |tree: &Tree, name: &str| {
            let source = tree.text(path).unwrap_or_default();
            let span = functions(path, source).into_iter().find(|span| span.qualified() == name)?;
            Some(words(&source[span.start..span.end]))
        };
        let source = handed.tree.text(path).unwrap_or_default();
        if handed.count(path, helper) != 1 || parameters(source, helper).as_ref() != Some(&part.inputs) {
            return Some(format!("`{path}` does not define `{helper}({})` once", part.inputs.join(", ")));
        }
        let (Some(now), Some(before)) = (own(&handed.tree, function), own(handed.before, function)) else {
            return Some(format!("`{path}` does not define `{function}`"));
        };
        let calls = now.windows(2).filter(|pair| pair[0] == *helper && pair[1] == "(").count();
        if calls != 1 {
            return Some(format!("`{function}` calls `{helper}` {calls} times, expected once"));
        }
        let taken = words(text).len() as f64;
        if now.len() as f64 > before.len() as f64 - SHORTER * taken {
            return Some(format!("`{function}` still does the work of the part"));
        }
        None
    }
}
