//! What is predicted: the targets of a sequence that count.

use super::super::super::Datum;
use super::super::super::loss::Sample;

/// One prediction.
pub(crate) struct Target {
    /// The row that predicts it; which rows are counted, whoever holds targets says.
    pub(crate) row: usize,
    pub(crate) id: u32,
    pub(crate) weight: f32,
    pub(crate) old_logprob: f32,
    pub(crate) advantage: f32,
    /// The datum and the index into its vectors.
    pub(crate) source: (usize, usize),
}

/// Which targets of a datum count.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Targets {
    /// All of them.
    All,
    /// Those with a weight.
    Weighted,
}

impl Target {
    /// Those of a datum that count; their rows are positions in it.
    pub(crate) fn of(index: usize, datum: &Datum, targets: Targets) -> impl Iterator<Item = Target> {
        let value = |values: &[f32], at: usize| values.get(at).copied().unwrap_or(0.0);
        let counts = move |&at: &usize| targets == Targets::All || datum.weights[at] != 0.0;
        (0..rows(datum, targets)).filter(counts).map(move |at| Target {
            row: at,
            id: datum.ids[at + 1],
            weight: value(&datum.weights, at),
            old_logprob: value(&datum.old_logprobs, at),
            advantage: value(&datum.advantages, at),
            source: (index, at),
        })
    }

    /// What the loss reads of it.
    pub(crate) fn sample(&self, logprob: f32) -> Sample {
        Sample { logprob, old_logprob: self.old_logprob, advantage: self.advantage }
    }
}

/// Rows up to the last target that counts; what follows it has no effect.
pub(crate) fn rows(datum: &Datum, targets: Targets) -> usize {
    match targets {
        Targets::All => datum.ids.len().saturating_sub(1),
        Targets::Weighted => datum.weights.iter().rposition(|&weight| weight != 0.0).map_or(0, |last| last + 1),
    }
}

/// Values of targets where their data have them; 0 where there is no target.
pub(crate) fn by_datum<'t>(data: &[Datum], values: impl Iterator<Item = (&'t Target, f32)>) -> Vec<Vec<f32>> {
    let mut all: Vec<Vec<f32>> = data.iter().map(|datum| vec![0.0; datum.ids.len().saturating_sub(1)]).collect();
    for (target, value) in values {
        let (datum, at) = target.source;
        all[datum][at] = value;
    }
    all
}
