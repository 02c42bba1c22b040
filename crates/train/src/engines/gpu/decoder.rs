//! The decoder: from ids to the last layer's output, with or without gradients, with or without what came before.

use tch::{Kind, Tensor};

use super::super::local::Config;
use super::device::size;
use super::frame::Frame;
use super::products::Products;
use super::weights::Layer;

/// Rows of ids through the layers of a model; the input and output of each are sequences × ids × width.
pub(super) struct Decoder<'a> {
    pub(super) config: &'a Config,
    pub(super) products: Products,
    pub(super) frame: Frame,
}

/// Keys and values: sequences × heads × ids × width of a head.
pub(super) type KeysValues = [Tensor; 2];

impl Decoder<'_> {
    /// One layer. `remember` takes the keys and values of these ids and gives those that may be seen.
    pub(super) fn layer(
        &self,
        layer: &Layer,
        residual: &Tensor,
        remember: impl FnOnce(KeysValues) -> KeysValues,
    ) -> Tensor {
        let middle = residual + self.attend(layer, residual, remember);
        let normed = self.norm(&middle, &layer.feed_norm);
        let gate_up = self.products.apply(&normed, &layer.gate_up).chunk(2, -1);
        middle + self.products.apply(&(gate_up[0].silu() * &gate_up[1]), &layer.down)
    }

    fn attend(&self, layer: &Layer, residual: &Tensor, remember: impl FnOnce(KeysValues) -> KeysValues) -> Tensor {
        let Config { num_attention_heads, num_key_value_heads, head_dim, .. } = self.config;
        let [heads, pairs, width] = [num_attention_heads, num_key_value_heads, head_dim].map(|count| size(*count));
        let (sequences, ids, _) = residual.size3().expect("sequences, ids, width");
        let (products, normed) = (self.products, self.norm(residual, &layer.input_norm));
        let qkv = products.apply(&normed, &layer.qkv).view([sequences, ids, heads + 2 * pairs, width]);
        let parts = qkv.split_with_sizes([heads, pairs, pairs], 2);
        let place =
            |part: &Tensor, norm: &Tensor| self.rotate(&self.norm(&part.to_kind(Kind::Float), norm).transpose(1, 2));
        let queries = place(&parts[0], &layer.query_norm) * (width as f64).sqrt().recip();
        let keys = place(&parts[1], &layer.key_norm);
        let [keys, values] = remember([keys, parts[2].transpose(1, 2)]);
        // Heads of queries that share keys follow each other, so they are more rows of one product.
        let queries = queries.reshape([sequences, pairs, heads / pairs * ids, width]);
        let scores = products.apply(&queries, &products.factor(&keys).transpose(2, 3));
        let scores = scores.view([sequences, heads, ids, -1]) + &self.frame.bias;
        let shares = scores.softmax(-1, Kind::Float).view([sequences, pairs, heads / pairs * ids, -1]);
        let context = products.apply(&shares, &products.factor(&values)).view([sequences, heads, ids, width]);
        products.apply(&context.transpose(1, 2).reshape([sequences, ids, heads * width]), &layer.output)
    }

    fn norm(&self, x: &Tensor, weight: &Tensor) -> Tensor {
        norm(x, weight, self.config.rms_norm_eps)
    }

    /// Hugging Face's layout: the first half of a head turns with the second.
    fn rotate(&self, heads: &Tensor) -> Tensor {
        let halves = heads.chunk(2, -1);
        let (cos, sin) = (&self.frame.cos, &self.frame.sin);
        let first = &halves[0] * cos - &halves[1] * sin;
        Tensor::cat(&[first, &halves[1] * cos + &halves[0] * sin], -1)
    }
}

/// `x / rms(x) · weight` along the last dimension.
pub(super) fn norm(x: &Tensor, weight: &Tensor, epsilon: f32) -> Tensor {
    let weight = weight.reshape([-1]);
    x.rms_norm(weight.size(), Some(&weight), f64::from(epsilon))
}
