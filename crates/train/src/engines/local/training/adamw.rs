//! The optimiser: AdamW with decoupled weight decay (arXiv 1711.05101, algorithm 2) and a bound on the gradient's norm.

use std::ops::Range;

use super::super::super::AdamW;
use super::super::math::vector::dot;
use super::super::math::vectorize::vectorize;

/// Values whose squares are summed in one piece, in single precision.
const PIECE: usize = 4096;

/// Moments of the gradient.
#[derive(Default)]
pub(crate) struct Moments {
    /// Decaying mean; empty before the first step.
    pub(crate) first: Vec<f32>,
    /// Decaying mean of squares; empty before the first step.
    pub(crate) second: Vec<f32>,
    /// Steps done.
    pub(crate) steps: u64,
}

/// The norm of a gradient.
pub(crate) fn norm(gradient: &[f32]) -> f64 {
    let square = |piece: &[f32]| f64::from(sum_of_squares(piece));
    gradient.chunks(PIECE).map(square).sum::<f64>().sqrt()
}

/// What a gradient of this norm is multiplied with.
pub(crate) fn clipping(grad_norm: f64, step: &AdamW) -> f32 {
    let limit = f64::from(step.max_grad_norm);
    if limit > 0.0 && grad_norm > limit { (limit / grad_norm) as f32 } else { 1.0 }
}

impl Moments {
    /// Applies `factor · gradient` to the values; those in `decayed` (ranges in order) decay.
    pub(crate) fn step(
        &mut self,
        values: &mut [f32],
        gradient: &[f32],
        factor: f32,
        decayed: &[Range<usize>],
        step: &AdamW,
    ) {
        self.first.resize(values.len(), 0.0);
        self.second.resize(values.len(), 0.0);
        self.steps += 1;
        let mut update = |range: Range<usize>, decay: f32| {
            let moments = (&mut self.first[range.clone()], &mut self.second[range.clone()]);
            let numbers = Numbers::new(step, self.steps, factor, decay);
            apply(&mut values[range.clone()], &gradient[range], moments.0, moments.1, numbers);
        };
        let mut done = 0;
        for range in decayed {
            update(done..range.start, 0.0);
            update(range.clone(), step.weight_decay);
            done = range.end;
        }
        update(done..gradient.len(), 0.0);
    }
}

/// Constants of one step.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) factor: f32,
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    /// What is left of a value after decay.
    pub(crate) kept: f32,
    /// Learning rate over the first moment's bias.
    pub(crate) rate: f32,
    /// Inverse root of the second moment's bias.
    pub(crate) unbias: f32,
    pub(crate) epsilon: f32,
}

impl Numbers {
    pub(crate) fn new(step: &AdamW, steps: u64, factor: f32, decay: f32) -> Numbers {
        let bias = |beta: f32| 1.0 - f64::from(beta).powf(steps as f64);
        Numbers {
            factor,
            beta1: step.beta1,
            beta2: step.beta2,
            kept: 1.0 - step.learning_rate * decay,
            rate: (f64::from(step.learning_rate) / bias(step.beta1)) as f32,
            unbias: (1.0 / bias(step.beta2).sqrt()) as f32,
            epsilon: step.epsilon,
        }
    }
}

vectorize! {
    fn sum_of_squares(simd, values: &[f32]) -> f32 {
        dot(simd, values, values)
    }

    fn apply(_simd, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32], numbers: Numbers) {
        let Numbers { factor, beta1, beta2, kept, rate, unbias, epsilon } = numbers;
        for (((value, gradient), first), second) in values.iter_mut().zip(gradient).zip(first).zip(second) {
            let gradient = gradient * factor;
            *first = beta1 * *first + (1.0 - beta1) * gradient;
            *second = beta2 * *second + (1.0 - beta2) * gradient * gradient;
            *value = kept * *value - rate * *first / (second.sqrt() * unbias + epsilon);
        }
    }
}
