//! Where the ids of a pass stand: angles of their positions, and which keys each may see.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::super::local::model::weights::Model;
use super::device::{indices, matrix, size};
use super::products::Products;

/// Added to the score of a key that may not be seen: the exponential of what is left is zero, and a row that sees nothing stays finite.
const UNSEEN: f64 = -1e30;

/// Angles of all positions.
pub(super) struct Angles {
    /// Position by position: all cosines, then all sines.
    table: Tensor,
    products: Products,
}

/// Angles and visible keys of the ids of a pass; dimensions of size one stand for all.
pub(super) struct Frame {
    /// Sequences or one, one, ids, half a head.
    pub(super) cos: Tensor,
    pub(super) sin: Tensor,
    /// Sequences or one, one, ids, keys: zero, or [`UNSEEN`].
    pub(super) bias: Tensor,
}

impl Angles {
    pub(super) fn new(model: &Model, products: Products, device: Device) -> Angles {
        let shape = [model.config.max_position_embeddings, model.config.head_dim];
        Angles { table: matrix(&model.angles.table, shape, device), products }
    }

    /// Sequences that all begin at position zero; each id sees itself and those before it.
    pub(super) fn aligned(&self, length: usize) -> Frame {
        self.ragged(&[0], 0..length, length)
    }

    /// Ids in these columns of sequences that begin at different ones, with keys in columns below `keys`.
    pub(super) fn ragged(&self, begins: &[usize], ids: Range<usize>, keys: usize) -> Frame {
        let device = self.table.device();
        let (rows, count) = (size(begins.len()), size(ids.len()));
        // Columns before a sequence begins are computed and never seen; any position will do.
        let positions = begins.iter().flat_map(|begin| ids.clone().map(move |column| column.saturating_sub(*begin)));
        let angles = self.table.index_select(0, &indices(positions, device)).view([rows, 1, count, -1]);
        let columns = |of: Range<usize>| Tensor::arange_start(size(of.start), size(of.end), (Kind::Int64, device));
        let keys = columns(0..keys).view([1, 1, 1, -1]);
        let begins = indices(begins.iter().copied(), device).view([rows, 1, 1, 1]);
        let unseen = keys.greater_tensor(&columns(ids).view([1, 1, -1, 1])).logical_or(&keys.less_tensor(&begins));
        let bias = unseen.zeros_like().to_kind(self.products.kind()).masked_fill(&unseen, UNSEEN);
        let halves = angles.chunk(2, -1);
        Frame { cos: halves[0].shallow_clone(), sin: halves[1].shallow_clone(), bias }
    }
}
