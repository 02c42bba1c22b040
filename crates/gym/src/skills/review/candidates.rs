//! Which two changes are put before reviewers, and how their labels are proved.
//!
//! The right one is the healthy code, or the healthy code in other words, so that it need not be what was there before. The wrong one is
//! a mistake that looks like it. The right one passes every test and gives what healthy code gives in every probe; the wrong one
//! fails a test and differs in a probe, where there are any. Other words are only believed where tests and probes notice nearly every
//! mistake in the function.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Build, Rejection, diff};
use crate::episode::InvalidCause;
use crate::grade::probes::Probes;
use crate::grade::rephrase::rephrased;
use crate::issue::Issue;
use crate::languages::{self, Selection, TestReport};
use crate::record::{BugRecord, TestId};
use crate::surface;
use crate::tree::Tree;

/// Candidates that are tried until one fails its tests.
const TRIES: usize = 12;
/// Share of the pairs whose right change is put in other words, where it can be.
const REWORDED: f64 = 0.5;
/// Fewer probes do not prove that other words mean the same.
pub(super) const FEWEST_PROBES: usize = 3;
/// Probes that are kept with a task.
pub(super) const KEPT_PROBES: usize = 12;

/// A right and a wrong change of one issue.
pub(super) struct Pair {
    pub(super) right: Tree,
    pub(super) wrong: Tree,
    /// Tests that the wrong change fails.
    pub(super) failing: Vec<TestId>,
    /// Calls with their values in healthy code.
    pub(super) probes: Vec<(String, String)>,
    /// The share of mistakes that tests and probes notice, where the right change is the healthy code in other words.
    pub(super) reworded: Option<f64>,
}

/// Chooses a pair; first with the right change in other words, if chance wants it.
pub(super) fn choose(
    build: &Build,
    record: &BugRecord,
    issue: &Issue,
    rng: &mut ChaCha8Rng,
) -> Result<Pair, Rejection> {
    let probes = Probes::of(build.workshop, record).map_err(lost)?;
    let bench = Bench { build, record, issue, probes };
    if rng.random_bool(REWORDED)
        && let Some(text) = bench.reworded(rng)?
        && let Some(score) = bench.mutation_score(rng)?
        && let Ok(pair) = bench.pair(text, Some(score), rng)
    {
        return Ok(pair);
    }
    bench.pair(bench.text(&record.fixed)?, None, rng)
}

pub(super) struct Bench<'a> {
    pub(super) build: &'a Build<'a>,
    pub(super) record: &'a BugRecord,
    pub(super) issue: &'a Issue,
    pub(super) probes: Probes,
}

impl Bench<'_> {
    pub(super) fn text(&self, tree: &Tree) -> Result<String, Rejection> {
        let path = &self.record.change.main().path;
        tree.text(path).map(str::to_owned).ok_or_else(|| Rejection::new("not_text", path.clone()))
    }

    /// The healthy file with the lines around the bug in other words, which tests and probes take for the healthy one.
    fn reworded(&self, rng: &mut ChaCha8Rng) -> Result<Option<String>, Rejection> {
        if self.probes.len() < FEWEST_PROBES {
            return Ok(None);
        }
        let healthy = self.text(&self.record.fixed)?;
        let first = self.record.change.main().line - 1;
        let mut texts = rephrased(&healthy, first..first + 1);
        texts.shuffle(rng);
        texts.truncate(TRIES);
        for (text, differing) in texts.iter().zip(self.differing(&texts)?) {
            if differing.is_empty() && self.failing(text)?.is_some_and(|failing| failing.is_empty()) {
                return Ok(Some(text.clone()));
            }
        }
        Ok(None)
    }

    /// The right change with a wrong one of the same function that looks as much like it as there is, and rather does not help the
    /// issue.
    fn pair(&self, right: String, reworded: Option<f64>, rng: &mut ChaCha8Rng) -> Result<Pair, Rejection> {
        let complaint = self.record.symptoms.iter().find(|it| it.call.as_deref() == Some(&self.issue.call));
        let mut texts = self.alike(&right, reworded.is_some(), rng)?;
        texts.truncate(TRIES);
        let differing = self.differing(&texts)?;
        let mut found = None;
        for (at, text) in
            texts.iter().enumerate().filter(|(at, _)| self.probes.is_empty() || !differing[*at].is_empty())
        {
            let Some(failing) = self.failing(text)?.filter(|failing| !failing.is_empty()) else { continue };
            let helps = complaint.is_some_and(|symptom| !failing.contains(&symptom.test));
            found = found.or(Some((at, failing.clone())));
            if !helps {
                found = Some((at, failing));
                break;
            }
        }
        let (at, failing) =
            found.ok_or_else(|| Rejection::new("no_wrong_candidate", "no other edit of the function fails a test"))?;
        let mut told: Vec<Vec<usize>> = vec![differing[at].clone()];
        told.extend(differing);
        Ok(Pair {
            right: self.tree(right),
            wrong: self.tree(texts[at].clone()),
            failing,
            probes: self.probes.few(&told, KEPT_PROBES),
            reworded,
        })
    }

    /// The file with other changes of the broken function, those first that look most like the right one. Beside a right change in
    /// other words stand only mistakes in those, or the words would tell.
    fn alike(&self, right: &str, reworded: bool, rng: &mut ChaCha8Rng) -> Result<Vec<String>, Rejection> {
        let path = &self.record.change.main().path;
        let (buggy, fixed) = (self.text(&self.record.buggy)?, self.text(&self.record.fixed)?);
        let mut texts = if reworded { self.mistakes(right) } else { self.mistakes(&buggy) };
        if !reworded {
            texts.extend(self.mistakes(&fixed));
            texts.extend(self.record.words.mistakes.iter().map(|mistake| mistake.apply(&fixed)));
        }
        let mut known = BTreeSet::from([buggy.clone(), fixed]);
        texts.retain(|text| known.insert(text.clone()));
        // Chance decides among those that look alike.
        texts.shuffle(rng);
        let look = surface::of(&diff(path, &buggy, right));
        let mut ranked: Vec<(f64, String)> = texts
            .into_iter()
            .map(|text| (surface::distance(&look, &surface::of(&diff(path, &buggy, &text))), text))
            .collect();
        ranked.sort_by(|one, other| one.0.total_cmp(&other.0));
        Ok(ranked.into_iter().map(|(_, text)| text).collect())
    }

    /// The file with one mistake each in the broken function.
    pub(super) fn mistakes(&self, text: &str) -> Vec<String> {
        let place = self.record.change.main();
        let own = languages::mutations(&place.path, text).into_iter().filter(|site| site.function == place.function);
        own.map(|site| site.apply(text)).collect()
    }

    pub(super) fn tree(&self, text: String) -> Tree {
        let mut tree = self.record.buggy.clone();
        tree.insert(self.record.change.main().path.clone(), text);
        tree
    }

    pub(super) fn differing(&self, texts: &[String]) -> Result<Vec<Vec<usize>>, Rejection> {
        self.probes.differing(self.build.workshop, self.record, texts).map_err(lost)
    }

    /// The tests that the file fails; `None` when the run cannot be believed.
    pub(super) fn failing(&self, text: &str) -> Result<Option<Vec<TestId>>, Rejection> {
        let expected: Vec<_> = self.record.fail_to_pass.iter().chain(&self.record.guards).cloned().collect();
        let selection = Selection::tests(&expected).within(self.record.processor);
        let tree = self.tree(text.to_owned());
        let report = self.build.workshop.run_tests(&self.record.tests, &[&tree], &selection).map_err(lost)?;
        let passed = |report: &TestReport, id: &TestId| report.outcomes.get(id).is_some_and(|it| it.passed());
        let failing = expected.iter().filter(|id| !passed(&report, id)).cloned().collect();
        Ok(report.health.believable().then_some(failing))
    }
}

pub(super) fn lost(cause: InvalidCause) -> Rejection {
    Rejection::new("infrastructure", format!("{cause:?}"))
}
