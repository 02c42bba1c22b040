//! Settings of the optimiser, shared by both ways of training.

use serde::{Deserialize, Serialize};

use crate::engines::AdamW;

/// AdamW without a learning rate, which belongs to a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Decay of the first moment. Default 0.9.
    pub beta1: f32,
    /// Decay of the second moment. Default 0.95: training is short, and the usual 0.999 would remember its start for too long.
    pub beta2: f32,
    /// Added to the root of the second moment. Default 1e-8.
    pub epsilon: f32,
    /// Decoupled weight decay. Default 0.
    pub weight_decay: f32,
    /// The gradient is scaled down to this norm; 0 leaves it. Default 1.
    pub max_grad_norm: f32,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 }
    }
}

impl OptimizerConfig {
    /// One step with this learning rate.
    pub fn step(&self, learning_rate: f64) -> AdamW {
        AdamW {
            learning_rate: learning_rate as f32,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            max_grad_norm: self.max_grad_norm,
        }
    }
}
