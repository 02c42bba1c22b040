//! AdamW on the device, with the constants of `local`'s.

use burn_tensor::Tensor;

use super::super::local::training::adamw::Numbers;
use super::super::{AdamW, EngineError};
use super::device::read;

/// Moments of the gradient, matrix by matrix.
#[derive(Default)]
pub(super) struct Moments {
    /// Empty before the first step, as is the second.
    pub(super) first: Vec<Tensor<2>>,
    pub(super) second: Vec<Tensor<2>>,
    pub(super) steps: u64,
}

/// The norm of a gradient.
pub(super) fn norm(gradient: &[Option<Tensor<2>>]) -> Result<f64, EngineError> {
    let squares: Vec<Tensor<1>> =
        gradient.iter().flatten().map(|gradient| (gradient.clone() * gradient.clone()).sum()).collect();
    if squares.is_empty() {
        return Ok(0.0);
    }
    Ok(read(Tensor::cat(squares, 0))?.into_iter().map(f64::from).sum::<f64>().sqrt())
}

impl Moments {
    /// Applies `factor · gradient` to the values; where there is none it is zero. `decays` says which matrices decay.
    pub(super) fn step(
        &mut self,
        values: &mut [Tensor<2>],
        gradient: &mut [Option<Tensor<2>>],
        factor: f32,
        decays: &[bool],
        step: &AdamW,
    ) {
        let zeros = |values: &[Tensor<2>]| values.iter().map(Tensor::zeros_like).collect();
        if self.steps == 0 {
            (self.first, self.second) = (zeros(values), zeros(values));
        }
        self.steps += 1;
        let moments = self.first.iter_mut().zip(&mut self.second);
        for (((value, gradient), (first, second)), &decays) in values.iter_mut().zip(gradient).zip(moments).zip(decays)
        {
            let decay = if decays { step.weight_decay } else { 0.0 };
            let Numbers { factor, beta1, beta2, kept, rate, unbias, epsilon } =
                Numbers::new(step, self.steps, factor, decay);
            let gradient = gradient.take().unwrap_or_else(|| value.zeros_like()) * factor;
            first.inplace(|first| first * beta1 + gradient.clone() * (1.0 - beta1));
            second.inplace(|second| second * beta2 + gradient.clone() * (1.0 - beta2) * gradient);
            let update = first.clone() * rate / (second.clone().sqrt() * unbias + epsilon);
            value.inplace(|value| value * kept - update);
        }
    }
}
