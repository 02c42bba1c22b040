//! Probes: calls of a function and what they give in the healthy code. They say more about a change than the tests of the project,
//! because they hold inputs that no test has.
//!
//! Calls come from tests, from what tests were seen to call, and from neighbours of both. All code here is the project's own or a small
//! change of it, never what an agent handed in. Methods and functions that need more than literals have no probes.

use std::collections::BTreeSet;

use super::calls::{self, Question};
use super::workshop::Workshop;
use crate::episode::InvalidCause;
use crate::languages::python::authoring::inputs::varied;
use crate::project::TestSetup;
use crate::record::BugRecord;
use crate::tree::Tree;

/// Calls that are tried, and those among them that nobody made as they are.
const MOST_CALLS: usize = 160;
/// Seconds of processor time that a call may take in the healthy code.
const LONGEST_CALL: f64 = 0.05;

/// Calls of one function with their values.
#[derive(Debug, Default)]
pub struct Probes {
    known: Vec<(String, String)>,
}

impl Probes {
    /// Probes of the function in which a record's bug is.
    ///
    /// # Errors
    /// Only failures of infrastructure.
    pub fn of(workshop: &Workshop, record: &BugRecord) -> Result<Self, InvalidCause> {
        let (path, asked) = (&record.change.main().path, asked(record));
        let Some(healthy) = record.fixed.text(path).filter(|_| !asked.is_empty()) else { return Ok(Self::default()) };
        // Twice, because a value that differs from itself says nothing.
        let texts = [healthy.to_owned(), healthy.to_owned()];
        let (tests, tree) = (&record.tests, &record.fixed);
        let question =
            Question { tests, tree, path, texts: &texts, calls: &asked, call_seconds: Some(LONGEST_CALL), place: None };
        let values = calls::evaluate(workshop, &question)?;
        let [Some(once), Some(again)] = &values[..] else { return Ok(Self::default()) };
        let pairs = asked.into_iter().zip(once.iter().zip(again));
        let usable = pairs.filter(|(_, (once, again))| once == again && says_something(once));
        Ok(Self { known: usable.map(|(call, (value, _))| (call, value.clone())).collect() })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// For each of the texts the probes that give something else in it, by position: all of them when it cannot be run, none when
    /// the healthy code does not give the same as before either.
    ///
    /// # Errors
    /// Only failures of infrastructure.
    pub fn differing(
        &self,
        workshop: &Workshop,
        record: &BugRecord,
        texts: &[String],
    ) -> Result<Vec<Vec<usize>>, InvalidCause> {
        let (tests, tree, path) = (&record.tests, &record.fixed, &record.change.main().path);
        let healthy = tree.text(path).map(str::to_owned);
        let asked: Vec<String> = texts.iter().cloned().chain(healthy).collect();
        let mut found = differing(workshop, tests, tree, path, &asked, &self.known)?;
        let is_sound = found.pop().is_some_and(|by| by.is_empty());
        Ok(if is_sound { found } else { vec![Vec::new(); texts.len()] })
    }

    /// Few probes that find as many of these changes as all do: those that find most come first.
    pub fn few(&self, found: &[Vec<usize>], most: usize) -> Vec<(String, String)> {
        let mut left: Vec<&Vec<usize>> = found.iter().filter(|by| !by.is_empty()).collect();
        let mut chosen = BTreeSet::new();
        while !left.is_empty() && chosen.len() < most {
            let finds = |at: &usize| left.iter().filter(|by| by.contains(at)).count();
            let best = (0..self.known.len()).max_by_key(|at| (finds(at), std::cmp::Reverse(*at))).unwrap_or_default();
            left.retain(|by| !by.contains(&best));
            chosen.insert(best);
        }
        let rest = (0..self.known.len()).filter(|at| !chosen.contains(at)).take(most - chosen.len());
        let all: BTreeSet<usize> = chosen.iter().copied().chain(rest).collect();
        all.into_iter().map(|at| self.known[at].clone()).collect()
    }
}

/// For each text of a file the probes that give something else in it.
///
/// # Errors
/// Only failures of infrastructure.
pub fn differing(
    workshop: &Workshop,
    tests: &TestSetup,
    tree: &Tree,
    path: &str,
    texts: &[String],
    probes: &[(String, String)],
) -> Result<Vec<Vec<usize>>, InvalidCause> {
    if probes.is_empty() || texts.is_empty() {
        return Ok(vec![Vec::new(); texts.len()]);
    }
    let calls: Vec<String> = probes.iter().map(|(call, _)| call.clone()).collect();
    let question = Question { tests, tree, path, texts, calls: &calls, call_seconds: None, place: None };
    let differs = |values: Option<Vec<String>>| match values {
        Some(values) => (0..probes.len()).filter(|at| values[*at] != probes[*at].1).collect(),
        None => (0..probes.len()).collect(),
    };
    Ok(calls::evaluate(workshop, &question)?.into_iter().map(differs).collect())
}

/// Calls of the broken function: those of the tests, and their neighbours.
fn asked(record: &BugRecord) -> Vec<String> {
    let function = &record.change.main().function;
    let in_tests = record.tests.files.iter().filter_map(|file| record.fixed.text(file));
    let in_tests = in_tests.flat_map(|text| calls::in_tests(text, function));
    let mut asked: Vec<String> = Vec::new();
    let mut add = |call: String| {
        if asked.len() < MOST_CALLS && !asked.contains(&call) {
            asked.push(call);
        }
    };
    // What gives an iterator is only compared as a list.
    let own: Vec<String> = in_tests.chain(record.calls.iter().flat_map(|call| [call.clone(), listed(call)])).collect();
    own.iter().cloned().for_each(&mut add);
    own.iter().flat_map(|call| varied(call)).for_each(&mut add);
    asked
}

fn listed(call: &str) -> String {
    if call.starts_with("list(") { call.to_owned() } else { format!("list({call})") }
}

/// Whether a value can be compared: no address, no missing name, no time-out.
fn says_something(value: &str) -> bool {
    !value.contains(" at 0x") && !matches!(value, "!NameError" | "!TimeoutError" | "!MemoryError")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit;

    #[test]
    fn probes_find_a_change_that_no_test_finds() {
        let (_directory, workshop) = testkit::workshop();
        let record = testkit::record(&workshop);
        let probes = Probes::of(&workshop, &record).expect("sandboxes work");
        assert!(probes.len() > 10, "{probes:?}");
        let healthy = testkit::LIMITS.to_owned();
        let subtle = healthy.replace("return high", "return 5 if high == 6 else high");
        let broken = "import missing\n".to_owned();
        let found = probes.differing(&workshop, &record, &[healthy, subtle, broken]).expect("sandboxes work");
        assert!(found[0].is_empty());
        assert!((1..probes.len()).contains(&found[1].len()), "{:?}", found[1]);
        assert_eq!(found[2].len(), probes.len());
        let few = probes.few(&found, 4);
        assert_eq!(few.len(), 4);
        let text = testkit::LIMITS.replace("return high", "return 5 if high == 6 else high");
        let again = differing(&workshop, &record.tests, &record.fixed, "pkg/limits.py", &[text], &few);
        assert!(!again.expect("sandboxes work")[0].is_empty());
    }
}
