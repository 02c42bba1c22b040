//! Grades what was handed in again, with today's graders and without any policy.

use crate::episode::{Episode, Grade, InvalidCause};
use crate::grade::Workshop;
use crate::skills;
use crate::task::Task;

/// Today's grade of an episode; `None` when it says nothing that could be graded: it was interrupted before anything was handed in.
///
/// Unlike a rollout this does not mind for which version of a grader the task was made.
pub fn regrade(workshop: &Workshop, task: &Task, episode: &Episode) -> Option<Grade> {
    episode.end?;
    let Some(skill) = skills::find(&task.skill) else {
        return Some(Grade::Invalid(InvalidCause::Task(format!("unknown skill `{}`", task.skill))));
    };
    let judge = || skill.grade(workshop, task, &episode.submission).map_or_else(Grade::Invalid, Grade::Scored);
    Some(match judge() {
        // What the infrastructure broke is tried once more, as in a rollout.
        Grade::Invalid(cause) if !matches!(cause, InvalidCause::Task(_)) => judge(),
        grade => grade,
    })
}

/// Whether two grades decide alike: the same reward, or both invalid. Codes may depend on which of shuffled runs came first.
pub fn decides_alike(one: &Grade, other: &Grade) -> bool {
    match (one, other) {
        (Grade::Scored(one), Grade::Scored(other)) => one.reward == other.reward,
        (Grade::Invalid(_), Grade::Invalid(_)) => true,
        _ => false,
    }
}
