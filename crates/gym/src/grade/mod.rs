//! What the graders of all skills share: the workshop in which graded code runs, the policy on what may be handed in,
//! behaviour-preserving rewrites, probes of behaviour, marks in functions, copies of tests that must fail, and the words of a verdict. Knows no skill.

pub mod calls;
pub mod clones;
pub mod foreign;
pub mod idle;
pub mod inputs;
pub mod marked;
pub mod policy;
pub mod probes;
pub mod rename;
pub mod repair;
pub mod rephrase;
pub mod restate;
pub mod rewrites;
pub mod suspicion;
pub mod twins;
pub mod verdict;
pub mod workshop;

pub use workshop::Workshop;
