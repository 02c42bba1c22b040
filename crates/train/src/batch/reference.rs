//! KL to the starting policy as a price on each token: `A_t ← A_t - β (log p_old - log p_start)`, the penalty in the reward of
//! InstructGPT (arXiv 2203.02155, equation 2), per token as in DeepSeekMath (arXiv 2402.03300, equation 2).
//!
//! Each token pays for itself and not for those that follow it. In expectation over sampled tokens that is the gradient of
//! `β KL(p ‖ p_start)` of the single distributions. Only what is trained on pays: sets without signal are gone by then.

use crate::engines::Datum;

/// Changes the advantages of `batch`; `start` has the log-probabilities under the starting policy. Returns the sum over
/// targets of `log p_old - log p_start`, an estimate of KL(old ‖ start).
pub fn charge(batch: &mut [Datum], start: &[Vec<f32>], price: f32) -> f64 {
    let mut sum = 0.0;
    for (datum, start) in batch.iter_mut().zip(start) {
        for (at, start) in start.iter().enumerate() {
            if datum.weights[at] == 0.0 {
                continue;
            }
            let distance = datum.old_logprobs[at] - start;
            datum.advantages[at] -= price * distance;
            sum += f64::from(distance);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_became_likelier_pays_and_one_that_became_less_likely_is_paid() {
        let mut batch = [Datum {
            ids: vec![1, 2, 3, 4],
            weights: vec![0.5, 0.5, 0.0],
            old_logprobs: vec![-1.0, -3.0, -9.0],
            advantages: vec![0.5, 0.5, 0.5],
        }];
        let sum = charge(&mut batch, &[vec![-2.0, -2.5, 0.0]], 0.25);
        assert_eq!(batch[0].advantages, [0.25, 0.625, 0.5]);
        assert_eq!(sum, 0.5);
    }
}
