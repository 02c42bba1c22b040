//! A sequence of an episode as an engine trains on it.

use basis_gym::episode::Sequence;

use crate::engines::Datum;

/// What an engine trains on of `sequence`; each id that counts weighs `weight` and carries `advantage`, all others weigh nothing.
///
/// What follows the last of them is cut off. `None` when none counts behind a first id.
pub fn datum(sequence: Sequence<'_>, weight: f32, advantage: f32) -> Option<Datum> {
    let counted: Vec<bool> = sequence.counted().collect();
    let last = counted.iter().rposition(|counted| *counted).filter(|last| *last > 0)?;
    let targets = &counted[1..=last];
    let pick = |value: f32| targets.iter().map(|counted| if *counted { value } else { 0.0 }).collect();
    let old = sequence.trace.logprobs[1..=last].iter().zip(targets);
    Some(Datum {
        ids: sequence.trace.ids[..=last].to_vec(),
        weights: pick(weight),
        old_logprobs: old.map(|(logprob, counted)| if *counted { *logprob } else { 0.0 }).collect(),
        advantages: pick(advantage),
    })
}

/// How many targets [`datum`] would train on.
pub(super) fn targets(sequence: Sequence<'_>) -> usize {
    sequence.counted().skip(1).filter(|counted| *counted).count()
}

#[cfg(test)]
mod tests {
    use basis_gym::episode::TokenTrace;

    use super::*;

    fn datum(trace: &TokenTrace, from: usize) -> Option<Datum> {
        super::datum(Sequence { trace, from }, 0.25, -0.5)
    }

    #[test]
    fn only_sampled_ids_are_trained_on() {
        let trace = TokenTrace {
            ids: vec![10, 11, 12, 13, 14, 15],
            sampled: vec![false, true, true, false, true, false],
            logprobs: vec![0.0, -1.0, -2.0, 0.0, -4.0, 0.0],
            ..TokenTrace::default()
        };
        let datum = datum(&trace, 0).expect("something was sampled");
        assert_eq!(datum.ids, [10, 11, 12, 13, 14]);
        assert_eq!(datum.weights, [0.25, 0.25, 0.0, 0.25]);
        assert_eq!(datum.old_logprobs, [-1.0, -2.0, 0.0, -4.0]);
        assert_eq!(datum.advantages, [-0.5, -0.5, 0.0, -0.5]);
    }

    #[test]
    fn what_an_earlier_sequence_has_counts_there() {
        let trace = TokenTrace {
            ids: vec![10, 11, 12, 13],
            sampled: vec![false, true, false, true],
            logprobs: vec![0.0, -1.0, 0.0, -3.0],
            ..TokenTrace::default()
        };
        let datum = datum(&trace, 2).expect("one is its own");
        assert_eq!((datum.ids.len(), datum.weights), (4, vec![0.0, 0.0, 0.25]));
        assert_eq!(datum.old_logprobs, [0.0, 0.0, -3.0]);
        assert_eq!(targets(Sequence { trace: &trace, from: 2 }), 1);
    }

    #[test]
    fn an_episode_without_sampled_ids_gives_nothing() {
        assert!(datum(&TokenTrace::default(), 0).is_none());
    }
}
