//! Runs the handed-in tests on the correct code, its rewrites and every variant, each in a fresh sandbox, in shuffled order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Hidden;
use crate::episode::{InvalidCause, Score, Submission};
use crate::grade::Workshop;
use crate::grade::verdict::{Table, Verdict, full, nothing};
use crate::languages::{Authoring, Health, Selection, TestReport, restated};
use crate::project::TestSetup;
use crate::record::TestId;
use crate::task::Task;
use crate::tree::{Tree, TreeId};

const MAX_BYTES: usize = 64 << 10;
const MAX_TESTS: usize = 200;
/// The correct code runs this often: a test that fails at random has to be lucky each time (luck bound, R = 3).
const CORRECT_RUNS: usize = 3;
/// Processor time that the tests of a real package may take on the correct code; elsewhere the wall time is limit enough.
const LONGEST_SUITE: Duration = Duration::from_secs(20);
/// How many times longer than on the correct code they may take on other code, and what they may take at least.
const PATIENCE: u32 = 5;
const SHORTEST_LIMIT: Duration = Duration::from_secs(4);

pub(super) fn grade(workshop: &Workshop, task: &Task, hidden: &Hidden, submission: &Submission) -> Verdict {
    let read = |id: &TreeId| workshop.blobs.tree(id).map_err(|error| InvalidCause::Task(error.to_string()));
    let base = read(&task.context.tree)?;
    let tests = &task.context.tests;
    let authoring = super::authoring(tests).map_err(InvalidCause::Task)?;
    let suite = match suite(hidden, submission, &base, (authoring, tests)) {
        Ok(suite) => suite,
        Err(score) => return Ok(score),
    };
    let is_real = tests.runner.is_real();
    let run_suite = |suite: &Tree, patch: Option<&Tree>, processor: Duration| {
        let layers: Vec<&Tree> = [Some(&*base), patch, Some(suite)].into_iter().flatten().collect();
        let selection = Selection::files([hidden.test_path.clone()]).within(is_real.then_some(processor));
        workshop.run_tests(tests, &layers, &selection)
    };
    let run = |patch: Option<&Tree>, processor: Duration| run_suite(&suite, patch, processor);
    let mut table = Table::new();
    let first = run(None, LONGEST_SUITE)?;
    let passing = match accepted(&first, "gold_rejected", "correct#0", &mut table) {
        Ok(passing) => passing,
        Err(score) => return Ok(score),
    };
    let limit = (first.processor * PATIENCE).max(SHORTEST_LIMIT);
    let mut reference = Tree::new();
    reference.insert(hidden.test_path.clone(), super::suite(hidden, authoring, tests));
    for (name, patch) in shuffled(task, hidden, &suite) {
        let mut patch: Option<Arc<Tree>> = patch.as_ref().map(read).transpose()?;
        let last = matches!(name, Run::Rewrite(at) if at + 1 >= hidden.rewrites.len());
        let other = last.then(|| reworded(authoring, patch.as_deref().unwrap_or(&base), &hidden.path)).flatten();
        let is_reworded = other.is_some();
        patch = other.map(Arc::new).or(patch);
        let report = run(patch.as_deref(), limit)?;
        let verdict = match &name {
            Run::Variant(at) => caught(&report, &passing, *at, &mut table),
            Run::Rewrite(at) => {
                let judged = accepted(&report, "equivalent_rejected", &format!("rewrite#{at}"), &mut table).map(drop);
                // Other words that the reference rejects, too, have another meaning.
                match judged.is_ok()
                    || !is_reworded
                    || is_rewrite(&run_suite(&reference, patch.as_deref(), LONGEST_SUITE)?)
                {
                    true => judged,
                    false => {
                        table.push((format!("rewrite#{at}"), "void".to_owned()));
                        Ok(())
                    }
                }
            }
            Run::Correct(at) => accepted(&report, "flaky", &format!("correct#{at}"), &mut table).map(drop),
        };
        if let Err(score) = verdict {
            return Ok(score);
        }
    }
    Ok(full(table))
}

enum Run {
    Correct(usize),
    Rewrite(usize),
    Variant(usize),
}

/// The order is a function of the submission, which cannot contain its own hash.
fn shuffled(task: &Task, hidden: &Hidden, suite: &Tree) -> Vec<(Run, Option<TreeId>)> {
    let mut runs: Vec<(Run, Option<TreeId>)> = (1..CORRECT_RUNS).map(|at| (Run::Correct(at), None)).collect();
    runs.extend(hidden.rewrites.iter().enumerate().map(|(at, id)| (Run::Rewrite(at), Some(id.clone()))));
    if hidden.rewrites.is_empty() {
        runs.push((Run::Rewrite(0), None));
    }
    runs.extend(hidden.variants.iter().enumerate().map(|(at, id)| (Run::Variant(at), Some(id.clone()))));
    let seed = blake3::hash(format!("{}{}", task.id, suite.id().0).as_bytes());
    runs.shuffle(&mut ChaCha8Rng::from_seed(*seed.as_bytes()));
    runs
}

/// The file with the target in other words.
fn reworded(authoring: &dyn Authoring, tree: &Tree, path: &str) -> Option<Tree> {
    let mut file = Tree::new();
    file.insert(path, tree.get(path)?);
    restated(authoring, &file)
}

/// Whether the reference accepts the code that it was run on.
fn is_rewrite(reference: &TestReport) -> bool {
    reference.health == Health::Sound && reference.outcomes.values().all(|outcome| outcome.passed())
}

/// The test file of a submission; everything else in it is ignored.
fn suite(
    hidden: &Hidden,
    submission: &Submission,
    base: &Tree,
    (authoring, tests): (&dyn Authoring, &TestSetup),
) -> Result<Tree, Score> {
    let fail = |code, detail: String| nothing(code, detail, Table::new());
    let file = submission.files.iter().find(|file| file.path == hidden.test_path);
    let Some(text) = file.and_then(|file| file.content.as_deref()) else {
        return Err(fail("no_tests", format!("no `{}`", hidden.test_path)));
    };
    if text.len() > MAX_BYTES {
        return Err(fail("bad_format", format!("{} bytes, at most {MAX_BYTES} are allowed", text.len())));
    }
    // The target inside its tests would be compared with itself.
    let source = base.text(&hidden.path).unwrap_or_default();
    if let Some(name) = authoring.foreign(text, base, tests) {
        let detail = format!("the tests use `{name}`, which may run code that does not stand in them");
        return Err(fail("embedded_reference", detail));
    }
    if let Some(detail) = authoring.embedded(text, source, &hidden.function) {
        return Err(fail("embedded_reference", detail));
    }
    let mut suite = Tree::new();
    suite.insert(hidden.test_path.clone(), text);
    Ok(suite)
}

/// Correct code must collect tests, and all of them must pass.
fn accepted(report: &TestReport, code: &str, run: &str, table: &mut Table) -> Result<BTreeSet<TestId>, Score> {
    let passing: BTreeSet<TestId> = report.passing().into_iter().collect();
    table.push((run.to_owned(), format!("{} of {} passed", passing.len(), report.outcomes.len())));
    let fail = |code: &str, detail: String| Err(nothing(code, format!("{run}: {detail}"), table.clone()));
    if !(report.health == Health::Sound) {
        return fail(report.health.code(), report.health.detail());
    }
    if report.outcomes.is_empty() || report.outcomes.len() > MAX_TESTS {
        return fail("no_tests", format!("{} tests, expected 1 to {MAX_TESTS}", report.outcomes.len()));
    }
    match report.outcomes.iter().find(|(_, outcome)| !outcome.passed()) {
        Some((id, outcome)) => fail(code, format!("`{id}` did not pass: {}", outcome.detail)),
        None => Ok(passing),
    }
}

/// A variant is caught when a test that passed on the correct code fails in its call.
fn caught(report: &TestReport, passing: &BTreeSet<TestId>, at: usize, table: &mut Table) -> Result<(), Score> {
    let killer = report.outcomes.iter().find(|(id, outcome)| passing.contains(*id) && outcome.failed_in_call());
    table.push((format!("variant#{at}"), killer.map_or("survived".into(), |(id, _)| format!("caught by {id}"))));
    if !(report.health == Health::Sound) {
        let detail = format!("variant#{at}: {}", report.health.detail());
        return Err(nothing(report.health.code(), detail, table.clone()));
    }
    match killer {
        Some(_) => Ok(()),
        None => Err(nothing("survivor", format!("variant#{at} passes every test"), table.clone())),
    }
}
