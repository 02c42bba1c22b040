//! The settings, typed. Their meaning and defaults stand in `defaults.toml`; how they come together, in [`crate::layers`].
//!
//! A new setting is a line in `defaults.toml` and a field here; a test fails when one of them is missing.

use serde::Deserialize;

/// All settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) run: Run,
    pub(crate) cache: Cache,
    pub(crate) python: Python,
    pub(crate) sandbox: Sandbox,
    pub(crate) images: Images,
    pub(crate) policy: Policy,
    pub(crate) mine: Mine,
    pub(crate) teacher: Teacher,
    pub(crate) model: Model,
    pub(crate) engine: Engine,
    pub(crate) sft: Sft,
    pub(crate) train: Train,
    pub(crate) eval: Eval,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    pub(crate) dir: String,
    pub(crate) seed: u64,
    pub(crate) workers: usize,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cache {
    pub(crate) dir: String,
    pub(crate) verdicts: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Python {
    pub(crate) interpreter: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sandbox {
    pub(crate) backend: String,
    pub(crate) memory_mib: u64,
    pub(crate) disk_mib: u64,
    pub(crate) processes: u64,
    pub(crate) millicpus: u64,
    pub(crate) wall_seconds: f64,
    pub(crate) answer_seconds: f64,
    pub(crate) total_memory_mib: u64,
    pub(crate) commands: usize,
    pub(crate) container: Container,
    pub(crate) kubernetes: Kubernetes,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Container {
    pub(crate) socket: String,
    pub(crate) directory: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kubernetes {
    pub(crate) kubeconfig: String,
    pub(crate) context: String,
    pub(crate) namespace: String,
    pub(crate) image: String,
    pub(crate) provided: String,
    pub(crate) medium: String,
    pub(crate) runtime_class: String,
    pub(crate) cpus: f64,
    pub(crate) lease_seconds: u64,
    pub(crate) start_seconds: f64,
    pub(crate) starts_per_second: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Images {
    pub(crate) cache_mib: u64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    pub(crate) temperature: f32,
    pub(crate) max_tokens: usize,
    pub(crate) url: String,
    pub(crate) model: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Teacher {
    pub(crate) diligence: f64,
    pub(crate) tasks_per_skill: usize,
    pub(crate) episodes: u32,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) vocab: usize,
    pub(crate) hidden: usize,
    pub(crate) intermediate: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) context: usize,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Engine {
    pub(crate) precision: String,
    pub(crate) recompute: bool,
    pub(crate) lora_rank: usize,
    pub(crate) lora_alpha: f32,
    pub(crate) lora_targets: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sft {
    pub(crate) epochs: u32,
    pub(crate) learning_rate: f64,
    pub(crate) batch_tokens: usize,
    pub(crate) context_weight: f32,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Train {
    pub(crate) iterations: u32,
    pub(crate) tasks_per_skill: usize,
    pub(crate) group_size: u32,
    pub(crate) tasks: String,
    pub(crate) steps_per_iteration: u32,
    pub(crate) learning_rate: f32,
    pub(crate) clip_low: f32,
    pub(crate) clip_high: f32,
    pub(crate) estimator: String,
    pub(crate) pair_centred: bool,
    pub(crate) advantage_scale: String,
    pub(crate) quotas: String,
    pub(crate) loss: String,
    pub(crate) reduction: String,
    pub(crate) episode_tokens: usize,
    pub(crate) kl: f32,
    pub(crate) importance_cap: f32,
    pub(crate) curriculum_low: f64,
    pub(crate) curriculum_high: f64,
    pub(crate) curriculum_outside: f64,
    pub(crate) max_staleness: u32,
    pub(crate) token_budget: u64,
    pub(crate) interference_every: u32,
    pub(crate) share_prefixes: bool,
    pub(crate) keep: usize,
    pub(crate) final_share: f32,
    pub(crate) pack_tasks: usize,
    pub(crate) probe_tasks: usize,
    pub(crate) probe_every: u32,
    pub(crate) max_tokens: usize,
    pub(crate) deadlines: TrainDeadlines,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainDeadlines {
    pub(crate) turn: f64,
    pub(crate) rollout: f64,
    pub(crate) grading: f64,
    pub(crate) training: f64,
    pub(crate) checkpoint: f64,
    pub(crate) probe: f64,
}

impl TrainDeadlines {
    fn all(&self) -> [f64; 6] {
        [self.turn, self.rollout, self.grading, self.training, self.checkpoint, self.probe]
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Eval {
    pub(crate) attempts: u32,
    pub(crate) tasks_per_skill: usize,
}

/// What [`is_time`] asks for.
const TIME: &str = "must be from 0 to 1000000000 seconds";

fn is_time(seconds: f64) -> bool {
    (0.0..=1e9).contains(&seconds)
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mine {
    pub(crate) texts: Texts,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    pub(crate) url: String,
    pub(crate) model: String,
    pub(crate) temperature: f64,
    pub(crate) max_tokens: u32,
}

impl Settings {
    /// Says which setting is out of its range, and what the range is.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (policy, train) = (&self.policy, &self.train);
        let (container, cluster) = (&self.sandbox.container, &self.sandbox.kubernetes);
        let rules = [
            (!self.run.dir.is_empty(), "run.dir", "must name a directory"),
            (!self.cache.dir.is_empty(), "cache.dir", "must name a directory"),
            (self.sandbox.memory_mib >= 64, "sandbox.memory_mib", "must be at least 64"),
            (self.sandbox.disk_mib >= 1, "sandbox.disk_mib", "must be at least 1"),
            (self.sandbox.processes >= 4, "sandbox.processes", "must be at least 4"),
            (self.sandbox.wall_seconds > 0.0, "sandbox.wall_seconds", "must be more than 0"),
            (is_time(self.sandbox.answer_seconds), "sandbox.answer_seconds", TIME),
            (train.deadlines.all().into_iter().all(is_time), "train.deadlines", TIME),
            (container.directory.starts_with('/'), "sandbox.container.directory", "must be an absolute path"),
            (!cluster.namespace.is_empty(), "sandbox.kubernetes.namespace", "must name a namespace"),
            (matches!(&*cluster.medium, "memory" | "disk"), "sandbox.kubernetes.medium", "must be `memory` or `disk`"),
            (cluster.cpus > 0.0, "sandbox.kubernetes.cpus", "must be more than 0"),
            (cluster.lease_seconds >= 60, "sandbox.kubernetes.lease_seconds", "must be at least 60"),
            (cluster.start_seconds >= 1.0, "sandbox.kubernetes.start_seconds", "must be at least 1"),
            (cluster.starts_per_second > 0.0, "sandbox.kubernetes.starts_per_second", "must be more than 0"),
            (self.images.cache_mib >= 1, "images.cache_mib", "must be at least 1"),
            (policy.temperature >= 0.0, "policy.temperature", "must be at least 0"),
            (policy.max_tokens >= 1, "policy.max_tokens", "must be at least 1"),
            (self.mine.texts.temperature >= 0.0, "mine.texts.temperature", "must be at least 0"),
            (self.mine.texts.max_tokens >= 1, "mine.texts.max_tokens", "must be at least 1"),
            (matches!(&*self.engine.precision, "fp32" | "bf16"), "engine.precision", "must be `fp32` or `bf16`"),
            (self.engine.lora_alpha > 0.0, "engine.lora_alpha", "must be more than 0"),
            (train.tasks_per_skill >= 1, "train.tasks_per_skill", "must be at least 1"),
            (train.group_size >= 2, "train.group_size", "must be at least 2: rewards of a group are compared"),
            (train.steps_per_iteration >= 1, "train.steps_per_iteration", "must be at least 1"),
            (train.learning_rate > 0.0, "train.learning_rate", "must be more than 0"),
            ((0.0..=1.0).contains(&train.clip_low), "train.clip_low", "must be from 0 to 1"),
            (train.clip_high >= 1.0, "train.clip_high", "must be at least 1"),
            ((0.0..=1.0).contains(&train.final_share), "train.final_share", "must be between 0 and 1"),
            (train.max_tokens >= 16, "train.max_tokens", "must be at least 16"),
            (train.pack_tasks >= 1, "train.pack_tasks", "must be at least 1"),
            (train.probe_tasks >= 1, "train.probe_tasks", "must be at least 1"),
            ((0.0..=1.0).contains(&self.teacher.diligence), "teacher.diligence", "must be between 0 and 1"),
            (self.teacher.tasks_per_skill >= 1, "teacher.tasks_per_skill", "must be at least 1"),
            (self.teacher.episodes >= 1, "teacher.episodes", "must be at least 1"),
            (self.model.vocab >= 300, "model.vocab", "must be at least 300: bytes and control tokens"),
            (self.sft.epochs >= 1, "sft.epochs", "must be at least 1"),
            (self.sft.learning_rate > 0.0, "sft.learning_rate", "must be more than 0"),
            ((0.0..=1.0).contains(&self.sft.context_weight), "sft.context_weight", "must be from 0 to 1"),
            (self.eval.attempts >= 1, "eval.attempts", "must be at least 1"),
        ];
        match rules.iter().find(|(holds, ..)| !holds) {
            Some((_, key, rule)) => Err(format!("`{key}` {rule}")),
            None => Ok(()),
        }
    }
}
