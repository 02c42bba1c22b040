//! `-log p`: maximum likelihood of what was written, for supervised training.

use super::{Sample, Term};

pub(super) fn term(sample: Sample) -> Term {
    Term { loss: -sample.logprob, pull: 1.0, clipped: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_a_probability_of_one_half_costs_the_logarithm_of_two() {
        let sample = Sample { logprob: -0.693_147_2, old_logprob: 0.0, advantage: 5.0 };
        assert_eq!(term(sample), Term { loss: 0.693_147_2, pull: 1.0, clipped: false });
    }
}
