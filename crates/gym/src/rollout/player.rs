//! Who plays episodes: a policy, whose turns our own loop asks for, or a program that brings its own loop.

use super::{Job, World};
use crate::agent::{Acted, Interrupted};
use crate::episode::{ProgramRecord, TokenTrace};
use crate::policy::Policy;

/// An agent that brings its own loop.
pub trait Program: Send + Sync {
    /// The name that episodes are recorded under.
    fn name(&self) -> String;

    /// Has it work on a job in a sandbox of `world`.
    ///
    /// # Errors
    /// [`Interrupted`] when the sandbox was lost or there were no turns to be had; whatever the program gets wrong is an end.
    fn play(&self, job: &Job, world: &dyn World) -> Result<Ran, Interrupted>;
}

/// What a program did.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// As of any agent.
    pub acted: Acted,
    /// The tokens of its newest turn and what came before, if they are known.
    pub tokens: Option<TokenTrace>,
    /// Everything else.
    pub record: ProgramRecord,
}

/// Either of them.
#[derive(Clone, Copy)]
pub enum Player<'a> {
    /// Gives turns.
    Policy(&'a dyn Policy),
    /// Brings its own loop.
    Program(&'a dyn Program),
}

impl Player<'_> {
    /// The name that episodes are recorded under.
    pub fn name(&self) -> String {
        match self {
            Self::Policy(policy) => policy.name(),
            Self::Program(program) => program.name(),
        }
    }
}

impl<'a> From<&'a dyn Policy> for Player<'a> {
    fn from(policy: &'a dyn Policy) -> Self {
        Self::Policy(policy)
    }
}

impl<'a, P: Policy> From<&'a P> for Player<'a> {
    fn from(policy: &'a P) -> Self {
        Self::Policy(policy)
    }
}
