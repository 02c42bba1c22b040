//! Pairs from what agents handed in: a repair that failed, beside one that succeeded. No operator makes mistakes as real as these.
//!
//! Nothing that a run has stored is believed: every attempt is judged again, in fresh sandboxes. An attempt that is right by its
//! tests, but is not the healthy code, needs probes as well, as all other words do; or the healthy code stands for it.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::candidates::{Bench, FEWEST_PROBES, KEPT_PROBES, Pair, lost};
use super::{Build, Rejection, diff};
use crate::episode::{FileChange, Submission};
use crate::grade::probes::Probes;
use crate::grade::repair::{self, Repair};
use crate::issue::Issue;
use crate::record::{BugRecord, Change, Place, Words};
use crate::task::Task;
use crate::tree::Tree;
use crate::{languages, surface};

/// What made the place where an agent changed something.
const ATTEMPT: &str = "attempt";

/// What a task of a repair knows that makes a pair.
#[derive(Deserialize)]
struct Known {
    repair: Repair,
    #[serde(default)]
    call: String,
    #[serde(default)]
    expected: String,
}

/// Two tasks from the repairs that agents handed in for one task of fixing.
///
/// # Errors
/// Why they give no pair.
pub fn tasks_from_attempts(
    build: &Build,
    task: &Task,
    attempts: &[Submission],
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Task>, Rejection> {
    let damaged = |reason: String| Rejection::new("not_a_repair", reason);
    let known = Known::deserialize(&task.hidden).map_err(|error| damaged(error.to_string()))?;
    let (_, text) = task.prompt.split_once("Issue: ").ok_or_else(|| damaged("its prompt has no issue".into()))?;
    let issue = Issue {
        text: text.trim().to_owned(),
        call: known.call.clone(),
        expected: known.expected.clone(),
        set_up: String::new(),
    };
    let record = record(build, task, &known.repair)?;
    let bench =
        Bench { build, record: &record, issue: &issue, probes: Probes::of(build.workshop, &record).map_err(lost)? };
    let pair = pair(&bench, (task, &known.repair), attempts, rng)?;
    let base = build.workshop.blobs.tree(&task.context.tree).map_err(|error| damaged(error.to_string()))?;
    let path = &record.change.main().path;
    // The tree that the agent saw lacks the tests that tell; those that only the wrong change fails go as well, for both.
    let base = crate::draft::hide_tests(&base, &pair.failing);
    let shown = |tree: &Tree| {
        let mut shown = base.clone();
        shown.insert(path.clone(), tree.text(path).unwrap_or_default());
        shown
    };
    super::tasks(build, &record, &issue, &pair, &shown)
}

fn pair(
    bench: &Bench<'_>,
    (task, repair): (&Task, &Repair),
    attempts: &[Submission],
    rng: &mut ChaCha8Rng,
) -> Result<Pair, Rejection> {
    let path = &bench.record.change.main().path;
    let (buggy, fixed) = (bench.text(&bench.record.buggy)?, bench.text(&bench.record.fixed)?);
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::from([buggy.clone(), fixed.clone()]);
    for attempt in attempts {
        let [FileChange { path: own, content: Some(text) }] = &attempt.files[..] else { continue };
        if own != path || !seen.insert(text.clone()) {
            continue;
        }
        let score = repair::grade(bench.build.workshop, task, repair, attempt).map_err(lost)?;
        match score.code.as_str() {
            "ok" => right.push(text.clone()),
            "f2p_failed" | "p2p_failed" => wrong.push(text.clone()),
            // Nobody reviews what is no change, or what does not run at all.
            _ => {}
        }
    }
    let none = || Rejection::new("no_failing_attempt", "no attempt changes the broken file, runs, and fails its tests");
    let differing = bench.differing(&wrong)?;
    let look = surface::of(&diff(path, &buggy, &fixed));
    let away = |text: &String| surface::distance(&look, &surface::of(&diff(path, &buggy, text)));
    let told = (0..wrong.len()).filter(|at| bench.probes.is_empty() || !differing[*at].is_empty());
    let at = told.min_by(|one, other| away(&wrong[*one]).total_cmp(&away(&wrong[*other]))).ok_or_else(none)?;
    let failing = bench.failing(&wrong[at])?.filter(|failing| !failing.is_empty()).ok_or_else(none)?;
    let (right, reworded) = match proved(bench, &right, rng)? {
        Some((text, score)) => (text, Some(score)),
        None => (fixed, None),
    };
    let mut told = vec![differing[at].clone()];
    told.extend(differing);
    Ok(Pair {
        right: bench.tree(right),
        wrong: bench.tree(wrong[at].clone()),
        failing,
        probes: bench.probes.few(&told, KEPT_PROBES),
        reworded,
    })
}

/// The first of these right attempts that probes cannot tell from the healthy code, where they notice enough to be believed.
fn proved(bench: &Bench<'_>, right: &[String], rng: &mut ChaCha8Rng) -> Result<Option<(String, f64)>, Rejection> {
    if right.is_empty() || bench.probes.len() < FEWEST_PROBES {
        return Ok(None);
    }
    let differing = bench.differing(right)?;
    let Some(at) = (0..right.len()).find(|at| differing[*at].is_empty()) else { return Ok(None) };
    Ok(bench.mutation_score(rng)?.map(|score| (right[at].clone(), score)))
}

/// The record behind a task, as far as the task says it.
fn record(build: &Build, task: &Task, repair: &Repair) -> Result<BugRecord, Rejection> {
    let tree = |id| build.workshop.blobs.tree(id).map_err(|error| Rejection::new("store", error.to_string()));
    let (buggy, fixed) = (tree(&repair.buggy)?, tree(&repair.fixed)?);
    let differing: Vec<&str> =
        fixed.iter().filter(|(path, bytes)| buggy.get(path) != Some(bytes)).map(|(path, _)| path).collect();
    let [path] = differing[..] else {
        return Err(Rejection::new("several_files", format!("the repair changes {} files", differing.len())));
    };
    if languages::of_runner(task.context.tests.runner).tests_in_sources() {
        return Err(Rejection::new("tests_in_sources", "what is reviewed would hold hidden tests"));
    }
    let (before, after) = (buggy.text(path).unwrap_or_default(), fixed.text(path).unwrap_or_default());
    let same = after.lines().zip(before.lines()).take_while(|(one, other)| one == other).count();
    let around = languages::functions(path, after);
    let around = around.iter().filter(|span| (span.line_start..=span.line_end).contains(&(same + 1)));
    let function = around.min_by_key(|span| span.line_end - span.line_start).map(|span| span.qualified());
    let start = after.lines().take(same).map(|line| line.len() + 1).sum();
    let function = function.unwrap_or_default();
    let place = Place { path: path.to_owned(), function, line: same + 1, start, by: ATTEMPT.to_owned() };
    Ok(BugRecord {
        id: task.family.clone(),
        project: task.project.clone(),
        origin: task.origin.clone(),
        tests: task.context.tests.clone(),
        change: Change { necessary: [path.to_owned()].into(), places: vec![place] },
        fixed: (*fixed).clone(),
        buggy: (*buggy).clone(),
        fail_to_pass: repair.fail_to_pass.clone(),
        pass_to_pass: repair.pass_to_pass.clone(),
        guards: repair.pass_to_pass.clone(),
        processor: repair.processor_seconds.map(std::time::Duration::from_secs),
        symptoms: Vec::new(),
        report: None,
        calls: Vec::new(),
        words: Words::default(),
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::skills;
    use crate::testkit;

    const PATH: &str = "pkg/limits.py";

    fn handed_in(text: &str) -> Submission {
        Submission { answer: "Done.".into(), files: vec![FileChange { path: PATH.into(), content: Some(text.into()) }] }
    }

    #[test]
    fn a_failed_and_a_right_attempt_become_a_pair_whose_labels_are_proved() {
        let (_directory, workshop) = testkit::workshop();
        let record = testkit::record(&workshop);
        let build = Build { workshop: &workshop, max_turns: 8, max_variants: 4 };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let bugfix = skills::find("bugfix").expect("it is registered");
        let task = bugfix.build(&build, &record, &mut rng).expect("the record makes a task").remove(0);
        let healthy = testkit::LIMITS;
        let wrong = healthy.replace("return low", "return low + 1");
        let right = healthy.replace("value < low", "low > value");
        let stack = format!("import sys\nCALLER = sys._getframe()\n{healthy}");
        let attempts = [handed_in("this is no code ("), handed_in(&stack), handed_in(&wrong), handed_in(&right)];
        let tasks = tasks_from_attempts(&build, &task, &attempts, &mut rng).expect("they make a pair");
        let shown = |task: &Task| {
            let tree = workshop.blobs.tree(&task.context.tree).expect("a tree");
            tree.text(PATH).expect("the file").to_owned()
        };
        assert_eq!([shown(&tasks[0]), shown(&tasks[1])], [right, wrong]);
        assert_eq!([&tasks[0].hidden["label"], &tasks[1].hidden["label"]], ["YES", "NO"]);
        assert!(tasks[0].pair == tasks[1].pair && !tasks[0].pair.is_empty());
        for task in &tasks {
            let evidence = crate::gate::check(&workshop, task);
            assert!(evidence.passed, "{}", evidence.reason);
        }
        let alone = tasks_from_attempts(&build, &task, &attempts[..2], &mut rng).expect_err("none fails its tests");
        assert_eq!(alone.code, "no_failing_attempt");
    }
}
