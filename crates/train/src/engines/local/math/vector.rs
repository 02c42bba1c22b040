//! Inlined building blocks of vectorised loops: exponential, sums, dot products.
//!
//! Sums run in a fixed order that depends on the instruction set alone.

use pulp::Simd;

use super::vectorize::vectorize;

/// Partial sums of a reduction.
pub(crate) const LANES: usize = 16;

/// e to the x; relative error below 2e-7; 0 is never reached: below -87 it stays at e to the -87.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // Adding this number moves the integer part of a small float into its low mantissa bits.
    const SHIFT: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x.mul_add(LOG2_E, SHIFT);
    let n = shifted - SHIFT;
    // ln 2 in two parts (Cody and Waite), so that the remainder is exact.
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = r.mul_add(1.987_569_1e-4, 1.398_199_9e-3);
    let p = r.mul_add(p, 8.333_452e-3);
    let p = r.mul_add(p, 4.166_579_6e-2);
    let p = r.mul_add(p, 1.666_666_5e-1);
    let p = r.mul_add(p, 0.5);
    let p = (r * r).mul_add(p, r) + 1.0;
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// The largest value; minus infinity for none.
#[inline(always)]
pub(crate) fn max(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut best = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            best[lane] = if chunk[lane] > best[lane] { chunk[lane] } else { best[lane] };
        }
    }
    let all = best.iter().chain(rest);
    all.fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

/// The sum of products.
#[inline(always)]
pub(crate) fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (S::as_simd_f32s(a), S::as_simd_f32s(b));
    let mut sum = simd.splat_f32s(0.0);
    for (&a, &b) in a.iter().zip(b) {
        sum = simd.mul_add_f32s(a, b, sum);
    }
    let mut sum = simd.reduce_sum_f32s(sum);
    for (a, b) in a_rest.iter().zip(b_rest) {
        sum += a * b;
    }
    sum
}

/// The sum of products of three.
#[inline(always)]
pub(crate) fn dot3<S: Simd>(simd: S, a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest), (c, c_rest)) = (S::as_simd_f32s(a), S::as_simd_f32s(b), S::as_simd_f32s(c));
    let mut sum = simd.splat_f32s(0.0);
    for ((&a, &b), &c) in a.iter().zip(b).zip(c) {
        sum = simd.mul_add_f32s(simd.mul_f32s(a, b), c, sum);
    }
    let mut sum = simd.reduce_sum_f32s(sum);
    for ((a, b), c) in a_rest.iter().zip(b_rest).zip(c_rest) {
        sum += a * b * c;
    }
    sum
}

/// Adds up partial sums, in pairs.
#[inline(always)]
pub(crate) fn total(sums: &[f32; LANES]) -> f32 {
    let mut eight = [0.0; 8];
    for lane in 0..8 {
        eight[lane] = sums[lane] + sums[lane + 8];
    }
    let four = [eight[0] + eight[4], eight[1] + eight[5], eight[2] + eight[6], eight[3] + eight[7]];
    (four[0] + four[2]) + (four[1] + four[3])
}

/// Replaces scores by `exp(score · scale - shift)` and returns their sum.
#[inline(always)]
pub(crate) fn exp_sum(scores: &mut [f32], scale: f32, shift: f32) -> f32 {
    let (chunks, rest) = scores.as_chunks_mut::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            chunk[lane] = exp(chunk[lane].mul_add(scale, -shift));
            sums[lane] += chunk[lane];
        }
    }
    let mut sum = total(&sums);
    for score in rest {
        *score = exp(score.mul_add(scale, -shift));
        sum += *score;
    }
    sum
}

vectorize! {
    /// `a += b`.
    pub(crate) fn add(_simd, a: &mut [f32], b: &[f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a += b;
        }
    }

    /// `values *= factor`.
    pub(crate) fn scale(_simd, values: &mut [f32], factor: f32) {
        for value in values {
            *value *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_exact_value_over_its_range() {
        for step in -8700..=8800 {
            let x = step as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 2e-7, "{x}");
        }
    }

    vectorize! {
        fn sums(simd, a: &[f32], ones: &[f32]) -> [f32; 3] {
            [dot(simd, a, a), dot3(simd, a, a, ones), max(a)]
        }
    }

    #[test]
    fn reductions_agree_with_plain_ones_at_all_lengths() {
        for length in 0..70 {
            let a: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let plain: f32 = a.iter().map(|a| a * a).sum();
            assert_eq!(sums(&a, &vec![1.0; length]), [plain, plain, a.last().copied().unwrap_or(f32::NEG_INFINITY)]);
        }
    }
}
