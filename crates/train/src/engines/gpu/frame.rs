//! Where the ids of a pass stand: angles of their positions, and which keys each may see.

use burn_tensor::{Device, Int, Tensor};

use super::super::local::model::weights::Model;
use super::device::{fp32, indices, matrix};

/// Added to the score of a key that may not be seen: the exponential of what is left is zero, and a row that sees nothing stays finite.
const UNSEEN: f32 = -1e30;

/// Angles of all positions.
pub(super) struct Angles {
    /// Position by position: all cosines, then all sines.
    table: Tensor<2>,
}

/// Angles and visible keys of the ids of a pass; dimensions of size one stand for all.
pub(super) struct Frame {
    /// Sequences or one, one, ids, half a head.
    pub(super) cos: Tensor<4>,
    pub(super) sin: Tensor<4>,
    /// Sequences or one, one, ids, keys: zero, or [`UNSEEN`].
    pub(super) bias: Tensor<4>,
}

impl Angles {
    pub(super) fn new(model: &Model, device: &Device) -> Angles {
        let shape = [model.config.max_position_embeddings, model.config.head_dim];
        Angles { table: matrix(model.angles.table.clone(), shape, device) }
    }

    /// Sequences that all begin at position zero; each id sees itself and those before it.
    pub(super) fn aligned(&self, length: usize) -> Frame {
        self.ragged(&[0], 0..length, length)
    }

    /// Ids in these columns of sequences that begin at different ones, with keys in columns below `keys`.
    pub(super) fn ragged(&self, begins: &[usize], ids: std::ops::Range<usize>, keys: usize) -> Frame {
        let device = self.table.device();
        let (rows, count) = (begins.len(), ids.len());
        // Columns before a sequence begins are computed and never seen; any position will do.
        let positions = begins.iter().flat_map(|begin| ids.clone().map(move |column| column.saturating_sub(*begin)));
        let [_, width] = self.table.dims();
        let angles = self.table.clone().select(0, indices(positions, &device)).reshape([rows, 1, count, width]);
        let column = |of: std::ops::Range<usize>| Tensor::<1, Int>::arange(of.start as i64..of.end as i64, &device);
        let keys = column(0..keys).reshape([1, 1, 1, keys as i32]).expand([rows, 1, count, keys]);
        let ids = column(ids).reshape([1, 1, count as i32, 1]).expand(keys.shape());
        let begins = indices(begins.iter().copied(), &device).reshape([rows as i32, 1, 1, 1]).expand(keys.shape());
        let unseen = keys.clone().greater(ids).bool_or(keys.lower(begins));
        let bias = Tensor::zeros(unseen.shape(), fp32(&device)).mask_fill(unseen, UNSEEN);
        let half = width / 2;
        Frame { cos: angles.clone().narrow(3, 0, half), sin: angles.narrow(3, half, half), bias }
    }
}
