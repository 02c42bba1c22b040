//! What the graders of all skills share: the workshop in which graded code runs, the policy on what may be handed in,
//! probes of behaviour, copies of tests that must fail, and the words of a verdict. Knows no skill.

pub mod calls;
pub mod policy;
pub mod probes;
pub mod repair;
pub mod rephrase;
pub mod suspicion;
pub mod twins;
pub mod verdict;
pub mod workshop;

pub use workshop::Workshop;
