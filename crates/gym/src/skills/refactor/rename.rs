//! A function gets another name, everywhere.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Rejection;
use super::predicates::{Handed, texts};
use crate::languages::python::references::{Uses, renamed, uses};
use crate::record::BugRecord;
use crate::tree::Tree;

/// A function that is used in fewer places is found by reading one file.
const FEWEST_REFERENCES: usize = 3;
/// Words for what a function does to its arguments; one of them makes another name.
pub(super) const WORDS: [&str; 6] = ["compute", "derive", "obtain", "produce", "evaluate", "resolve"];

/// The function at the top of a file, and its names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    /// The file of the function.
    pub(super) path: String,
    /// Its name.
    pub(super) old: String,
    /// The name that it shall have.
    pub(super) new: String,
}

impl Rename {
    pub(super) fn choose(record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Self, Rejection> {
        let main = record.change.main();
        let word = WORDS[rng.random_range(0..WORDS.len())];
        let plain = main.function.trim_start_matches('_');
        let private = if main.function.starts_with('_') { "_" } else { "" };
        let new = format!("{private}{word}_{plain}");
        let rename = Self { path: main.path.clone(), old: main.function.clone(), new };
        match !main.function.is_empty() && rename.is_clear(record) {
            true => Ok(rename),
            false => Err(Rejection::new(
                "unclear_name",
                format!(
                    "`{}` is no function at the top, means several things, stands in texts, or is used in one place",
                    main.function
                ),
            )),
        }
    }

    pub(super) fn perform(&self, tree: &Tree) -> Tree {
        let mut after = tree.clone();
        for (path, text) in texts(tree) {
            after.insert(path, renamed(text, &self.old, &self.new));
        }
        after
    }

    pub(super) fn in_words(&self) -> String {
        format!(
            "Rename the function `{}` of `{}` to `{}`, everywhere in the sources. Leave nothing behind under the old name: no alias, no second definition, no function that only forwards.",
            self.old, self.path, self.new
        )
    }

    pub(super) fn broken(&self, handed: &Handed<'_>) -> Option<String> {
        let Self { path, old, new } = self;
        if handed.count(path, new) != 1 {
            return Some(format!("`{path}` does not define `{new}` once"));
        }
        for (file, text) in handed.sources() {
            let left = uses(text, old);
            if left.functions + left.others + left.references > 0 {
                return Some(format!("`{old}` still stands in `{file}`"));
            }
            if left.texts > 0 {
                return Some(format!("`{file}` holds the name `{old}` as text"));
            }
        }
        None
    }

    /// Whether the name means one thing, is used in several files, and the other one is free.
    fn is_clear(&self, record: &BugRecord) -> bool {
        let texts = texts(&record.fixed);
        let found: Vec<(&str, Uses)> = texts.iter().map(|(path, text)| (*path, uses(text, &self.old))).collect();
        let sum = |of: fn(&Uses) -> usize| found.iter().map(|(_, uses)| of(uses)).sum::<usize>();
        let files = found.iter().filter(|(_, uses)| uses.references > 0).count();
        let own = found.iter().find(|(path, _)| *path == self.path).map_or(0, |(_, uses)| uses.functions);
        let is_free = texts.iter().all(|(_, text)| !text.contains(&self.new));
        own == 1
            && is_free
            && sum(|uses| uses.functions) == 1
            && sum(|uses| uses.others) == 0
            && sum(|uses| uses.texts) == 0
            && files >= 2
            && sum(|uses| uses.references) >= FEWEST_REFERENCES
    }
}
