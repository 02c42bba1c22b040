//! Low-rank adapters (LoRA, arXiv 2106.09685): what is trained when the weights themselves are not.
//!
//! Beside a frozen matrix `W` stand `A` (rank × inputs) and `B` (outputs × rank); the model computes with `W + alpha / rank · B A`, put
//! together once per weight version, so that sampling costs what it costs without adapters. Both lie in a flat vector of their own, in the
//! order and shape in which PEFT keeps them.

use std::ops::Range;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::super::Lora;
use super::super::config::Config;
use super::super::math::matmul::{Target, View};
use super::super::math::vector;
use super::layout::{Layout, Matrix};
use super::tensor::Tensor;

/// The matrices that can have adapters, by the names of Hugging Face's modules.
pub(crate) const MODULES: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// All adapters of a model.
#[derive(Clone)]
pub(crate) struct Adapters {
    pub(crate) config: Lora,
    pub(crate) places: Vec<Adapter>,
    /// `A` and `B` of each adapter, in order.
    pub(crate) values: Vec<f32>,
}

/// One adapter.
#[derive(Clone)]
pub(crate) struct Adapter {
    /// Its module's name in the file.
    name: String,
    /// The matrix in our layout, and its columns that belong to the module.
    pub(crate) matrix: Matrix,
    pub(crate) columns: Range<usize>,
    /// One row per rank.
    pub(crate) a: Matrix,
    /// One row per output.
    pub(crate) b: Matrix,
}

/// Buffers of the gradient.
#[derive(Default)]
pub(crate) struct Scratch {
    inner: Vec<f32>,
    grad_inner: Vec<f32>,
}

impl Adapters {
    /// Fresh adapters: `A` uniform within one over the root of its inputs, `B` zero, so that the model is what it was.
    pub(crate) fn new(config: Lora, model: &Config, layout: &Layout, seed: u64) -> Result<Adapters, String> {
        if config.rank == 0 {
            return Err("the rank of the adapters is 0, expected at least 1".to_owned());
        }
        if let Some(other) = config.targets.iter().find(|name| !MODULES.contains(&name.as_str())) {
            return Err(format!("`{other}` cannot have an adapter; expected some of `{}`", MODULES.join("`, `")));
        }
        if config.targets.is_empty() {
            return Err(format!("no module has an adapter; expected some of `{}`", MODULES.join("`, `")));
        }
        let (places, total) = places(&config, model, layout);
        let mut adapters = Adapters { config, places, values: vec![0.0; total] };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for Adapter { a, .. } in &adapters.places {
            let bound = 1.0 / (a.columns as f32).sqrt();
            for value in &mut adapters.values[a.range()] {
                *value = ((random.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0) * bound;
            }
        }
        Ok(adapters)
    }

    /// The tensors of PEFT's file.
    pub(crate) fn tensors(&self) -> Vec<Tensor> {
        let both = |adapter: &Adapter| {
            let name = |part: &str| format!("base_model.model.{}.lora_{part}.weight", adapter.name);
            [Tensor::rows(name("A"), adapter.a), Tensor::rows(name("B"), adapter.b)]
        };
        self.places.iter().flat_map(both).collect()
    }

    /// The matrix with its adapters, if it has any.
    pub(crate) fn merged(&self, matrix: Matrix, values: &[f32]) -> Option<Vec<f32>> {
        let mut merged = None;
        for adapter in self.of(matrix) {
            let merged = merged.get_or_insert_with(|| values.to_vec());
            let mut a = self.values[adapter.a.range()].to_vec();
            a.iter_mut().for_each(|value| *value *= self.scale());
            let a = View::new(&a, adapter.a.rows, adapter.a.columns, adapter.a.columns);
            let b = View::new(&self.values[adapter.b.range()], adapter.b.rows, adapter.b.columns, adapter.b.columns);
            let Range { start, end } = adapter.columns;
            Target::new(&mut merged[start..], matrix.rows, end - start, matrix.columns)
                .add(a.transposed(), b.transposed());
        }
        merged
    }

    /// Adds the gradient of the adapters of a matrix, given its inputs and the gradient of its outputs.
    pub(crate) fn add_gradient(
        &self,
        gradient: &mut [f32],
        matrix: Matrix,
        [inputs, grad_outputs]: [&[f32]; 2],
        scratch: &mut Scratch,
    ) {
        let rows = inputs.len() / matrix.rows;
        let inputs = View::new(inputs, rows, matrix.rows, matrix.rows);
        for adapter in self.of(matrix) {
            let (a, b, rank) = (adapter.a, adapter.b, self.config.rank);
            let grad_outputs = View::new(&grad_outputs[adapter.columns.start..], rows, b.rows, matrix.columns);
            let [inner, grad_inner] = [&mut scratch.inner, &mut scratch.grad_inner].map(|buffer| {
                buffer.resize(rows * rank, 0.0);
                &mut buffer[..]
            });
            let a_view = View::new(&self.values[a.range()], rank, a.columns, a.columns);
            Target::new(inner, rows, rank, rank).set(inputs, a_view.transposed());
            let b_view = View::new(&self.values[b.range()], b.rows, rank, rank);
            Target::new(grad_inner, rows, rank, rank).set(grad_outputs, b_view);
            vector::scale(inner, self.scale());
            vector::scale(grad_inner, self.scale());
            let inner = View::new(inner, rows, rank, rank);
            Target::new(&mut gradient[b.range()], b.rows, rank, rank).add(grad_outputs.transposed(), inner);
            let grad_inner = View::new(grad_inner, rows, rank, rank);
            Target::new(&mut gradient[a.range()], rank, a.columns, a.columns).add(grad_inner.transposed(), inputs);
        }
    }

    fn of(&self, matrix: Matrix) -> impl Iterator<Item = &Adapter> {
        self.places.iter().filter(move |adapter| adapter.matrix == matrix)
    }

    pub(crate) fn scale(&self) -> f32 {
        self.config.alpha / self.config.rank as f32
    }
}

/// Every adapter, and the values of all.
fn places(config: &Lora, model: &Config, layout: &Layout) -> (Vec<Adapter>, usize) {
    let (query, key, inner) = (model.query_width(), model.key_width(), model.intermediate_size);
    let (mut places, mut total) = (Vec::new(), 0);
    for (number, layer) in layout.layers.iter().enumerate() {
        let modules = [
            ("self_attn", layer.qkv, 0..query),
            ("self_attn", layer.qkv, query..query + key),
            ("self_attn", layer.qkv, query + key..query + 2 * key),
            ("self_attn", layer.output, 0..model.hidden_size),
            ("mlp", layer.gate_up, 0..inner),
            ("mlp", layer.gate_up, inner..2 * inner),
            ("mlp", layer.down, 0..model.hidden_size),
        ];
        for (module, (part, matrix, columns)) in MODULES.into_iter().zip(modules) {
            if config.targets.iter().any(|target| target == module) {
                let a = Matrix { begin: total, rows: config.rank, columns: matrix.rows };
                let b = Matrix { begin: a.range().end, rows: columns.len(), columns: config.rank };
                total = b.range().end;
                places.push(Adapter { name: format!("model.layers.{number}.{part}.{module}"), matrix, columns, a, b });
            }
        }
    }
    (places, total)
}
