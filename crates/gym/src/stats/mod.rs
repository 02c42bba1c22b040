//! What a set of graded episodes says about a policy: averages per skill, intervals, comparisons of two measurements.
//!
//! Everything here is a pure function of episodes and a seed. Rewards are mapped to success (reward above 0), so that
//! `localize`, whose reward is ±1, and the other skills lie on one scale from 0 to 1. Invalid episodes say nothing about the
//! policy: they are left out of every average and reported as a bracket.
//!
//! [`separation`] knows no episodes: it says how well labels can be told from numbers.

mod arms;
mod bootstrap;
mod compare;
mod evaluation;
pub mod separation;
#[cfg(test)]
mod testing;

pub use arms::{ArmDifference, Arms};
pub use bootstrap::{Interval, RESAMPLES};
pub use compare::{Comparison, Difference};
pub use evaluation::{Evaluation, SkillScore, TaskScore};
