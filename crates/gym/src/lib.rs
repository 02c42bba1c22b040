//! From a repository to graded episodes; no machine learning, no terminal.
//!
//! In reading order: the nouns ([`tree`], [`project`], [`record`], [`task`], [`episode`]); where projects come from
//! ([`sources`]) and how bugs get into them ([`mutation`], [`languages`]); what is asked and how it is graded
//! ([`skills`], [`grade`], [`gate`], [`attacks`], [`pack`]); who acts and how ([`policy`], [`agent`], [`rollout`]); what stays
//! ([`store`]), how others read and write it ([`formats`]) and how
//! agents and loops of others are served ([`gateway`], [`env_server`], [`serve`]). This crate never prints, never reads the environment and never exits.

pub mod agent;
pub mod attacks;
pub mod baseline;
pub mod blobs;
pub mod calendar;
pub mod client;
pub mod draft;
pub mod embedded;
pub mod env_server;
pub mod episode;
pub mod factory;
pub mod formats;
pub mod gate;
pub mod gateway;
pub mod grade;
pub mod instruction;
pub mod issue;
pub mod languages;
pub mod mutation;
pub mod pack;
pub mod parallel;
pub mod policy;
pub mod program;
pub mod project;
pub mod record;
pub mod regrade;
pub mod rollout;
pub mod serve;
pub mod skills;
pub mod sources;
pub mod stats;
pub mod store;
pub mod surface;
pub mod task;
pub mod teach;
#[cfg(test)]
mod testkit;
pub mod threads;
pub mod tree;
pub mod validate;
pub mod verdicts;
pub mod wording;
pub mod world;
