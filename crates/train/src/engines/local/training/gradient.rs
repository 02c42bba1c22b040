//! Where the gradients of parameters are added up: for all weights, or for adapters alone.

use std::ops::Range;

use super::super::clock::{Work, time};
use super::super::math::{outer, vector};
use super::super::model::adapters::{self, Adapters};
use super::super::model::layout::Matrix;
use super::tape::sized;

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Scratch {
    adapters: adapters::Scratch,
    /// The gradient of a vector that is frozen, which nobody reads.
    frozen: Vec<f32>,
}

/// The accumulated gradient of what is trained.
pub(crate) struct Gradient<'a> {
    /// What is trained, if it is not the weights.
    pub(crate) adapters: Option<&'a Adapters>,
    /// Laid out as what is trained.
    pub(crate) values: &'a mut [f32],
    pub(crate) scratch: &'a mut Scratch,
}

impl Gradient<'_> {
    /// Adds that of a matrix, given its inputs and the gradient of its outputs.
    pub(crate) fn matrix(&mut self, matrix: Matrix, inputs: &[f32], grad_outputs: &[f32]) {
        time(Work::WeightGradients, || self.add_matrix(matrix, inputs, grad_outputs));
    }

    fn add_matrix(&mut self, matrix: Matrix, inputs: &[f32], grad_outputs: &[f32]) {
        if let Some(adapters) = self.adapters {
            return adapters.add_gradient(self.values, matrix, [inputs, grad_outputs], &mut self.scratch.adapters);
        }
        outer::add(&mut self.values[matrix.range()], inputs, grad_outputs, [matrix.rows, matrix.columns]);
    }

    /// Adds to one row of a matrix.
    pub(crate) fn row(&mut self, matrix: Matrix, row: usize, grad: &[f32]) {
        if self.adapters.is_none() {
            vector::add(&mut self.values[matrix.range()][row * matrix.columns..][..matrix.columns], grad);
        }
    }

    /// Where that of a vector is added.
    pub(crate) fn vector(&mut self, place: &Range<usize>) -> &mut [f32] {
        match self.adapters {
            Some(_) => sized(&mut self.scratch.frozen, place.len()),
            None => &mut self.values[place.clone()],
        }
    }
}
