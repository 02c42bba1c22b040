//! What the golden cases of all skills share: one bug record from the testkit's package, built and graded for real.

use rand::SeedableRng;

use super::{Build, find};
use crate::episode::{FileChange, Grade, Submission};
use crate::gate;
use crate::grade::Workshop;
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

    pub(crate) fn file(path: &str, content: &str, reward: f64, code: &'static str) -> Self {
        let files = vec![FileChange { path: path.into(), content: Some(content.into()) }];
        Self { submission: Submission { answer: "Done.".into(), files }, reward, code }
    }
}

/// The tasks that a skill makes from the testkit's record. The directory lives as long as the first value.
pub(crate) fn tasks(skill: &str) -> (tempfile::TempDir, Workshop, Vec<Task>) {
    let (directory, workshop) = testkit::workshop();
    let record = testkit::record(&workshop);
    let build = Build { workshop: &workshop, max_turns: 8, max_variants: 16 };
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let tasks = find(skill).expect("a known skill").build(&build, &record, &mut rng).expect("the record makes tasks");
    (directory, workshop, tasks)
}

/// Builds the skill's tasks, passes them through the gates, and grades each case on the first of them.
pub(crate) fn check(skill: &str, cases: &[Case]) {
    let (_directory, workshop, tasks) = tasks(skill);
    for task in &tasks {
        let evidence = gate::check(&workshop, task);
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
