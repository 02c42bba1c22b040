//! Percentile bootstrap over tasks (Efron 1979), seeded. The unit that is drawn is always a whole task with all its samples.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How many resamples an interval is made from.
pub const RESAMPLES: usize = 2000;

/// A 95 % interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The 2.5 % quantile of the resampled means.
    pub low: f64,
    /// The 97.5 % quantile.
    pub high: f64,
}

impl Interval {
    /// The interval of a list of resampled values; both ends are 0 when the list is empty.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { low: quantile(&values, 0.025), high: quantile(&values, 0.975) }
    }
}

/// Means of [`RESAMPLES`] resamples of `values`, drawn with replacement; empty when there are no values.
pub(super) fn resampled_means(values: &[f64], seed: u64) -> Vec<f64> {
    if values.is_empty() {
        return Vec::new();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut mean = || {
        let sum: f64 = (0..values.len()).map(|_| values[rng.random_range(0..values.len())]).sum();
        sum / values.len() as f64
    };
    (0..RESAMPLES).map(|_| mean()).collect()
}

/// The `r`-th value is the mean over strata of their `r`-th resampled means: an average of independent samples.
pub(super) fn average_strata(strata: &[Vec<f64>]) -> Vec<f64> {
    let strata: Vec<&Vec<f64>> = strata.iter().filter(|means| !means.is_empty()).collect();
    let Some(first) = strata.first() else { return Vec::new() };
    (0..first.len()).map(|r| strata.iter().map(|means| means[r]).sum::<f64>() / strata.len() as f64).collect()
}

/// A seed for one skill, so that skills are resampled independently of each other and of their order.
pub(super) fn seed_of(seed: u64, skill: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(skill.as_bytes());
    let bytes: [u8; 8] = hasher.finalize().as_bytes()[..8].try_into().expect("a hash has more than 8 bytes");
    u64::from_le_bytes(bytes)
}

/// Linear interpolation between the closest ranks of a sorted list.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let position = q * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let values = [0.0, 1.0, 1.0, 0.0, 0.5];
        assert_eq!(resampled_means(&values, 7), resampled_means(&values, 7));
        assert_ne!(resampled_means(&values, 7), resampled_means(&values, 8));
    }

    #[test]
    fn the_interval_of_many_coin_flips_is_close_to_the_normal_one() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
        let interval = Interval::of(resampled_means(&values, 1));
        // 0.5 ± 1.96 · 0.5 / √400
        assert!((interval.low - 0.451).abs() < 0.006, "{interval:?}");
        assert!((interval.high - 0.549).abs() < 0.006, "{interval:?}");
    }

    #[test]
    fn a_quantile_interpolates_between_ranks() {
        assert_eq!(quantile(&[0.0, 1.0, 2.0, 3.0], 0.5), 1.5);
        assert_eq!(quantile(&[4.0], 0.9), 4.0);
        assert_eq!(quantile(&[], 0.9), 0.0);
    }
}
