//! `-min(r·A, clip(r, low, high)·A)` with `r = p / p_old`: PPO (arXiv 1707.06347, equation 7), the bounds asymmetric as in DAPO
//! (arXiv 2503.14476, equation 10). Beyond the bound on the side to which the advantage pulls there is no gradient.

use super::{Sample, Term};

pub(super) fn term(sample: Sample, low: f32, high: f32) -> Term {
    let ratio = sample.ratio();
    let (free, bounded) = (ratio * sample.advantage, ratio.clamp(low, high) * sample.advantage);
    match bounded < free {
        true => Term { loss: -bounded, pull: 0.0, clipped: true },
        false => Term { loss: -free, pull: free, clipped: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ratio: f32, advantage: f32) -> Term {
        term(Sample { logprob: ratio.ln(), old_logprob: 0.0, advantage }, 0.75, 1.25)
    }

    #[test]
    fn within_the_bounds_the_loss_is_the_ratio_times_the_advantage() {
        assert_eq!(at(1.0, 0.5), Term { loss: -0.5, pull: 0.5, clipped: false });
        assert_eq!(at(1.0, -0.5), Term { loss: 0.5, pull: -0.5, clipped: false });
    }

    #[test]
    fn beyond_a_bound_nothing_pulls_further_and_everything_pulls_back() {
        assert_eq!(at(2.0, 0.5), Term { loss: -0.625, pull: 0.0, clipped: true });
        assert_eq!(at(2.0, -0.5), Term { loss: 1.0, pull: -1.0, clipped: false });
        assert_eq!(at(0.5, -0.5), Term { loss: 0.375, pull: 0.0, clipped: true });
        assert_eq!(at(0.5, 0.5), Term { loss: -0.25, pull: 0.25, clipped: false });
    }
}
