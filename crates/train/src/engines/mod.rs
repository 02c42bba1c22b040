//! What samples from a policy and trains it. The trait has the shape of the Tinker API, so that a remote service fits too.

pub mod bench;
mod check;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod local;
pub mod loss;
pub mod tinker;

use std::path::Path;

use local::clock::Spent;
pub use loss::Loss;

/// Opens the model in `dir` with the engine of this name, on `threads` threads.
///
/// # Errors
/// As [`open_with`].
pub fn open(name: &str, dir: &Path, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
    open_with(name, dir, &Options { threads, ..Options::default() })
}

/// Opens the model in `dir` with the engine of this name.
///
/// # Errors
/// As [`available`], or what the engine says about the directory or the options.
pub fn open_with(name: &str, dir: &Path, options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    available(name)?;
    match name {
        "local" => Ok(Box::new(local::Local::open_with(dir, options)?)),
        #[cfg(feature = "gpu")]
        "gpu" => Ok(Box::new(gpu::Gpu::open_with(dir, options)?)),
        _ => Err(EngineError::Unknown { name: name.to_owned() }),
    }
}

/// Whether the engine of this name is part of this build and finds what it needs on this machine.
///
/// # Errors
/// [`EngineError::Unavailable`] with what is missing and the next step, [`EngineError::Unknown`].
pub fn available(name: &str) -> Result<(), EngineError> {
    match name {
        "local" => Ok(()),
        #[cfg(feature = "gpu")]
        "gpu" => gpu::available(),
        #[cfg(not(feature = "gpu"))]
        "gpu" => Err(EngineError::Unavailable {
            reason: "engine `gpu` is not part of this build; build it with `--features gpu`".to_owned(),
        }),
        _ => Err(EngineError::Unknown { name: name.to_owned() }),
    }
}

/// How an engine holds and trains a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Threads; at least one is used. On a GPU they have no meaning.
    pub threads: usize,
    /// How matrices of weights are kept for products.
    pub precision: Precision,
    /// Keep only what goes into each layer and compute the rest again in the backward pass: less memory, a third more work.
    pub recompute: bool,
    /// Train adapters instead of the weights.
    pub lora: Option<Lora>,
}

impl Default for Options {
    /// One thread, fp32, all activations, all weights.
    fn default() -> Self {
        Self { threads: 1, precision: Precision::Fp32, recompute: false, lora: None }
    }
}

/// How matrices of weights are kept for products. Sums, activations, gradients, the optimiser and saved weights are fp32 in any case; on a
/// GPU rows are rounded as matrices are while they are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    Fp32,
    /// Rounded to bfloat16: half the memory. Training changes the unrounded weights.
    Bf16,
}

/// Low-rank adapters (LoRA, arXiv 2106.09685): `W + alpha / rank · B A` with `W` frozen, and everything else frozen, too.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// Rows of `A` and columns of `B`; at least 1.
    pub rank: usize,
    /// Scale of the adapters, divided by the rank.
    pub alpha: f32,
    /// Modules with adapters, as Hugging Face names them: `q_proj`, `k_proj`, `v_proj`, `o_proj`, `gate_proj`, `up_proj`, `down_proj`.
    pub targets: Vec<String>,
}

impl Lora {
    /// Whether both have the same rank, scale and modules, in whatever order.
    pub fn is_like(&self, other: &Lora) -> bool {
        let has_all = |a: &Lora, b: &Lora| a.targets.iter().all(|name| b.targets.contains(name));
        (self.rank, self.alpha) == (other.rank, other.alpha) && has_all(self, other) && has_all(other, self)
    }
}

/// Names of all engines of this build.
#[cfg(not(feature = "gpu"))]
pub const NAMES: [&str; 1] = ["local"];
/// Names of all engines of this build.
#[cfg(feature = "gpu")]
pub const NAMES: [&str; 2] = ["local", "gpu"];

/// Samples from one set of weights and trains it.
pub trait Engine: Send {
    /// Facts about the model.
    fn info(&self) -> Info;

    /// Serves sampling requests from `queue` until it is closed and everything taken from it is finished.
    ///
    /// # Errors
    /// Failures of the engine; requests that were taken and not finished are lost to the caller as infrastructure failures.
    fn sample(&mut self, queue: &dyn SampleQueue) -> Result<(), EngineError>;

    /// Adds the gradient of `loss` over `batch` to the accumulated gradient.
    ///
    /// # Errors
    /// [`EngineError::TooLong`] when a datum exceeds the context, or failures of the engine.
    fn forward_backward(&mut self, batch: &[Datum], loss: Loss) -> Result<ForwardBackward, EngineError>;

    /// Log-probabilities of each target, without gradients: one vector of `ids.len() - 1` values per datum.
    ///
    /// # Errors
    /// As [`Engine::forward_backward`].
    fn forward(&mut self, batch: &[Datum]) -> Result<Vec<Vec<f32>>, EngineError>;

    /// Applies the accumulated gradient, clears it, and raises the weight version by one.
    ///
    /// # Errors
    /// Failures of the engine, and [`EngineError::NotFinite`] when the gradient is not finite; weights are then unchanged.
    fn optim_step(&mut self, step: &AdamW) -> Result<StepStats, EngineError>;

    /// Writes weights (a Hugging Face directory) and, if asked, the optimiser's state.
    ///
    /// # Errors
    /// File-system errors with their path.
    fn save(&self, dir: &Path, with_optimizer: bool) -> Result<(), EngineError>;

    /// Replaces the weights, and the optimiser's state if it is there, by what [`Engine::save`] wrote.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] with the file and what is wrong.
    fn load(&mut self, dir: &Path) -> Result<(), EngineError>;

    /// Where the time of all its threads has gone so far; nothing where an engine keeps no account.
    fn spent(&self) -> Spent {
        Spent::default()
    }
}

/// Facts about a model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Info {
    /// `local`, …
    pub engine: &'static str,
    /// Trainable parameters.
    pub parameters: usize,
    /// Size of the vocabulary.
    pub vocab: usize,
    /// Longest sequence in tokens.
    pub context: usize,
    /// Raised by one with every optimiser step.
    pub weight_version: u64,
}

/// Where an engine takes sampling requests from and puts results: continuous batching, called between decoding steps.
///
/// An engine may call it from several threads at the same time; once closed, every call of [`SampleQueue::next`] says so.
pub trait SampleQueue: Sync {
    /// The next request. With `wait` it blocks until there is one or the queue is closed.
    fn next(&self, wait: bool) -> Next;
    /// Hands back the result of the request with this `id`.
    fn finish(&self, id: u64, sampled: Sampled);
    /// Tells of an id that was just sampled for the request with this `id`, for those who do not want to wait for the result. An engine
    /// that knows only whole results tells nothing.
    fn token(&self, id: u64, token: u32) {
        let _ = (id, token);
    }
}

/// Answer of [`SampleQueue::next`].
#[derive(Debug)]
pub enum Next {
    /// A request to serve.
    Request(SampleRequest),
    /// None right now; more may come.
    Empty,
    /// No more will come.
    Closed,
}

/// One continuation to sample.
#[derive(Debug, Clone)]
pub struct SampleRequest {
    /// Chosen by the caller, unique in the queue.
    pub id: u64,
    /// All ids so far. Requests that share a prefix with an earlier one of the same `session` may reuse its cache.
    pub prompt: Vec<u32>,
    /// Groups the turns of one episode.
    pub session: u64,
    /// Set when the session ends after this request, so that its cache can go.
    pub last: bool,
    /// Ids to sample at most; sampling ends earlier at the end of the context, at once if the prompt fills it.
    pub max_tokens: usize,
    /// Softmax temperature; 0 takes the most likely id.
    pub temperature: f32,
    /// Sampling ends after one of these ids, which is included in the result.
    pub stop: Vec<u32>,
    /// Seed of this request alone: the result does not depend on what else is in the batch, up to rounding.
    pub seed: u64,
}

/// A sampled continuation.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// Sampled ids, with the stop id if one was reached.
    pub tokens: Vec<u32>,
    /// Log-probability of each at temperature 1, natural logarithm.
    pub logprobs: Vec<f32>,
    /// Whether a stop id was reached.
    pub stopped: bool,
}

/// One sequence to train on. Position `i` predicts `ids[i + 1]`; the three vectors have `ids.len() - 1` values.
#[derive(Debug, Clone, Default)]
pub struct Datum {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Weight of each target in the loss; 0 leaves it out.
    pub weights: Vec<f32>,
    /// Log-probability under the policy that sampled it; unused by [`Loss::CrossEntropy`].
    pub old_logprobs: Vec<f32>,
    /// Advantage of each target; unused by [`Loss::CrossEntropy`].
    pub advantages: Vec<f32>,
}

/// What a backward pass saw.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct ForwardBackward {
    /// The loss, summed.
    pub loss: f64,
    /// Sum of the weights.
    pub weight: f64,
    /// Targets with non-zero weight.
    pub targets: usize,
    /// Targets at which a bound of the ratio acted.
    pub clipped: usize,
    /// Sum over targets of `r - 1 - log r`, an estimate of KL(old ‖ new) (Schulman's k3).
    pub kl: f64,
    /// Sum over targets of the entropy of the policy, in nats.
    pub entropy: f64,
}

/// Step of AdamW (arXiv 1711.05101, algorithm 2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Learning rate.
    pub learning_rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay; not applied to norms and embeddings.
    pub weight_decay: f32,
    /// The gradient is scaled down to this norm; 0 leaves it.
    pub max_grad_norm: f32,
}

/// What an optimiser step did.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct StepStats {
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
    /// The weight version afterwards.
    pub weight_version: u64,
}

/// Failures of an engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A sequence is longer than the model's context.
    #[error("sequence of {length} tokens exceeds the context of {context}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The model's context.
        context: usize,
    },
    /// No engine has this name.
    #[error("engine `{name}` is unknown; known are {}", NAMES.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// The engine is not part of this build, this machine lacks what it needs, or its device failed.
    #[error("{reason}")]
    Unavailable {
        /// What is missing, and the next step.
        reason: String,
    },
    /// Sizes, data or a request that do not fit the model.
    #[error("{reason}")]
    Invalid {
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A service failed, refuses, or breaks its protocol.
    #[error("{message}")]
    Remote {
        /// The endpoint, what it said, and the next step.
        message: String,
    },
    /// Loss or gradient is not finite.
    #[error("{what} is not finite; lower the learning rate or check the rewards")]
    NotFinite {
        /// Which quantity.
        what: &'static str,
    },
    /// A checkpoint cannot be read.
    #[error("checkpoint `{path}` is damaged: {reason}")]
    Damaged {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file-system error.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}
