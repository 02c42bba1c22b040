//! The tensors of a Hugging Face file, and where their values lie in the flat vector.

use super::super::config::Config;
use super::layout::{Layout, Matrix};

/// One tensor of the file.
pub(crate) struct Tensor {
    /// Its name in the file.
    pub(crate) name: String,
    /// Its shape in the file.
    pub(crate) shape: Vec<usize>,
    begin: usize,
    /// Distance in the flat vector between neighbours along each dimension of `shape`.
    strides: Vec<usize>,
}

impl Tensor {
    /// All tensors of a model.
    pub(crate) fn all(config: &Config, layout: &Layout) -> Vec<Tensor> {
        let mut tensors = vec![Tensor::rows("model.embed_tokens.weight".to_owned(), layout.embedding)];
        for (number, layer) in layout.layers.iter().enumerate() {
            let name = |part: &str| format!("model.layers.{number}.{part}.weight");
            let (query, key, inner) = (config.query_width(), config.key_width(), config.intermediate_size);
            tensors.push(vector(name("input_layernorm"), layer.input_norm.clone()));
            tensors.push(columns(name("self_attn.q_proj"), layer.qkv, 0, query));
            tensors.push(columns(name("self_attn.k_proj"), layer.qkv, query, key));
            tensors.push(columns(name("self_attn.v_proj"), layer.qkv, query + key, key));
            tensors.push(vector(name("self_attn.q_norm"), layer.query_norm.clone()));
            tensors.push(vector(name("self_attn.k_norm"), layer.key_norm.clone()));
            tensors.push(columns(name("self_attn.o_proj"), layer.output, 0, config.hidden_size));
            tensors.push(vector(name("post_attention_layernorm"), layer.feed_norm.clone()));
            tensors.push(columns(name("mlp.gate_proj"), layer.gate_up, 0, inner));
            tensors.push(columns(name("mlp.up_proj"), layer.gate_up, inner, inner));
            tensors.push(columns(name("mlp.down_proj"), layer.down, 0, config.hidden_size));
        }
        tensors.push(vector("model.norm.weight".to_owned(), layout.final_norm.clone()));
        if layout.head != layout.embedding {
            tensors.push(Tensor::rows("lm_head.weight".to_owned(), layout.head));
        }
        tensors
    }

    /// A matrix that the file has in our order.
    pub(crate) fn rows(name: String, matrix: Matrix) -> Tensor {
        Tensor { name, shape: vec![matrix.rows, matrix.columns], begin: matrix.begin, strides: vec![matrix.columns, 1] }
    }

    /// Places of its values in the flat vector, in the file's order.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> {
        let (rows, columns) = (self.shape[0], self.shape.get(1).copied().unwrap_or(1));
        let (row_stride, column_stride) = (self.strides[0], self.strides.get(1).copied().unwrap_or(0));
        let begin = self.begin;
        (0..rows).flat_map(move |row| (0..columns).map(move |column| begin + row * row_stride + column * column_stride))
    }
}

/// Some columns of a matrix; the file has them as rows.
fn columns(name: String, matrix: Matrix, first: usize, count: usize) -> Tensor {
    Tensor { name, shape: vec![count, matrix.rows], begin: matrix.begin + first, strides: vec![1, matrix.columns] }
}

fn vector(name: String, range: std::ops::Range<usize>) -> Tensor {
    Tensor { name, shape: vec![range.len()], begin: range.start, strides: vec![1] }
}
