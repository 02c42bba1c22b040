//! Keys and values of sequences that are being sampled, on the device.
//!
//! Every sequence is a row. All end in the same column, so that the next ids of all are written at the same place, and begin in different
//! ones. Columns after the end are room: a step writes in place, and products keep their shapes for a while.

use tch::{Device, Tensor};

use super::super::local::Config;
use super::decoder::KeysValues;
use super::device::{indices, size};
use super::products::Products;

/// Columns are made in multiples of these.
const ROOM: usize = 64;

/// Keys and values of all layers, as factors.
pub(super) struct Cache {
    layers: Vec<KeysValues>,
    /// The column in which each row begins.
    begins: Vec<usize>,
    /// The column after the last.
    end: usize,
}

/// Bytes of an id in all layers.
pub(super) fn bytes(config: &Config, products: Products) -> usize {
    config.num_hidden_layers * 2 * config.key_width() * products.kind().elt_size_in_bytes()
}

impl Cache {
    /// An empty cache with room for this many columns, whose rows will begin in these.
    pub(super) fn new(
        (config, products): (&Config, Products),
        begins: Vec<usize>,
        columns: usize,
        device: Device,
    ) -> Cache {
        let shape = [begins.len(), config.num_key_value_heads, columns.next_multiple_of(ROOM), config.head_dim];
        let empty = || Tensor::zeros(shape.map(size), (products.kind(), device));
        Cache { layers: (0..config.num_hidden_layers).map(|_| [empty(), empty()]).collect(), begins, end: 0 }
    }

    pub(super) fn begins(&self) -> &[usize] {
        &self.begins
    }

    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Columns that are there, written or not.
    pub(super) fn columns(&self) -> usize {
        usize::try_from(self.layers[0][0].size()[2]).expect("a size")
    }

    /// Makes room for so many columns after the end.
    pub(super) fn reserve(&mut self, count: usize) {
        let missing = (self.end + count).next_multiple_of(ROOM).saturating_sub(self.columns());
        if missing > 0 {
            self.each(|tensor| padded(tensor, 0, missing));
        }
    }

    /// Writes keys and values of a layer after the end, where there is room; gives all that the layer has.
    pub(super) fn write(&mut self, layer: usize, new: KeysValues) -> KeysValues {
        for (tensor, new) in self.layers[layer].iter().zip(new) {
            tensor.narrow(2, size(self.end), new.size()[2]).copy_(&new);
        }
        self.layers[layer].each_ref().map(Tensor::shallow_clone)
    }

    /// Moves the end over columns that were written in all layers.
    pub(super) fn advance(&mut self, count: usize) {
        self.end += count;
    }

    /// Takes in the rows of another cache.
    pub(super) fn join(&mut self, mut other: Cache) {
        let end = self.end.max(other.end);
        self.align(end);
        other.align(end);
        let columns = self.columns().max(other.columns());
        self.reserve(columns - end);
        other.reserve(columns - end);
        let mut others = other.layers.into_iter().flatten();
        self.each(|tensor| Tensor::cat(&[tensor, &others.next().expect("both have the same layers")], 0));
        self.begins.extend(other.begins);
    }

    /// Forgets all rows but these, and the columns before they begin; there is at least one.
    pub(super) fn keep(&mut self, rows: &[usize]) {
        let chosen = indices(rows.iter().copied(), self.layers[0][0].device());
        self.each(|tensor| tensor.index_select(0, &chosen));
        self.begins = rows.iter().map(|&row| self.begins[row]).collect();
        let unused = self.begins.iter().copied().min().unwrap_or(0);
        self.align(self.end - unused);
    }

    /// Moves all rows so that they end in this column.
    fn align(&mut self, end: usize) {
        let (longer, shorter) = (end.saturating_sub(self.end), self.end.saturating_sub(end));
        if longer > 0 {
            self.each(|tensor| padded(tensor, longer, 0));
        }
        if shorter > 0 {
            let left = self.columns() - shorter;
            self.each(|tensor| tensor.narrow(2, size(shorter), size(left)).contiguous());
        }
        self.begins.iter_mut().for_each(|begin| *begin = *begin + longer - shorter);
        self.end = end;
    }

    fn each(&mut self, mut change: impl FnMut(&Tensor) -> Tensor) {
        self.layers.iter_mut().flatten().for_each(|tensor| *tensor = change(tensor));
    }
}

/// With this many columns of zeros before and after.
fn padded(tensor: &Tensor, before: usize, after: usize) -> Tensor {
    tensor.constant_pad_nd([0, 0, size(before), size(after)])
}
