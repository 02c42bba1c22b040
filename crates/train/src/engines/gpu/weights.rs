//! The matrices that a pass computes with: those of the model, with their adapters, as products want them.
//!
//! Matrices are put together layer by layer, so that a backward pass can go through one layer at a time: what a tensor came from is forgotten
//! once a gradient went through it. Adapters are merged into their matrix, `W + alpha / rank · B A`; its gradient passes through a whole
//! matrix, of one layer at a time, where `local` multiplies narrow ones.

use std::ops::Range;

use tch::Tensor;

use super::super::local::model::adapters::Adapters;
use super::super::local::model::layout::Layout;
use super::device::size;
use super::parameters;
use super::products::Products;

/// Matrices of a layer in [`parameters::of_model`].
const IN_LAYER: usize = 8;

/// How to put matrices together; holds none.
pub(super) struct Recipe {
    layers: usize,
    tied: bool,
    pub(super) products: Products,
    adapters: Vec<Place>,
    scale: f32,
}

/// Where an adapter belongs; `A` and `B` are neighbours among the adapters' tensors.
struct Place {
    matrix: usize,
    columns: Range<usize>,
}

/// Tensors in the order of [`parameters`]; gradients of those that are trained are collected in them.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) model: &'a [Tensor],
    /// Empty without adapters.
    pub(super) adapters: &'a [Tensor],
}

/// The matrices of a layer, ready for products.
pub(super) struct Layer {
    pub(super) input_norm: Tensor,
    pub(super) qkv: Tensor,
    pub(super) query_norm: Tensor,
    pub(super) key_norm: Tensor,
    pub(super) output: Tensor,
    pub(super) feed_norm: Tensor,
    pub(super) gate_up: Tensor,
    pub(super) down: Tensor,
}

impl Recipe {
    pub(super) fn new(layout: &Layout, adapters: Option<&Adapters>, products: Products) -> Recipe {
        let places = parameters::of_model(layout);
        let index =
            |matrix| places.iter().position(|place| *place == matrix).expect("an adapter's matrix is in the model");
        let placed = adapters.iter().flat_map(|adapters| &adapters.places);
        Recipe {
            layers: layout.layers.len(),
            tied: layout.head == layout.embedding,
            products,
            adapters: placed.map(|it| Place { matrix: index(it.matrix), columns: it.columns.clone() }).collect(),
            scale: adapters.map_or(0.0, Adapters::scale),
        }
    }

    /// Layers of the model.
    pub(super) fn layers(&self) -> usize {
        self.layers
    }

    /// One row per id.
    pub(super) fn embedding(&self, weights: Weights) -> Tensor {
        weights.model[0].shallow_clone()
    }

    /// The matrices of a layer.
    pub(super) fn layer(&self, weights: Weights, number: usize) -> Layer {
        let first = 1 + number * IN_LAYER;
        let norm = |at: usize| weights.model[first + at].shallow_clone();
        let matrix = |at: usize| self.products.factor(&self.merged(weights, first + at));
        Layer {
            input_norm: norm(0),
            qkv: matrix(1),
            query_norm: norm(2),
            key_norm: norm(3),
            output: matrix(4),
            feed_norm: norm(5),
            gate_up: matrix(6),
            down: matrix(7),
        }
    }

    /// The norm after the last layer.
    pub(super) fn final_norm(&self, weights: Weights) -> Tensor {
        weights.model[1 + self.layers * IN_LAYER].shallow_clone()
    }

    /// From the hidden width to ids.
    pub(super) fn head(&self, weights: Weights) -> Tensor {
        let index = if self.tied { 0 } else { 2 + self.layers * IN_LAYER };
        self.products.factor(&weights.model[index]).transpose(0, 1)
    }

    /// A matrix with its adapters, which have some of its columns each.
    fn merged(&self, weights: Weights, index: usize) -> Tensor {
        let matrix = &weights.model[index];
        let of = |columns: Range<usize>| matrix.narrow(1, size(columns.start), size(columns.len()));
        let (mut pieces, mut done) = (Vec::new(), 0);
        let pairs = self.adapters.iter().zip(weights.adapters.chunks_exact(2));
        for (place, pair) in pairs.filter(|(place, _)| place.matrix == index) {
            if place.columns.start > done {
                pieces.push(of(done..place.columns.start));
            }
            let change = pair[0].transpose(0, 1).matmul(&pair[1].transpose(0, 1));
            pieces.push(of(place.columns.clone()) + change * f64::from(self.scale));
            done = place.columns.end;
        }
        if pieces.is_empty() {
            return matrix.shallow_clone();
        }
        let columns = usize::try_from(matrix.size()[1]).expect("a size");
        if done < columns {
            pieces.push(of(done..columns));
        }
        Tensor::cat(&pieces, 1)
    }
}
