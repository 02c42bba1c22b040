//! `tinker`: an engine that is a service which speaks the Tinker protocol: hosted, SkyRL's on a cluster, or our own.
//!
//! `transport` sends, repeats and waits; `proto` has the messages in binary form; `profile` finds out by a probe how the server sums its
//! losses. Requests of a model are numbered, posted in order and waited for afterwards. After every optimiser step the next rollout
//! samples from a new sampler, so that it has the weights of that step.

mod engine;
mod heartbeat;
mod profile;
pub(crate) mod proto;
mod transport;
mod wire;

pub use engine::Tinker;
pub use profile::Reduction;
pub use transport::Notice;

/// Where the service is and what to ask it for. Not printable, as it holds the key.
#[derive(Clone)]
pub struct TinkerConfig {
    /// Its address, such as `http://localhost:8000`.
    pub url: String,
    /// Sent as the API key when there is one.
    pub key: Option<String>,
    /// Address of an HTTP proxy.
    pub proxy: Option<String>,
    /// The model to begin with; the first that the server offers when `None`.
    pub base_model: Option<String>,
    /// Rank of the adapter that is trained; 0 where a server trains all weights.
    pub rank: u32,
    /// Size of the vocabulary of the tokenizer that is used with it.
    pub vocab: usize,
    /// Longest sequence in tokens, where the server does not tell.
    pub context: usize,
    /// Sampling requests at once.
    pub concurrency: usize,
}
