//! AdamW on the device, with the constants of `local`'s.

use tch::{Kind, Tensor};

use super::super::local::training::adamw::Numbers;
use super::super::{AdamW, EngineError};
use super::device::read;

/// Moments of the gradient, matrix by matrix.
#[derive(Default)]
pub(super) struct Moments {
    /// Empty before the first step, as is the second.
    pub(super) first: Vec<Tensor>,
    pub(super) second: Vec<Tensor>,
    pub(super) steps: u64,
}

/// The norm of what was collected.
pub(super) fn norm(trained: &[Tensor]) -> Result<f64, EngineError> {
    let gradients = trained.iter().map(Tensor::grad).filter(Tensor::defined);
    let squares: Vec<Tensor> = gradients.map(|gradient| gradient.square().sum(Kind::Float)).collect();
    if squares.is_empty() {
        return Ok(0.0);
    }
    Ok(read(&Tensor::stack(&squares, 0))?.into_iter().map(f64::from).sum::<f64>().sqrt())
}

impl Moments {
    /// Applies `factor · gradient` to what is trained; where nothing was collected it is zero. `decays` says which matrices decay.
    pub(super) fn step(&mut self, trained: &mut [Tensor], factor: f32, decays: &[bool], step: &AdamW) {
        let zeros = |trained: &[Tensor]| trained.iter().map(Tensor::zeros_like).collect();
        if self.steps == 0 {
            (self.first, self.second) = (zeros(trained), zeros(trained));
        }
        self.steps += 1;
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((value, (first, second)), &decays) in trained.iter_mut().zip(moments).zip(decays) {
            let decay = if decays { step.weight_decay } else { 0.0 };
            let Numbers { factor, beta1, beta2, kept, rate, unbias, epsilon } =
                Numbers::new(step, self.steps, factor, decay);
            let gradient = value.grad();
            let gradient = if gradient.defined() { gradient * f64::from(factor) } else { value.zeros_like() };
            let _ = first.lerp_(&gradient, 1.0 - f64::from(beta1));
            let _ = second.lerp_(&gradient.square(), 1.0 - f64::from(beta2));
            let divisor = second.sqrt() * f64::from(unbias) + f64::from(epsilon);
            *value *= f64::from(kept);
            *value -= &*first * f64::from(rate) / divisor;
        }
    }
}
