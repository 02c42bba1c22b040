//! Continuous batching: requests come from a queue and leave when they are done; in between, each step runs one row per decoding sequence and a
//! bounded number of rows of prompts.
//!
//! Every thread has its own sequences ([`decoder`]) and shares the queue ([`lobby`]) and the caches ([`sessions`], [`cache`], [`memo`]). A row's result does not
//! depend on other rows ([`pass`], [`attention`]), so neither the batch nor the number of threads changes what is sampled.

mod attention;
pub(crate) mod cache;
pub(crate) mod choose;
mod decoder;
mod lobby;
mod memo;
mod pass;
pub(crate) mod sequence;
mod sessions;

pub(super) use decoder::serve;
