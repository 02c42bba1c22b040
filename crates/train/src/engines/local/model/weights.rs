//! The weights: the flat vector, and the packed matrices that products with rows of tokens need.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::super::Precision;
use super::super::config::Config;
use super::super::math::linear::Packed;
use super::super::math::matmul::View;
use super::super::math::rope::{Angles, Heads};
use super::adapters::Adapters;
use super::layout::{Layout, Matrix};

/// Standard deviation of fresh matrices.
const DEVIATION: f32 = 0.02;

/// A model: shape, places, values.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) config: Config,
    pub(crate) layout: Layout,
    pub(crate) values: Vec<f32>,
    pub(crate) angles: Angles,
}

impl Model {
    /// A model of the given shape whose values are all zero.
    pub(crate) fn zeros(config: Config) -> Model {
        let layout = Layout::new(&config);
        let angles = Angles::new(config.max_position_embeddings, config.head_dim, config.rope_theta);
        Model { values: vec![0.0; layout.total], layout, angles, config }
    }

    /// A fresh model: matrices normal, those that write to the residual stream smaller with depth, norms one.
    pub(crate) fn random(config: Config, seed: u64) -> Model {
        let mut model = Model::zeros(config);
        let mut normal = Normal(ChaCha8Rng::seed_from_u64(seed));
        let mut fill = |matrix: Matrix, deviation: f32| {
            for value in &mut model.values[matrix.range()] {
                *value = normal.next() * deviation;
            }
        };
        let residual = DEVIATION / (2.0 * model.config.num_hidden_layers as f32).sqrt();
        fill(model.layout.embedding, DEVIATION);
        for layer in &model.layout.layers {
            fill(layer.qkv, DEVIATION);
            fill(layer.output, residual);
            fill(layer.gate_up, DEVIATION);
            fill(layer.down, residual);
        }
        if model.layout.head != model.layout.embedding {
            fill(model.layout.head, DEVIATION);
        }
        let norms = model.layout.layers.iter().flat_map(|layer| layer.norms());
        for norm in norms.chain([model.layout.final_norm.clone()]) {
            model.values[norm].fill(1.0);
        }
        model
    }

    /// Where queries lie in a row of queries, keys and values.
    pub(crate) fn query_heads(&self) -> Heads {
        Heads { begin: 0, count: self.config.num_attention_heads, stride: self.row_width() }
    }

    /// Where keys lie in a row of queries, keys and values.
    pub(crate) fn key_heads(&self) -> Heads {
        Heads { begin: self.config.query_width(), count: self.config.num_key_value_heads, stride: self.row_width() }
    }

    fn row_width(&self) -> usize {
        self.config.query_width() + 2 * self.config.key_width()
    }

    /// The matrix at a place, one row per input.
    pub(crate) fn view(&self, matrix: Matrix) -> View<'_> {
        View::new(&self.values[matrix.range()], matrix.rows, matrix.columns, matrix.columns)
    }

    /// Packs all matrices, with their adapters, for products in one direction.
    pub(crate) fn pack(&self, adapters: Option<&Adapters>, direction: Direction, precision: Precision) -> Matrices {
        let backward = direction == Direction::Backward;
        let turn =
            |view: View, transpose: bool| Packed::new(if transpose { view.transposed() } else { view }, precision);
        let pack = |matrix: Matrix| {
            let merged = adapters.and_then(|adapters| adapters.merged(matrix, &self.values[matrix.range()]));
            match &merged {
                Some(values) => turn(View::new(values, matrix.rows, matrix.columns, matrix.columns), backward),
                None => turn(self.view(matrix), backward),
            }
        };
        let layers = self.layout.layers.iter().map(|layer| LayerMatrices {
            qkv: pack(layer.qkv),
            output: pack(layer.output),
            gate_up: pack(layer.gate_up),
            down: pack(layer.down),
        });
        Matrices { layers: layers.collect(), head: turn(self.view(self.layout.head), !backward) }
    }
}

/// From inputs to outputs, or from gradients of outputs to gradients of inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

/// All matrices, packed for one direction.
pub(crate) struct Matrices {
    pub(crate) layers: Vec<LayerMatrices>,
    pub(crate) head: Packed,
}

/// A layer's matrices.
pub(crate) struct LayerMatrices {
    pub(crate) qkv: Packed,
    pub(crate) output: Packed,
    pub(crate) gate_up: Packed,
    pub(crate) down: Packed,
}

/// Normal numbers (Box and Muller).
struct Normal(ChaCha8Rng);

impl Normal {
    fn next(&mut self) -> f32 {
        let (radius, angle) = (1.0 - self.uniform(), self.uniform() * std::f64::consts::TAU);
        ((-2.0 * radius.ln()).sqrt() * angle.cos()) as f32
    }

    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
