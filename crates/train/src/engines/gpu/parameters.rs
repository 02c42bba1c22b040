//! Between the flat vector of checkpoints and matrices on the device; norms are matrices of one row.

use std::iter::once;
use std::ops::Range;

use tch::{Device, Tensor};

use super::super::EngineError;
use super::super::local::model::adapters::Adapters;
use super::super::local::model::layout::{Layout, Matrix};
use super::device::{matrix, read};

/// The matrices of a model in the order of the flat vector; [`super::weights`] counts on it.
pub(super) fn of_model(layout: &Layout) -> Vec<Matrix> {
    let row = |range: &Range<usize>| Matrix { begin: range.start, rows: 1, columns: range.len() };
    let layers = layout.layers.iter().flat_map(|layer| {
        let (queries, keys) = (row(&layer.query_norm), row(&layer.key_norm));
        let feed = [row(&layer.feed_norm), layer.gate_up, layer.down];
        [row(&layer.input_norm), layer.qkv, queries, keys, layer.output].into_iter().chain(feed)
    });
    let head = (layout.head != layout.embedding).then_some(layout.head);
    once(layout.embedding).chain(layers).chain(once(row(&layout.final_norm))).chain(head).collect()
}

/// The matrices of adapters in the order of their flat vector: `A` and `B` of each.
pub(super) fn of_adapters(adapters: &Adapters) -> Vec<Matrix> {
    adapters.places.iter().flat_map(|adapter| [adapter.a, adapter.b]).collect()
}

/// Takes all matrices to the device.
pub(super) fn upload(values: &[f32], places: &[Matrix], device: Device) -> Vec<Tensor> {
    places.iter().map(|place| matrix(&values[place.range()], [place.rows, place.columns], device)).collect()
}

/// Brings all matrices back into one vector.
pub(super) fn download(tensors: &[Tensor]) -> Result<Vec<f32>, EngineError> {
    let mut values = Vec::new();
    for tensor in tensors {
        values.extend(read(tensor)?);
    }
    Ok(values)
}

/// Has gradients of these collected from now on; what was collected before is forgotten.
pub(super) fn track(tensors: &mut [Tensor]) {
    tensors.iter_mut().for_each(|tensor| *tensor = tensor.detach().set_requires_grad(true));
}
