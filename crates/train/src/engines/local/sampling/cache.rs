//! Keys and values of a sequence, in blocks of [`TOKENS`] tokens.
//!
//! A full block never changes again and may be shared by all sequences that begin with the same ids.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::super::config::Config;

/// Tokens in a block.
pub(crate) const TOKENS: usize = 32;

/// Keys and values of up to [`TOKENS`] tokens in all layers.
///
/// Layer by layer: the keys of each head, feature by feature with tokens side by side; then the values of each head, token by token.
#[derive(Clone)]
pub(crate) struct Block {
    values: Vec<f32>,
    /// Names the ids of this block and of all before it; set when the block is full.
    key: u64,
    /// Ids of this block, once it is full.
    ids: Vec<u32>,
}

/// Keys and values of the first ids of a sequence.
#[derive(Default)]
pub(crate) struct Cache {
    pub(crate) blocks: Vec<Arc<Block>>,
    /// The ids whose keys and values are there.
    pub(crate) ids: Vec<u32>,
}

/// Where keys and values lie in a block.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    layers: usize,
    pub(crate) heads: usize,
    pub(crate) width: usize,
}

impl Shape {
    pub(crate) fn new(config: &Config) -> Shape {
        Shape { layers: config.num_hidden_layers, heads: config.num_key_value_heads, width: config.head_dim }
    }

    /// Values of all keys (or all values) of a layer.
    fn half(self) -> usize {
        self.heads * self.width * TOKENS
    }

    /// Bytes of a block.
    pub(crate) fn bytes(self) -> usize {
        TOKENS * self.token_bytes()
    }

    /// Bytes of the keys and values of one token.
    pub(crate) fn token_bytes(self) -> usize {
        self.layers * 2 * self.heads * self.width * size_of::<f32>()
    }
}

impl Block {
    pub(crate) fn new(shape: Shape) -> Block {
        Block { values: vec![0.0; shape.layers * 2 * shape.half()], key: 0, ids: Vec::new() }
    }

    /// Keys of a head: for each feature, one value per token.
    #[inline(always)]
    pub(crate) fn keys(&self, shape: Shape, layer: usize, head: usize) -> &[f32] {
        let size = shape.width * TOKENS;
        &self.values[layer * 2 * shape.half() + head * size..][..size]
    }

    /// Values of a head: for each token, one value per feature.
    #[inline(always)]
    pub(crate) fn values(&self, shape: Shape, layer: usize, head: usize) -> &[f32] {
        let size = shape.width * TOKENS;
        &self.values[(layer * 2 + 1) * shape.half() + head * size..][..size]
    }

    /// Writes keys and values of all heads of one token.
    pub(crate) fn write(&mut self, shape: Shape, layer: usize, token: usize, keys: &[f32], values: &[f32]) {
        let (key_half, value_half) =
            self.values[layer * 2 * shape.half()..][..2 * shape.half()].split_at_mut(shape.half());
        for (feature, &key) in keys.iter().enumerate() {
            key_half[feature * TOKENS + token] = key;
        }
        for (head, values) in values.chunks_exact(shape.width).enumerate() {
            value_half[(head * TOKENS + token) * shape.width..][..shape.width].copy_from_slice(values);
        }
    }

    /// Keys and values of one token: layer by layer, those of all heads.
    pub(crate) fn token(&self, shape: Shape, token: usize) -> Vec<f32> {
        let mut copy = Vec::with_capacity(shape.token_bytes() / size_of::<f32>());
        for layer in self.values.chunks_exact(2 * shape.half()) {
            let (keys, values) = layer.split_at(shape.half());
            copy.extend(keys.iter().skip(token).step_by(TOKENS));
            let heads = values.chunks_exact(TOKENS * shape.width);
            heads.for_each(|head| copy.extend_from_slice(&head[token * shape.width..][..shape.width]));
        }
        copy
    }

    /// Writes what [`Block::token`] gave.
    pub(crate) fn put(&mut self, shape: Shape, token: usize, copy: &[f32]) {
        let width = shape.heads * shape.width;
        for (layer, copy) in copy.chunks_exact(2 * width).enumerate() {
            self.write(shape, layer, token, &copy[..width], &copy[width..]);
        }
    }

    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// Whether the block has these ids.
    pub(crate) fn has(&self, ids: &[u32]) -> bool {
        self.ids == ids
    }
}

impl Cache {
    /// Forgets everything after the first `length` ids.
    pub(crate) fn truncate(&mut self, length: usize) {
        if length >= self.ids.len() {
            return;
        }
        self.ids.truncate(length);
        self.blocks.truncate(length.div_ceil(TOKENS));
        if let Some(last) = self.blocks.last_mut().filter(|_| !length.is_multiple_of(TOKENS)) {
            // It may be shared; from here on this sequence writes its own.
            *last = Arc::new(Block { key: 0, ids: Vec::new(), ..Block::clone(last) });
        }
    }

    /// Makes room up to `length` ids.
    pub(crate) fn reserve(&mut self, shape: Shape, length: usize) {
        self.blocks.resize_with(length.div_ceil(TOKENS), || Arc::new(Block::new(shape)));
    }

    /// The block of a position that is being written.
    pub(crate) fn open_block(&mut self, position: usize) -> &mut Block {
        Arc::get_mut(&mut self.blocks[position / TOKENS]).expect("only full blocks are shared")
    }

    /// The key of all ids.
    pub(crate) fn key(&self) -> u64 {
        key_after(self.last_key(), &self.ids[self.ids.len() / TOKENS * TOKENS..])
    }

    /// The key of the last full block.
    pub(crate) fn last_key(&self) -> u64 {
        (self.ids.len() / TOKENS).checked_sub(1).map_or(0, |last| self.blocks[last].key)
    }

    /// Notes that keys and values of these ids were written; gives the numbers of the blocks that are full now.
    pub(crate) fn extend(&mut self, ids: &[u32]) -> std::ops::Range<usize> {
        let first = self.ids.len() / TOKENS;
        let mut key = self.last_key();
        self.ids.extend(ids);
        let full = first..self.ids.len() / TOKENS;
        for number in full.clone() {
            let ids = self.ids[number * TOKENS..][..TOKENS].to_vec();
            key = key_after(key, &ids);
            let block = self.open_block(number * TOKENS);
            (block.key, block.ids) = (key, ids);
        }
        full
    }
}

/// The key of these ids after those with that key; 0 is that of none.
pub(crate) fn key_after(key: u64, ids: &[u32]) -> u64 {
    ids.iter().fold(key, |key, id| {
        let mut hasher = DefaultHasher::new();
        (key, id).hash(&mut hasher);
        hasher.finish()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_put_elsewhere_is_the_one_that_was_written() {
        let shape = Shape { layers: 3, heads: 2, width: 5 };
        let mut block = Block::new(shape);
        let values: Vec<f32> = (0..60).map(|value| value as f32).collect();
        block.put(shape, 7, &values);
        assert_eq!(block.token(shape, 7), values);
        assert_eq!(block.keys(shape, 2, 1)[4 * TOKENS + 7], 49.0);
        assert_eq!(block.values(shape, 2, 1)[7 * 5..8 * 5], [55.0, 56.0, 57.0, 58.0, 59.0]);
        assert_eq!(block.token(shape, 6), [0.0; 60]);
    }
}
