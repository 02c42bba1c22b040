//! The workshop as the world in which agents act: a sandbox with the task's tree, and the skill's grader.

use basis_sandbox::{Limits, Sandbox};

use crate::episode::{Grade, InvalidCause, Submission};
use crate::grade::Workshop;
use crate::rollout::{Provision, World};
use crate::skills;
use crate::task::Task;

impl World for Workshop {
    fn sandbox(&self, task: &Task) -> Result<Box<dyn Sandbox>, InvalidCause> {
        let tree = self.blobs.tree(&task.context.tree).map_err(|error| InvalidCause::Task(error.to_string()))?;
        Workshop::sandbox(self, &task.context.tests, &[&tree], &self.agent_limits)
    }

    fn sandbox_for_program(&self, task: &Task, provision: &Provision) -> Result<Box<dyn Sandbox>, InvalidCause> {
        let tree = self.blobs.tree(&task.context.tree).map_err(|error| InvalidCause::Task(error.to_string()))?;
        let limits = Limits { wall: provision.wall.unwrap_or(self.agent_limits.wall), ..self.agent_limits.clone() };
        self.sandbox_with(&task.context.tests, &[&tree], &limits, &provision.mounts)
    }

    fn grade(&self, task: &Task, submission: &Submission) -> Grade {
        let Some(skill) = skills::find(&task.skill) else {
            return Grade::Invalid(InvalidCause::Task(format!("unknown skill `{}`", task.skill)));
        };
        if skill.grader() != task.grader {
            let message =
                format!("made for grader `{}`, this is `{}`; build the pack again", task.grader, skill.grader());
            return Grade::Invalid(InvalidCause::Task(message));
        }
        match skill.grade(self, task, submission) {
            Ok(score) => Grade::Scored(score),
            Err(cause) => Grade::Invalid(cause),
        }
    }
}
