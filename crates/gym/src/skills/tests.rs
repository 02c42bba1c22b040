//! What the golden cases of all skills share: one bug record from the testkit's package, built and graded for real.

use rand::SeedableRng;

use super::{Build, find};
use crate::episode::{FileChange, Grade, Submission};
use crate::gate;
use crate::grade::Workshop;
use crate::record::BugRecord;
use crate::rollout::World;
use crate::task::Task;
use crate::testkit;

/// A submission with the grade that it must get.
pub(crate) struct Case {
    submission: Submission,
    reward: f64,
    /// Codes of the taxonomy that are right, separated by `|`: the order of graded runs is shuffled.
    code: &'static str,
}

impl Case {
    pub(crate) fn answer(text: &str, reward: f64, code: &'static str) -> Self {
        Self { submission: Submission { answer: text.into(), files: vec![] }, reward, code }
    }

    pub(crate) fn files(files: Vec<(&str, String)>, reward: f64, code: &'static str) -> Self {
        let change = |(path, text): (&str, String)| FileChange { path: path.to_owned(), content: Some(text) };
        let files = files.into_iter().map(change).collect();
        Self { submission: Submission { answer: "Done.".into(), files }, reward, code }
    }

    pub(crate) fn file(path: &str, content: &str, reward: f64, code: &'static str) -> Self {
        let files = vec![FileChange { path: path.into(), content: Some(content.into()) }];
        Self { submission: Submission { answer: "Done.".into(), files }, reward, code }
    }
}

/// The tasks that a skill makes from the testkit's record. The directory lives as long as the first value.
pub(crate) fn tasks(skill: &str) -> (tempfile::TempDir, Workshop, Vec<Task>) {
    tasks_from(skill, testkit::record)
}

/// The tasks that a skill makes from the testkit's record of a crate.
fn tasks_in_rust(skill: &str) -> (tempfile::TempDir, Workshop, Vec<Task>) {
    let is_wanted = |text: &str| !text.contains("return low") && text.contains("return high");
    tasks_from(skill, |workshop| testkit::record_in(workshop, &testkit::rust_project(), "src/lib.rs", is_wanted))
}

fn tasks_from(skill: &str, record: impl Fn(&Workshop) -> BugRecord) -> (tempfile::TempDir, Workshop, Vec<Task>) {
    let (directory, workshop) = testkit::workshop();
    let record = record(&workshop);
    let build = Build { workshop: &workshop, max_turns: 8, max_variants: 16 };
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let tasks = find(skill).expect("a known skill").build(&build, &record, &mut rng).expect("the record makes tasks");
    (directory, workshop, tasks)
}

/// Builds the skill's tasks, passes them through the gates, and grades each case on the first of them.
pub(crate) fn check(skill: &str, cases: &[Case]) {
    let (_directory, workshop, tasks) = tasks(skill);
    check_on(skill, &workshop, &tasks, cases);
}

/// The same with a task from some record.
pub(crate) fn check_from(skill: &str, record: impl Fn(&Workshop) -> BugRecord, cases: &[Case]) {
    let (_directory, workshop, tasks) = tasks_from(skill, record);
    check_on(skill, &workshop, &tasks, cases);
}

/// The same with a task in Rust.
pub(crate) fn check_in_rust(skill: &str, cases: &[Case]) {
    let (_directory, workshop, tasks) = tasks_in_rust(skill);
    check_on(skill, &workshop, &tasks, cases);
}

/// The same with tasks that are there.
pub(crate) fn check_on(skill: &str, workshop: &Workshop, tasks: &[Task], cases: &[Case]) {
    for task in tasks {
        let evidence = gate::check(workshop, task);
        assert!(evidence.passed, "{skill}: {}", evidence.reason);
    }
    for case in cases {
        match workshop.grade(&tasks[0], &case.submission) {
            Grade::Scored(score) => {
                let right = score.reward == case.reward && case.code.split('|').any(|code| code == score.code);
                assert!(right, "{skill}: {:?} got {score:?}, expected {} {}", case.submission, case.reward, case.code);
            }
            Grade::Invalid(cause) => panic!("{skill}: {:?} could not be judged: {cause:?}", case.submission),
        }
    }
}
