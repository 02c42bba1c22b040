//! Many episodes at once: every job that is started comes out exactly once, as graded or as invalid with a cause.
//!
//! [`dispatch`] plays a list of jobs, [`serve`] those that a [`Source`] hands out; [`Player`] is who plays them, [`Queue`] whose turn it is, [`Roster`] who waits for what, [`World`] what it needs of a pack, [`seed`] where randomness comes from.
//! [`Sharing`] is a world in which episodes of one task share what they do alike. It emits
//! episodes; whoever calls it connects a store or a trainer.

mod attempt;
mod dispatch;
mod player;
mod queue;
mod roster;
mod seed;
mod serve;
mod sharing;
pub mod simulation;
mod world;

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;

pub use attempt::once;
pub use dispatch::{Crew, Job, dispatch};
pub use player::{Player, Program, Ran};
pub use queue::Queue;
pub use roster::{Post, Roster, Wait};
pub use seed::seed;
pub use serve::{Source, serve};
pub use sharing::{SharedCounts, Sharing};
pub use world::{Provision, World};
