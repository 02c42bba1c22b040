//! `task.toml`: what is written, and every field that may be read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// The schema that is written; older ones of the same kind are read.
pub(super) const SCHEMA: &str = "1.4";

/// The whole file. What is not needed here is only looked at for its name.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    #[serde(alias = "version")]
    pub(super) schema_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) artifacts: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) multi_step_reward_strategy: Option<String>,
    pub(super) task: Option<Task>,
    #[serde(default)]
    pub(super) metadata: Table,
    #[serde(default)]
    pub(super) agent: Phase,
    #[serde(default)]
    pub(super) verifier: Verifier,
    #[serde(default)]
    pub(super) environment: Environment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) solution: Option<Solution>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) steps: Vec<Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) authors: Vec<Value>,
    #[serde(default)]
    pub(super) keywords: Vec<String>,
}

/// `[agent]`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Phase {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout_sec: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) network_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) allowed_hosts: Option<Vec<String>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verifier {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout_sec: Option<f64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) env: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) network_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) allowed_hosts: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) environment_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) environment: Option<Environment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) collect: Vec<Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Environment {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) build_timeout_sec: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) docker_image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) os: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cpus: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) memory_mb: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) storage_mb: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gpus: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gpu_types: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tpu: Option<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) mcp_servers: Vec<Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) env: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) skills_dir: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) healthcheck: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) workdir: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) network_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) allowed_hosts: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) allow_internet: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) storage: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Solution {
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
}
