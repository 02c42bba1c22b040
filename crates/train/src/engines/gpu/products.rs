//! Products of matrices, in the numbers that the precision asks for.

use tch::{Kind, Tensor};

use super::super::Precision;

/// How factors are kept. What is added up, and everything between products, is fp32 but for what goes from one product straight into the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Products {
    kind: Kind,
}

impl Products {
    /// fp32 stays fp32 on GPUs, too: PyTorch rounds it to TF32 only where it is told to.
    pub(super) fn new(precision: Precision) -> Products {
        let kind = match precision {
            Precision::Fp32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        };
        Products { kind }
    }

    /// The numbers of factors, and of products.
    pub(super) fn kind(self) -> Kind {
        self.kind
    }

    /// A tensor as a factor.
    pub(super) fn factor(self, tensor: &Tensor) -> Tensor {
        tensor.to_kind(self.kind)
    }

    /// Rows times a matrix that is a factor.
    pub(super) fn apply(self, rows: &Tensor, matrix: &Tensor) -> Tensor {
        self.factor(rows).matmul(matrix)
    }
}
