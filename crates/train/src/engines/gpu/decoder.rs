//! The decoder: from ids to the last layer's output, with or without gradients, with or without what came before.

use burn_tensor::Tensor;
use burn_tensor::activation::{silu, softmax};

use super::super::local::Config;
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
pub(super) type KeysValues = [Tensor<4>; 2];

impl Decoder<'_> {
    /// One layer. `remember` takes the keys and values of these ids and gives those that may be seen.
    pub(super) fn layer(
        &self,
        layer: &Layer,
        residual: Tensor<3>,
        remember: impl FnOnce(KeysValues) -> KeysValues,
    ) -> Tensor<3> {
        let middle = residual.clone() + self.attend(layer, residual, remember);
        let normed = self.norm(middle.clone(), &layer.feed_norm);
        let [gate, up] = halves(self.products.apply(normed, &layer.gate_up));
        middle + self.products.apply(silu(gate) * up, &layer.down)
    }

    fn attend(&self, layer: &Layer, residual: Tensor<3>, remember: impl FnOnce(KeysValues) -> KeysValues) -> Tensor<3> {
        let config = self.config;
        let (heads, pairs, width) = (config.num_attention_heads, config.num_key_value_heads, config.head_dim);
        let [sequences, ids, _] = residual.dims();
        let qkv = self.products.apply(self.norm(residual, &layer.input_norm), &layer.qkv).reshape([
            sequences,
            ids,
            heads + 2 * pairs,
            width,
        ]);
        let part = |begin: usize, count: usize| qkv.clone().narrow(2, begin, count).swap_dims(1, 2);
        let queries = self.rotate(self.norm(part(0, heads), &layer.query_norm));
        let keys = self.rotate(self.norm(part(heads, pairs), &layer.key_norm));
        let [keys, values] = remember([keys, part(heads + pairs, pairs)]);
        let [_, _, seen, _] = keys.dims();
        // Heads of queries that share keys follow each other, so they are more rows of one product.
        let together = [sequences, pairs, heads / pairs * ids, width];
        let scores =
            self.products.fp32(queries.reshape(together), keys.swap_dims(2, 3)) * (width as f32).sqrt().recip();
        let scores = scores.reshape([sequences, heads, ids, seen]) + self.frame.bias.clone();
        let shares = softmax(scores, 3).reshape([sequences, pairs, heads / pairs * ids, seen]);
        let context = self.products.fp32(shares, values).reshape([sequences, heads, ids, width]);
        self.products.apply(context.swap_dims(1, 2).reshape([sequences, ids, heads * width]), &layer.output)
    }

    fn norm<const D: usize>(&self, x: Tensor<D>, weight: &Tensor<2>) -> Tensor<D> {
        norm(x, weight, self.config.rms_norm_eps)
    }

    /// Hugging Face's layout: the first half of a head turns with the second.
    fn rotate(&self, heads: Tensor<4>) -> Tensor<4> {
        let [first, second] = halves(heads);
        let (cos, sin) = (&self.frame.cos, &self.frame.sin);
        let turned = first.clone() * cos.clone() - second.clone() * sin.clone();
        Tensor::cat(vec![turned, second * cos.clone() + first * sin.clone()], 3)
    }
}

/// `x / rms(x) · weight` along the last dimension.
pub(super) fn norm<const D: usize>(x: Tensor<D>, weight: &Tensor<2>, epsilon: f32) -> Tensor<D> {
    let scale = ((x.clone() * x.clone()).mean_dim(D - 1) + epsilon).sqrt();
    let mut shape = [1; D];
    shape[D - 1] = weight.dims()[1];
    x / scale * weight.clone().reshape(shape)
}

fn halves<const D: usize>(tensor: Tensor<D>) -> [Tensor<D>; 2] {
    let half = tensor.dims()[D - 1] / 2;
    [tensor.clone().narrow(D - 1, 0, half), tensor.narrow(D - 1, half, half)]
}
