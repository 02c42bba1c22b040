//! Where each parameter lies in the one flat vector that weights, gradients and moments share.
//!
//! Matrices have one row per input and one column per output, the opposite of Hugging Face's files, because rows of tokens are multiplied from
//! the left; queries, keys and values are one matrix, and so are gates and ups. Embeddings have one row per id.

use std::ops::Range;

use super::super::config::Config;

/// The places of all parameters.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// One row per id.
    pub(crate) embedding: Matrix,
    pub(crate) layers: Vec<Layer>,
    pub(crate) final_norm: Range<usize>,
    /// One row per id; the embedding where they are tied.
    pub(crate) head: Matrix,
    /// Parameters in all.
    pub(crate) total: usize,
}

/// The places of a layer's parameters.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) input_norm: Range<usize>,
    /// Columns: all queries, all keys, all values.
    pub(crate) qkv: Matrix,
    pub(crate) query_norm: Range<usize>,
    pub(crate) key_norm: Range<usize>,
    pub(crate) output: Matrix,
    pub(crate) feed_norm: Range<usize>,
    /// Columns: all gates, all ups.
    pub(crate) gate_up: Matrix,
    pub(crate) down: Matrix,
}

/// The place of a matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) begin: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Matrix {
    pub(crate) fn range(self) -> Range<usize> {
        self.begin..self.begin + self.rows * self.columns
    }
}

impl Layout {
    pub(crate) fn new(config: &Config) -> Layout {
        let mut cursor = Cursor(0);
        let embedding = cursor.matrix(config.vocab_size, config.hidden_size);
        let layers = (0..config.num_hidden_layers).map(|_| Layer::new(config, &mut cursor)).collect();
        let final_norm = cursor.vector(config.hidden_size);
        let head =
            if config.tie_word_embeddings { embedding } else { cursor.matrix(config.vocab_size, config.hidden_size) };
        Layout { embedding, layers, final_norm, head, total: cursor.0 }
    }

    /// Parameters that weight decay applies to: all matrices but the embedding.
    pub(crate) fn decayed(&self) -> Vec<Range<usize>> {
        let matrices = self.layers.iter().flat_map(|layer| [layer.qkv, layer.output, layer.gate_up, layer.down]);
        let head = (self.head != self.embedding).then_some(self.head);
        matrices.chain(head).map(Matrix::range).collect()
    }
}

impl Layer {
    fn new(config: &Config, cursor: &mut Cursor) -> Layer {
        let (hidden, query, key) = (config.hidden_size, config.query_width(), config.key_width());
        Layer {
            input_norm: cursor.vector(hidden),
            qkv: cursor.matrix(hidden, query + 2 * key),
            query_norm: cursor.vector(config.head_dim),
            key_norm: cursor.vector(config.head_dim),
            output: cursor.matrix(query, hidden),
            feed_norm: cursor.vector(hidden),
            gate_up: cursor.matrix(hidden, 2 * config.intermediate_size),
            down: cursor.matrix(config.intermediate_size, hidden),
        }
    }

    /// The norms of a layer.
    pub(crate) fn norms(&self) -> [Range<usize>; 4] {
        [&self.input_norm, &self.query_norm, &self.key_norm, &self.feed_norm].map(Clone::clone)
    }
}

struct Cursor(usize);

impl Cursor {
    fn vector(&mut self, length: usize) -> Range<usize> {
        let begin = self.0;
        self.0 += length;
        begin..self.0
    }

    fn matrix(&mut self, rows: usize, columns: usize) -> Matrix {
        Matrix { begin: self.vector(rows * columns).start, rows, columns }
    }
}
