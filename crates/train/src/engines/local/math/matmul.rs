//! Products of strided matrices, by the `gemm` crate on one thread.
//!
//! Used where operands change with every call: in attention and for adapters. Products with weights are in [`super::linear`], their gradients
//! in [`super::outer`].

/// A matrix that is read: `data[row · row_stride + column · column_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// Rows of `columns` values that begin every `stride` values.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> View<'a> {
        assert!(rows == 0 || (rows - 1) * stride + columns <= data.len(), "a view lies inside its data");
        View { data, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// Rows and columns.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// One value.
    pub(crate) fn at(&self, row: usize, column: usize) -> f32 {
        self.data[row * self.row_stride + column * self.column_stride]
    }

    /// The transposed matrix.
    pub(crate) fn transposed(self) -> View<'a> {
        View {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// A matrix that is written, row by row.
pub(crate) struct Target<'a> {
    data: &'a mut [f32],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> Target<'a> {
    /// Rows of `columns` values that begin every `stride` values.
    pub(crate) fn new(data: &'a mut [f32], rows: usize, columns: usize, stride: usize) -> Target<'a> {
        assert!(columns <= stride, "rows do not overlap");
        assert!(rows == 0 || (rows - 1) * stride + columns <= data.len(), "a target lies inside its data");
        Target { data, rows, columns, stride }
    }

    /// `self = left · right`.
    pub(crate) fn set(self, left: View, right: View) {
        self.multiply(left, right, false);
    }

    /// `self += left · right`.
    pub(crate) fn add(self, left: View, right: View) {
        self.multiply(left, right, true);
    }

    fn multiply(self, left: View, right: View, add: bool) {
        assert!(self.rows == left.rows && self.columns == right.columns && left.columns == right.rows, "shapes agree");
        #[expect(unsafe_code, reason = "the gemm crate takes pointers")]
        // SAFETY: `View::new` and `Target::new` checked that every index lies inside its slice; the target is borrowed mutably, so it
        // overlaps neither operand, and its rows do not overlap each other.
        unsafe {
            gemm::gemm(
                self.rows,
                self.columns,
                left.columns,
                self.data.as_mut_ptr(),
                1,
                self.stride as isize,
                add,
                left.data.as_ptr(),
                left.column_stride as isize,
                left.row_stride as isize,
                right.data.as_ptr(),
                right.column_stride as isize,
                right.row_stride as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}
