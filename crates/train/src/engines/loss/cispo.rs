//! `-stop_gradient(clip(r, low, high)) · A · log p` with `r = p / p_old`: CISPO (MiniMax-M1, arXiv 2506.13585, equations 4 and 5).
//! The bounds limit how much a target weighs; unlike a clipped ratio they never take its gradient away, so that rare ids that
//! change a lot go on being learned from. With `low = 0` this is the policy gradient with truncated importance weights.

use super::{Sample, Term};

pub(super) fn term(sample: Sample, low: f32, high: f32) -> Term {
    let ratio = sample.ratio();
    let bounded = ratio.clamp(low, high);
    let pull = bounded * sample.advantage;
    Term { loss: -pull * sample.logprob, pull, clipped: bounded != ratio }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ratio: f32, advantage: f32) -> Term {
        let logprob = -2.0;
        term(Sample { logprob, old_logprob: logprob - ratio.ln(), advantage }, 0.0, 1.25)
    }

    #[test]
    fn the_weight_is_bounded_and_the_gradient_stays() {
        assert_eq!(at(1.0, 0.5), Term { loss: 1.0, pull: 0.5, clipped: false });
        assert_eq!(at(2.0, 0.5), Term { loss: 1.25, pull: 0.625, clipped: true });
        assert_eq!(at(2.0, -0.5), Term { loss: -1.25, pull: -0.625, clipped: true });
        assert_eq!(at(0.5, 0.5), Term { loss: 0.5, pull: 0.25, clipped: false });
    }
}
