//! Choosing an id from logits.

use super::super::math::softmax::Softmax;

/// A chosen id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Choice {
    pub(crate) id: u32,
    /// At temperature 1.
    pub(crate) logprob: f32,
}

/// Chooses at a temperature, with a number from 0 to below 1; nothing if the logits are not finite.
pub(crate) fn choose(logits: &[f32], temperature: f32, uniform: f64, weights: &mut Vec<f32>) -> Option<Choice> {
    weights.clear();
    weights.extend_from_slice(logits);
    let log_sum = Softmax::of(weights).log_sum;
    if !log_sum.is_finite() {
        return None;
    }
    let id = if temperature == 0.0 {
        most_likely(logits)
    } else {
        if temperature != 1.0 {
            weights.clear();
            weights.extend(logits.iter().map(|logit| logit / temperature));
            Softmax::of(weights);
        }
        at(weights, uniform)
    };
    Some(Choice { id: id as u32, logprob: logits[id] - log_sum })
}

fn most_likely(logits: &[f32]) -> usize {
    let better = |best: usize, id: usize| if logits[id] > logits[best] { id } else { best };
    (1..logits.len()).fold(0, better)
}

/// The id at which the running sum of weights passes this share of their total.
fn at(weights: &[f32], uniform: f64) -> usize {
    let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    let mut left = uniform * total;
    for (id, &weight) in weights.iter().enumerate() {
        left -= f64::from(weight);
        if left < 0.0 {
            return id;
        }
    }
    most_likely(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_the_probabilities_at_the_temperature() {
        let logits = [0.0, 2.0_f32.ln(), 5.0_f32.ln()];
        let mut counts = [0; 3];
        for step in 0..8000 {
            let choice = choose(&logits, 1.0, (f64::from(step) + 0.5) / 8000.0, &mut Vec::new()).unwrap();
            counts[choice.id as usize] += 1;
            assert!((choice.logprob - (logits[choice.id as usize] - 8.0_f32.ln())).abs() < 1e-6);
        }
        assert_eq!(counts, [1000, 2000, 5000]);
        let squared = choose(&logits, 0.5, 0.99 / 30.0, &mut Vec::new()).unwrap();
        assert_eq!(squared.id, 0);
        assert_eq!(choose(&logits, 0.5, 1.01 / 30.0, &mut Vec::new()).unwrap().id, 1);
        assert_eq!(choose(&logits, 0.0, 0.0, &mut Vec::new()).unwrap().id, 2);
    }

    #[test]
    fn logits_that_are_not_finite_choose_nothing() {
        assert_eq!(choose(&[0.0, f32::NAN], 1.0, 0.5, &mut Vec::new()), None);
        assert_eq!(choose(&[0.0, f32::INFINITY], 1.0, 0.5, &mut Vec::new()), None);
    }
}
