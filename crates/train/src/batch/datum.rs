//! One episode as a training sequence.

use basis_gym::episode::TokenTrace;

use crate::engines::Datum;

/// The sequence of `trace`; each sampled id weighs `weight` and carries `advantage`, all others weigh nothing.
///
/// What follows the last sampled id is cut off. `None` when nothing was sampled behind a first id.
pub fn datum(trace: &TokenTrace, weight: f32, advantage: f32) -> Option<Datum> {
    let last = trace.sampled.iter().rposition(|sampled| *sampled).filter(|last| *last > 0)?;
    let targets = &trace.sampled[1..=last];
    let pick = |value: f32| targets.iter().map(|sampled| if *sampled { value } else { 0.0 }).collect();
    Some(Datum {
        ids: trace.ids[..=last].to_vec(),
        weights: pick(weight),
        old_logprobs: trace.logprobs[1..=last].to_vec(),
        advantages: pick(advantage),
    })
}

/// How many targets [`datum`] would train on.
pub(super) fn targets(trace: &TokenTrace) -> usize {
    trace.sampled.iter().skip(1).filter(|sampled| **sampled).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sampled_ids_are_trained_on() {
        let trace = TokenTrace {
            ids: vec![10, 11, 12, 13, 14, 15],
            sampled: vec![false, true, true, false, true, false],
            logprobs: vec![0.0, -1.0, -2.0, 0.0, -4.0, 0.0],
            ..TokenTrace::default()
        };
        let datum = datum(&trace, 0.25, -0.5).expect("something was sampled");
        assert_eq!(datum.ids, [10, 11, 12, 13, 14]);
        assert_eq!(datum.weights, [0.25, 0.25, 0.0, 0.25]);
        assert_eq!(datum.old_logprobs, [-1.0, -2.0, 0.0, -4.0]);
        assert_eq!(datum.advantages, [-0.5, -0.5, 0.0, -0.5]);
    }

    #[test]
    fn an_episode_without_sampled_ids_gives_nothing() {
        assert!(datum(&TokenTrace::default(), 1.0, 1.0).is_none());
    }
}
