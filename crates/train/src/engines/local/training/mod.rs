//! From data to gradients to new weights.
//!
//! Each thread has its own share of the sequences ([`plan`]), activations ([`tape`]) and gradient ([`worker`], [`gradient`]); gradients are
//! summed in the order of the threads, so a result depends on the data and the number of threads alone. A micro-batch packs a few sequences without padding:
//! [`forward`], [`loss`], [`backward`], with [`attention`] inside; then [`adamw`].

pub(crate) mod adamw;
mod attention;
mod backward;
mod forward;
mod gradient;
mod loss;
pub(super) mod plan;
pub(super) mod tape;
pub(crate) mod target;
pub(super) mod worker;
