//! `nothing`: ends every episode at once with an empty answer. A task that pays for this is broken.

use async_trait::async_trait;

use super::{Action, Policy, PolicyError, Session};
use crate::episode::{Message, Reply};
use crate::task::Task;

/// The policy that does nothing.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Policy for Nothing {
    fn name(&self) -> String {
        "nothing".to_owned()
    }

    fn start(&self, _task: &Task, _sample: u32, _seed: u64) -> Result<Box<dyn Session>, PolicyError> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl Session for Nothing {
    async fn act(&mut self, _new: &[Message]) -> Result<Action, PolicyError> {
        Ok(Action::Reply(Reply::default()))
    }
}
