//! How hard a task is, as far as that shows without any model: facts that are kept with the evidence, and whether the file to find is
//! what a search for the words of the prompt finds first.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::examine::{Objection, Subject};
use super::facts::Facts;
use crate::episode::{Grade, Submission};
use crate::languages::is_source;
use crate::tree::Tree;

/// What makes a task harder or easier.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Difficulty {
    /// Source files that the agent sees.
    pub files: usize,
    /// Lines in them.
    pub lines: usize,
    /// Rank of the last file of the solution when files are ordered by BM25 with the words of the prompt; 1 is the first.
    pub rank: Option<usize>,
    /// Lines that only the solution has.
    pub added: Option<usize>,
    /// Share of the tests that notice the bug.
    pub noticing: Option<f64>,
    /// Wrong versions that a suite has to notice.
    pub variants: Option<usize>,
    /// Who is rewarded without having understood anything; empty when nobody is.
    pub trivial: String,
}

/// Measures; never objects to a single task.
pub(super) fn check(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let broken = |reason: String| Objection::new("hidden", reason);
    let shown = subject.workshop.blobs.tree(&subject.task.context.tree).map_err(|error| broken(error.to_string()))?;
    let facts = Facts::of(subject.task).map_err(broken)?;
    let changes = facts.changes(subject.workshop, &shown).map_err(broken)?;
    let ranking = ranking(&shown, &subject.task.prompt);
    let solution: Vec<&str> = match &facts.gold {
        Some(gold) => gold.iter().map(String::as_str).collect(),
        None => changes.iter().map(|change| change.path.as_str()).collect(),
    };
    let ranks = solution.iter().map(|path| ranking.iter().position(|found| found == path).map(|at| at + 1));
    let noticing = facts.repair.as_ref().map(|repair| {
        let failing = repair.fail_to_pass.len() as f64;
        failing / (failing + repair.pass_to_pass.len() as f64)
    });
    subject.difficulty = Difficulty {
        files: ranking.len(),
        lines: ranking.iter().filter_map(|path| shown.text(path)).map(|text| text.lines().count()).sum(),
        rank: ranks.collect::<Option<Vec<usize>>>().and_then(|ranks| ranks.into_iter().max()),
        added: (!changes.is_empty()).then(|| changes.iter().map(|change| change.added().count()).sum()),
        noticing,
        variants: facts.variants.as_ref().map(Vec::len),
        trivial: String::new(),
    };
    if let (Some(_), Some(first)) = (&facts.gold, ranking.first()) {
        let grade = subject.judge("first file of a search", &Submission { answer: first.clone(), files: Vec::new() });
        if matches!(&grade, Grade::Scored(score) if score.reward == 1.0) {
            "first file of a search".clone_into(&mut subject.difficulty.trivial);
        }
    }
    Ok(())
}

/// Source files by BM25 with the words of the query, the best one first.
fn ranking(tree: &Tree, query: &str) -> Vec<String> {
    const SATURATION: f64 = 1.2;
    const LENGTH: f64 = 0.75;
    let files: Vec<(&str, Vec<String>)> =
        tree.paths().filter(|path| is_source(path)).filter_map(|path| Some((path, words(tree.text(path)?)))).collect();
    let count = files.len() as f64;
    let mean = files.iter().map(|(_, words)| words.len()).sum::<usize>() as f64 / count.max(1.0);
    let asked: BTreeSet<String> = words(query).into_iter().collect();
    let holding: BTreeMap<&String, f64> = asked
        .iter()
        .map(|word| (word, files.iter().filter(|(_, words)| words.contains(word)).count() as f64))
        .collect();
    let score = |words: &[String]| -> f64 {
        let length = 1.0 - LENGTH + LENGTH * words.len() as f64 / mean.max(1.0);
        let of_word = |(word, holding): (&&String, &f64)| {
            let often = words.iter().filter(|own| own == word).count() as f64;
            let rare = (1.0 + (count - holding + 0.5) / (holding + 0.5)).ln();
            rare * often * (SATURATION + 1.0) / (often + SATURATION * length)
        };
        holding.iter().map(of_word).sum()
    };
    let mut ranked: Vec<(f64, &str)> = files.iter().map(|(path, words)| (score(words), *path)).collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0));
    ranked.into_iter().map(|(_, path)| path.to_owned()).collect()
}

/// Lower-case words; names are taken apart at underscores.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_ordered_by_rare_words_of_the_query() {
        let mut tree = Tree::new();
        tree.insert("a.py", "def load_all(path): return read(path)\n");
        tree.insert("b.py", "def parse_price(text): return float(text)\n");
        tree.insert("c.py", "from b import price_of\ndef total(lines): return sum(map(price_of, lines))\n");
        tree.insert("tests/test_b.py", "parse_price parse_price parse_price");
        assert_eq!(ranking(&tree, "`parse_price('2')` should return 2.0"), ["b.py", "c.py", "a.py"]);
    }
}
