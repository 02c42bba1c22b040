//! Which functions each test enters, so that the tests that matter for an edit can be chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::of_path;
use crate::record::TestId;

/// Functions entered by each test, as recorded in one run of a healthy tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// File and first line of every function that some test entered.
    pub functions: Vec<(String, usize)>,
    /// For each test, positions in `functions`.
    pub touched: BTreeMap<TestId, BTreeSet<usize>>,
    /// What was entered while test files were imported; every test may depend on it.
    pub imported: BTreeSet<usize>,
    /// For some functions, by position, calls that tests made, as source.
    pub calls: BTreeMap<usize, Vec<String>>,
}

impl Coverage {
    /// The tests that enter the function around a line of a healthy file; `None` when any test may depend on it, because the line is
    /// outside functions or the function runs at import.
    pub fn touching(&self, path: &str, source: &str, line: usize) -> Option<BTreeSet<TestId>> {
        let lines = function_around(path, source, line)?;
        let wanted = |&index: &usize| self.is_in(index, path, &lines);
        if self.imported.iter().any(wanted) {
            return None;
        }
        let tests = self.touched.iter().filter(|(_, entered)| entered.iter().any(wanted));
        Some(tests.map(|(test, _)| test.clone()).collect())
    }

    /// Calls of the function around a line of a healthy file that tests made, as source with literal arguments.
    pub fn calls_of(&self, path: &str, source: &str, line: usize) -> Vec<String> {
        let Some(lines) = function_around(path, source, line) else { return Vec::new() };
        let own = self.calls.iter().filter(|(index, _)| self.is_in(**index, path, &lines));
        own.flat_map(|(_, calls)| calls.iter().cloned()).collect()
    }

    fn is_in(&self, index: usize, path: &str, lines: &RangeInclusive<usize>) -> bool {
        self.functions.get(index).is_some_and(|(file, first)| file == path && lines.contains(first))
    }

    /// Tests that together enter every function that some of `tests` enter: in order, those that enter a further one.
    pub fn one_for_each_function(&self, tests: &BTreeSet<TestId>) -> BTreeSet<TestId> {
        let mut seen = BTreeSet::new();
        let mut chosen = BTreeSet::new();
        for (test, entered) in self.touched.iter().filter(|(test, _)| tests.contains(*test)) {
            if !entered.is_subset(&seen) {
                seen.extend(entered.iter().copied());
                chosen.insert(test.clone());
            }
        }
        chosen
    }
}

/// The lines of the innermost function around a line.
fn function_around(path: &str, source: &str, line: usize) -> Option<RangeInclusive<usize>> {
    let functions = of_path(path)?.functions(source);
    let around = functions.iter().filter(|span| (span.line_start..=span.line_end).contains(&line));
    around.min_by_key(|span| span.line_end - span.line_start).map(|span| span.line_start..=span.line_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_keeps_a_test() {
        let row = |test: &str, entered: &[usize]| (test.to_owned(), entered.iter().copied().collect());
        let touched = [row("a", &[0, 1]), row("b", &[1]), row("c", &[2]), row("d", &[3])].into();
        let coverage = Coverage { touched, ..Coverage::default() };
        let tests = ["a", "b", "c"].map(str::to_owned).into();
        assert_eq!(coverage.one_for_each_function(&tests), ["a", "c"].map(str::to_owned).into());
    }
}
