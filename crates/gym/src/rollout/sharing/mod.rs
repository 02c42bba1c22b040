//! Episodes of one task that have done the same so far share what that took of sandboxes.
//!
//! What episodes ask of their sandboxes is a tree: an edge is an operation with what came of it. The first one to come to an edge has
//! it carried out, those after it get what came of it, and a sandbox is made for an episode only when it does what none has done. Such
//! a sandbox must be as if everything before had happened in it. That holds for what left nothing behind, which
//! [`Sandbox::standing`] tells, and for files that were written from outside, which are written again. Whatever else leaves something
//! (a file, a process, shared memory), or ends other than by itself, is not shared: each episode that does it goes on alone, in a
//! sandbox of its own.
//!
//! Not the same as in separate sandboxes: process ids, numbers of files, times. A command whose output is left to chance gives the same
//! output to all that share it. Backends that cannot tell what stands share nothing but reading and writing.

mod shared;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use basis_sandbox::Sandbox;

use self::shared::Shared;
use self::tree::Node;
use super::{Provision, World};
use crate::agent::AgentLimits;
use crate::episode::{Grade, InvalidCause, Submission};
use crate::task::Task;

/// A world whose episodes share.
pub struct Sharing<'a> {
    world: &'a dyn World,
    /// Episodes of one task that belong together.
    group: u32,
    /// Groups that are not complete, by task: how many have begun, and where all begin.
    groups: Mutex<HashMap<String, (u32, Arc<Node>)>>,
    counts: Counters,
}

/// How much was shared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedCounts {
    /// Operations that episodes asked for.
    pub asked: u64,
    /// Of these, those that were carried out.
    pub done: u64,
    /// Sandboxes that episodes asked for.
    pub wanted: u64,
    /// Of these, those that were made.
    pub made: u64,
}

impl std::ops::Sub for SharedCounts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        let Self { asked, done, wanted, made } = earlier;
        Self { asked: self.asked - asked, done: self.done - done, wanted: self.wanted - wanted, made: self.made - made }
    }
}

#[derive(Default)]
struct Counters {
    asked: AtomicU64,
    done: AtomicU64,
    wanted: AtomicU64,
    made: AtomicU64,
}

impl Counters {
    fn add(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl<'a> Sharing<'a> {
    /// Over `world`; so many episodes of a task that begin one after the other are a group.
    pub fn new(world: &'a dyn World, group: u32) -> Self {
        Self { world, group, groups: Mutex::default(), counts: Counters::default() }
    }

    /// What was shared so far.
    pub fn counts(&self) -> SharedCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counters { asked, done, wanted, made } = &self.counts;
        SharedCounts { asked: read(asked), done: read(done), wanted: read(wanted), made: read(made) }
    }

    /// Where the episodes of the task's group begin.
    fn root(&self, task: &Task) -> Arc<Node> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, root) = groups.entry(task.id.clone()).or_default();
        *begun += 1;
        let (begun, root) = (*begun, root.clone());
        if begun >= self.group {
            groups.remove(&task.id);
        }
        root
    }
}

impl World for Sharing<'_> {
    fn sandbox<'s>(&'s self, task: &Task) -> Result<Box<dyn Sandbox + 's>, InvalidCause> {
        Counters::add(&self.counts.wanted);
        Ok(Box::new(Shared::new(self.world, &self.counts, task, self.root(task))))
    }

    /// Nobody knows what a program does between two requests, so its sandbox is its own.
    fn sandbox_for_program(&self, task: &Task, provision: &Provision) -> Result<Box<dyn Sandbox>, InvalidCause> {
        self.world.sandbox_for_program(task, provision)
    }

    fn grade(&self, task: &Task, submission: &Submission) -> Grade {
        self.world.grade(task, submission)
    }

    fn limits(&self) -> AgentLimits {
        self.world.limits()
    }
}
