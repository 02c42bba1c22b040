//! The hash chain over tokens: whoever has a head can say whether a sequence is what was sampled, to the last bit.
//!
//! Each stretch of ids that were sampled, or that were not, is one link: `h' = BLAKE3(h, kind, ids, log-probabilities, version)`. It
//! follows from a [`TokenTrace`] alone, so that a trainer can compute it from what it is about to train on.

use crate::episode::TokenTrace;

/// A hash of everything up to some token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head([u8; 32]);

impl Head {
    /// The head of nothing.
    pub const NONE: Self = Self([0; 32]);

    /// The head after another stretch. Log-probabilities belong to sampled ids only.
    #[must_use]
    pub fn link(self, ids: &[u32], sampled: Option<(&[f32], u64)>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        hasher.update(&[u8::from(sampled.is_some())]);
        hasher.update(&(ids.len() as u64).to_le_bytes());
        for id in ids {
            hasher.update(&id.to_le_bytes());
        }
        if let Some((logprobs, version)) = sampled {
            for logprob in logprobs {
                hasher.update(&logprob.to_bits().to_le_bytes());
            }
            hasher.update(&version.to_le_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The head of a whole trace.
pub fn of(trace: &TokenTrace) -> Head {
    let mut head = Head::NONE;
    let mut start = 0;
    for end in 1..=trace.ids.len() {
        if end < trace.ids.len() && trace.sampled[end] == trace.sampled[start] {
            continue;
        }
        let sampled = trace.sampled[start].then(|| (&trace.logprobs[start..end], trace.version_at(start)));
        head = head.link(&trace.ids[start..end], sampled);
        start = end;
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> TokenTrace {
        TokenTrace {
            ids: vec![1, 2, 3, 4, 5],
            sampled: vec![false, true, true, false, true],
            logprobs: vec![0.0, -0.5, -1.0, 0.0, -2.0],
            weight_version: 7,
            takeovers: Vec::new(),
        }
    }

    #[test]
    fn stretch_by_stretch_gives_the_head_of_the_whole() {
        let head = Head::NONE.link(&[1], None).link(&[2, 3], Some((&[-0.5, -1.0], 7))).link(&[4], None);
        assert_eq!(head.link(&[5], Some((&[-2.0], 7))), of(&trace()));
        assert_eq!(of(&TokenTrace::default()), Head::NONE);
    }

    #[test]
    fn any_change_of_a_token_shows() {
        let changes: [fn(&mut TokenTrace); 5] = [
            |trace| trace.ids[1] = 9,
            |trace| trace.logprobs[2] = -1.000_000_1,
            |trace| trace.sampled[3] = true,
            |trace| trace.weight_version = 8,
            |trace| trace.ids[0] = 9,
        ];
        for change in changes {
            let mut changed = trace();
            change(&mut changed);
            assert_ne!(of(&changed), of(&trace()), "{changed:?}");
        }
    }
}
