//! How old what is trained on is: the version of the weights that train minus the version that sampled each token, in optimiser
//! steps. Time in queues counts, because the version is read when the token is used.

use basis_gym::episode::Episode;

use super::TrainError;

/// Of one iteration.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Staleness {
    tokens: u64,
    sum: u64,
    max: u64,
    /// Episodes, and those among them that several versions sampled.
    episodes: usize,
    mixed: usize,
}

impl Staleness {
    /// Of the sampled tokens of `episodes`, used by weights of `version`.
    pub(super) fn of(episodes: &[Episode], version: u64) -> Self {
        let mut staleness = Self::default();
        for episode in episodes.iter().filter(|episode| episode.tokens.is_some()) {
            for sequence in episode.sequences() {
                for (index, _) in sequence.counted().enumerate().filter(|(_, counted)| *counted) {
                    let age = version.saturating_sub(sequence.trace.version_at(index));
                    staleness.tokens += 1;
                    staleness.sum += age;
                    staleness.max = staleness.max.max(age);
                }
            }
            staleness.episodes += 1;
            let is_mixed = episode.sequences().any(|sequence| !sequence.trace.takeovers.is_empty());
            staleness.mixed += usize::from(is_mixed);
        }
        staleness
    }

    /// # Errors
    /// [`TrainError::TooOld`] when a token is older than `bound` steps.
    pub(super) fn check(&self, bound: u64) -> Result<(), TrainError> {
        match self.max <= bound {
            true => Ok(()),
            false => Err(TrainError::TooOld { steps: self.max, bound }),
        }
    }

    pub(super) fn to_metrics(self) -> [(String, f64); 3] {
        [
            ("staleness/mean".to_owned(), self.sum as f64 / self.tokens.max(1) as f64),
            ("staleness/max".to_owned(), self.max as f64),
            ("staleness/mixed".to_owned(), self.mixed as f64 / self.episodes.max(1) as f64),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sampled;

    #[test]
    fn every_token_has_its_own_age_and_the_oldest_one_is_held_to_the_bound() {
        // One prompt id, then four sampled ones: two by version 3, two by version 5.
        let mut episode = sampled("edit", "a", 1.0, 4);
        let trace = episode.tokens.as_mut().expect("has tokens");
        (trace.weight_version, trace.takeovers) = (3, vec![(3, 5)]);
        let staleness = Staleness::of(&[episode], 6);
        let values = staleness.to_metrics().map(|(_, value)| value);
        assert_eq!(values, [2.0, 3.0, 1.0]);
        assert!(staleness.check(3).is_ok());
        let text = staleness.check(2).expect_err("is too old").to_string();
        assert!(text.contains("3 optimiser steps older") && text.contains("at most 2"), "{text}");
    }
}
