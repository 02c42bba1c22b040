//! Vector and matrix operations on slices of `f32`.
//!
//! Elementwise loops are compiled for several instruction sets and chosen at run time ([`vectorize`]); no build flag is needed.
//! Nothing here knows about models.

pub(super) mod feed_forward;
pub(super) mod linear;
pub(super) mod matmul;
pub(super) mod norm;
pub(super) mod outer;
pub(super) mod rope;
pub(super) mod softmax;
pub(super) mod vector;
pub(super) mod vectorize;
