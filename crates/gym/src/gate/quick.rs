//! What every task passes when it is made: the reference scores full and nothing scores nothing, every time.

use serde::{Deserialize, Serialize};

use crate::episode::{Grade, Submission};
use crate::grade::Workshop;
use crate::rollout::World;
use crate::skills;
use crate::task::Task;

/// How often each submission is judged.
pub const REPEATS: usize = 2;

/// The evidence that one task passed its gates, or why it did not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The task.
    pub task: String,
    /// Its skill.
    pub skill: String,
    /// Name and version of the grader.
    pub grader: String,
    /// Whether every gate was passed.
    pub passed: bool,
    /// The gate that failed and what it showed; empty when passed.
    pub reason: String,
    /// Every judged submission: who handed it in, and the grade.
    pub runs: Vec<(String, Grade)>,
}

/// Judges the reference and the empty submission, repeatedly, stopping at the first surprise.
pub fn check(workshop: &Workshop, task: &Task) -> Evidence {
    let mut evidence = Evidence {
        task: task.id.clone(),
        skill: task.skill.clone(),
        grader: task.grader.clone(),
        passed: false,
        reason: String::new(),
        runs: Vec::new(),
    };
    evidence.reason = surprise(workshop, task, &mut evidence.runs).unwrap_or_default();
    evidence.passed = evidence.reason.is_empty();
    evidence
}

fn surprise(workshop: &Workshop, task: &Task, runs: &mut Vec<(String, Grade)>) -> Option<String> {
    let Some(skill) = skills::find(&task.skill) else { return Some(format!("unknown skill `{}`", task.skill)) };
    let reference = match skill.reference(workshop, task) {
        Ok(reference) => reference,
        Err(reason) => return Some(format!("no reference: {reason}")),
    };
    let gates = [("nothing", Submission::default(), skill.least_reward()), ("reference", reference, 1.0)];
    for repeat in 0..REPEATS {
        for (name, submission, expected) in &gates {
            let grade = workshop.grade(task, submission);
            runs.push((format!("{name}#{repeat}"), grade.clone()));
            match grade {
                Grade::Scored(score) if score.reward == *expected => {}
                Grade::Scored(score) => {
                    return Some(format!(
                        "{name} scored {} ({}: {}), expected {expected}",
                        score.reward, score.code, score.detail
                    ));
                }
                Grade::Invalid(cause) => return Some(format!("{name} could not be judged: {cause:?}")),
            }
        }
    }
    None
}
