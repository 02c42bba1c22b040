//! How much tests and probes notice: the share of mistakes in the broken function that fail a test or change what a probe gives.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Rejection;
use super::candidates::Bench;

/// Tests and probes have to notice this share of the mistakes before they are believed about code in other words (`tasks.md` 1.5).
const LEAST_SCORE: f64 = 0.9;
/// So many mistakes are tried.
const MOST_MISTAKES: usize = 20;

impl Bench<'_> {
    /// The share of mistakes in the healthy function that tests or probes notice, if it is enough. A mistake that changes nothing
    /// counts as one that is not noticed.
    pub(super) fn mutation_score(&self, rng: &mut ChaCha8Rng) -> Result<Option<f64>, Rejection> {
        let mut texts = self.mistakes(&self.text(&self.record.fixed)?);
        texts.shuffle(rng);
        texts.truncate(MOST_MISTAKES);
        let (count, mut unnoticed) = (texts.len() as f64, 0.0);
        for (text, differing) in texts.iter().zip(self.differing(&texts)?) {
            // A run that cannot be believed did not pass either.
            if differing.is_empty() && self.failing(text)?.is_some_and(|failing| failing.is_empty()) {
                unnoticed += 1.0;
            }
            if 1.0 - unnoticed / count < LEAST_SCORE {
                return Ok(None);
            }
        }
        Ok((count > 0.0).then(|| 1.0 - unnoticed / count))
    }
}
