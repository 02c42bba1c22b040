//! `-log p`: maximum likelihood of what was written, for supervised training.

use super::{Sample, Term};

pub(super) fn term(sample: Sample) -> Term {
    Term { loss: -sample.logprob, pull: 1.0, clipped: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_costs_minus_its_log_probability_whatever_its_advantage() {
        let sample = Sample { logprob: -0.75, old_logprob: 0.0, advantage: 5.0 };
        assert_eq!(term(sample), Term { loss: 0.75, pull: 1.0, clipped: false });
    }
}
