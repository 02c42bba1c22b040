//! Which thread trains on which sequences, packed into which micro-batches.

use std::ops::Range;

use super::super::super::Datum;

/// Rows in a micro-batch, unless one sequence alone has more: small enough for the caches, large enough for matrix products.
const ROWS: usize = 512;

/// Sequences without padding, one after the other.
#[derive(Default)]
pub(crate) struct MicroBatch {
    /// Input ids of all rows.
    pub(crate) ids: Vec<u32>,
    /// Position of each row in its sequence.
    pub(crate) positions: Vec<u32>,
    /// The rows of each sequence.
    pub(crate) sequences: Vec<Range<usize>>,
    /// What is predicted, in the order of rows.
    pub(crate) targets: Vec<Target>,
}

/// One prediction.
pub(crate) struct Target {
    /// The row that predicts it.
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

/// The micro-batches of each thread, balanced by cost; the same input gives the same plan.
pub(crate) fn plan(data: &[Datum], targets: Targets, threads: usize) -> Vec<Vec<MicroBatch>> {
    let mut order: Vec<(usize, usize)> = (0..data.len()).map(|datum| (rows(&data[datum], targets), datum)).collect();
    order.retain(|&(rows, _)| rows > 0);
    order.sort_by_key(|&(rows, datum)| (std::cmp::Reverse(rows), datum));
    let mut shares = vec![(0, Vec::new()); threads];
    for (rows, datum) in order {
        let share = shares.iter_mut().min_by_key(|share| share.0).expect("there is at least one thread");
        share.0 += cost(rows);
        share.1.push((rows, datum));
    }
    shares.into_iter().map(|(_, share)| pack(data, targets, &share)).collect()
}

/// Rows up to the last target that counts; what follows it has no effect.
fn rows(datum: &Datum, targets: Targets) -> usize {
    match targets {
        Targets::All => datum.ids.len().saturating_sub(1),
        Targets::Weighted => datum.weights.iter().rposition(|&weight| weight != 0.0).map_or(0, |last| last + 1),
    }
}

/// Relative cost of a sequence: products with weights grow with its length, attention with the square.
fn cost(rows: usize) -> usize {
    rows * (2048 + rows)
}

fn pack(data: &[Datum], targets: Targets, share: &[(usize, usize)]) -> Vec<MicroBatch> {
    let mut batches: Vec<MicroBatch> = Vec::new();
    for &(rows, datum) in share {
        match batches.last_mut() {
            Some(batch) if batch.ids.len() + rows <= ROWS => batch.push(data, datum, rows, targets),
            _ => {
                let mut batch = MicroBatch::default();
                batch.push(data, datum, rows, targets);
                batches.push(batch);
            }
        }
    }
    batches
}

impl MicroBatch {
    fn push(&mut self, data: &[Datum], index: usize, rows: usize, targets: Targets) {
        let datum = &data[index];
        let begin = self.ids.len();
        self.sequences.push(begin..begin + rows);
        self.ids.extend(&datum.ids[..rows]);
        self.positions.extend(0..rows as u32);
        let value = |values: &[f32], at: usize| values.get(at).copied().unwrap_or(0.0);
        for at in 0..rows {
            if targets == Targets::All || datum.weights[at] != 0.0 {
                self.targets.push(Target {
                    row: begin + at,
                    id: datum.ids[at + 1],
                    weight: value(&datum.weights, at),
                    old_logprob: value(&datum.old_logprobs, at),
                    advantage: value(&datum.advantages, at),
                    source: (index, at),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weighted_target_is_planned_once_and_what_follows_the_last_is_left_out() {
        let datum = |length: usize, last: usize| Datum {
            ids: vec![1; length],
            weights: (0..length - 1).map(|at| if at == last { 1.0 } else { 0.0 }).collect(),
            ..Datum::default()
        };
        let data = [datum(10, 3), datum(700, 698), datum(4, 9), datum(300, 0)];
        let plans = plan(&data, Targets::Weighted, 2);
        let batches: Vec<&MicroBatch> = plans.iter().flatten().collect();
        let mut sources: Vec<_> = batches.iter().flat_map(|batch| &batch.targets).map(|target| target.source).collect();
        sources.sort_unstable();
        assert_eq!(sources, [(0, 3), (1, 698), (3, 0)]);
        assert_eq!(batches.iter().map(|batch| batch.ids.len()).sum::<usize>(), 4 + 699 + 1);
    }
}
