//! Products of matrices, in the numbers that the precision asks for.
//!
//! Tensor cores take fp32 as TF32: of 24 binary digits 11 are left, too few for log-probabilities that are to be the same to 1e-4. So each
//! factor is split into what TF32 holds and the rest, and of their four products the three that count are added up (Ootomo and Yokota,
//! "Recovering single precision accuracy from Tensor Cores while surpassing the FP32 theoretical peak performance", 2022). In backward passes
//! the factors are as exact; what comes from the loss is rounded to TF32.

use burn_tensor::{DType, Tensor};

/// How factors are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Products {
    /// The device computes with fp32.
    Exact,
    /// In two parts, for a device that rounds fp32.
    Split,
    /// Rounded; sums are fp32.
    Bf16,
}

/// A factor of products.
#[derive(Clone)]
pub(super) struct Factor<const D: usize> {
    first: Tensor<D>,
    /// What is missing in the first part; no gradient passes through it.
    rest: Option<Tensor<D>>,
}

impl Products {
    /// Rows times a matrix.
    pub(super) fn apply<const D: usize>(self, rows: Tensor<D>, matrix: &Factor<2>) -> Tensor<D> {
        let mut shape = rows.dims();
        let width = shape[D - 1];
        let count = shape.iter().product::<usize>() / width;
        let out = self.factor(rows.reshape([count, width])).times(matrix);
        shape[D - 1] = out.dims()[1];
        out.reshape(shape)
    }

    /// A product that is fp32 whatever the precision, as in attention and where adapters are merged.
    pub(super) fn fp32<const D: usize>(self, left: Tensor<D>, right: Tensor<D>) -> Tensor<D> {
        let products = if self == Products::Bf16 { Products::Exact } else { self };
        products.factor(left).times(&products.factor(right))
    }

    /// A tensor as a factor.
    pub(super) fn factor<const D: usize>(self, tensor: Tensor<D>) -> Factor<D> {
        match self {
            Products::Exact => Factor { first: tensor, rest: None },
            Products::Bf16 => Factor { first: tensor.cast(DType::BF16), rest: None },
            Products::Split => {
                let rest = rest(tensor.clone().detach());
                Factor { first: tensor - rest.clone(), rest: Some(rest) }
            }
        }
    }
}

impl<const D: usize> Factor<D> {
    pub(super) fn transpose(self) -> Factor<D> {
        Factor { first: self.first.transpose(), rest: self.rest.map(Tensor::transpose) }
    }

    fn times(self, right: &Factor<D>) -> Tensor<D> {
        let Factor { first, rest } = self;
        let rounded = first.dtype() != DType::F32;
        let mut out = first.clone().matmul(right.first.clone());
        if let Some(rest) = rest {
            out = out + rest.matmul(right.first.clone());
        }
        if let Some(rest) = &right.rest {
            out = out + first.matmul(rest.clone());
        }
        if rounded { out.cast(DType::F32) } else { out }
    }
}

/// What is left of numbers when 11 binary digits are taken (Dekker, "A floating-point technique for extending the available precision", 1971).
fn rest<const D: usize>(numbers: Tensor<D>) -> Tensor<D> {
    let wide = numbers.clone() * 8193.0;
    let digits = wide.clone() - (wide - numbers.clone());
    numbers - digits
}

#[cfg(all(test, feature = "gpu-tests"))]
mod tests {
    use burn_tensor::{Device, TensorData};

    use super::*;

    /// Numbers around one with all their digits.
    fn numbers(seed: u32, shape: [usize; 2], device: &Device) -> Tensor<2> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(next).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        super::super::device::read(tensor).expect("the processor computes")
    }

    #[test]
    fn a_part_has_eleven_digits_and_both_are_the_number() {
        let device = Device::flex();
        let all = numbers(1, [40, 30], &device);
        let rest = values(rest(all.clone()));
        for (whole, rest) in values(all).into_iter().zip(rest) {
            let first = whole - rest;
            assert_eq!(first.to_bits() & 0x1fff, 0, "{whole}");
            assert_eq!(first + rest, whole);
            assert!(rest.abs() <= whole.abs() / 2048.0);
        }
    }

    /// As tensor cores take them.
    fn rounded(tensor: Tensor<2>) -> Tensor<2> {
        tensor.clone() - rest(tensor)
    }

    #[test]
    fn on_a_device_that_rounds_a_product_of_parts_is_a_hundred_times_as_exact_as_one_of_wholes() {
        let device = Device::flex();
        let [left, right] = [(6, [9, 300]), (7, [300, 7])].map(|(seed, shape)| numbers(seed, shape, &device));
        let exact = values(left.clone().matmul(right.clone()));
        let error = |found: Tensor<2>| {
            let pairs = values(found).into_iter().zip(&exact);
            pairs.map(|(found, exact)| (found - exact).abs()).fold(0.0, f32::max)
        };
        let wholes = error(rounded(left.clone()).matmul(rounded(right.clone())));
        let on_device = |tensor| {
            let Factor { first, rest } = Products::Split.factor(tensor);
            Factor { first: rounded(first), rest: rest.map(rounded) }
        };
        let parts = error(on_device(left).times(&on_device(right)));
        assert!(wholes > 1e-3 && parts < wholes / 100.0, "{wholes} {parts}");
    }

    #[test]
    fn a_product_of_parts_is_the_product_and_so_are_its_gradients() {
        let device = Device::flex();
        let [left, right] = [(3, [9, 40]), (4, [40, 7])].map(|(seed, shape)| numbers(seed, shape, &device));
        let pulls = numbers(5, [9, 7], &device);
        let [exact, split] = [Products::Exact, Products::Split].map(|products| {
            let [left, right] = [&left, &right].map(|factor| factor.clone().autodiff().require_grad());
            let out = products.apply(left.clone(), &products.factor(right.clone()));
            let mut found = (out.clone() * pulls.clone()).sum().backward();
            let grads = [left, right].map(|factor| factor.grad_remove(&mut found).expect("it has a gradient"));
            [out.inner(), grads[0].clone(), grads[1].clone()].map(values)
        });
        for (exact, split) in exact.concat().into_iter().zip(split.concat()) {
            assert!((exact - split).abs() < 1e-5, "{exact} {split}");
        }
    }
}
