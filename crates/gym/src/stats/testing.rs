//! Graded episodes for the tests of this module.

use std::time::Duration;

use crate::episode::{Episode, Grade, InvalidCause, Score, Submission};

pub(super) fn episode(skill: &str, task: &str, reward: f64) -> Episode {
    let score = Score { reward, code: String::new(), detail: String::new(), table: Vec::new() };
    with_grade(skill, task, Grade::Scored(score))
}

pub(super) fn invalid(skill: &str, task: &str) -> Episode {
    with_grade(skill, task, Grade::Invalid(InvalidCause::Sandbox("lost".to_owned())))
}

fn with_grade(skill: &str, task: &str, grade: Grade) -> Episode {
    Episode {
        task: task.to_owned(),
        skill: skill.to_owned(),
        sample: 0,
        policy: String::new(),
        prompt: String::new(),
        steps: Vec::new(),
        end: None,
        submission: Submission::default(),
        grade,
        tokens: None,
        program: None,
        acting: Duration::ZERO,
        grading: Duration::ZERO,
    }
}
