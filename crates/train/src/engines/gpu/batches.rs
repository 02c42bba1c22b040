//! Which sequences are computed together in training, so that memory is bounded.

use std::cmp::Reverse;

use super::super::Datum;
use super::super::local::training::target::{Target, Targets, rows};

/// Sequences of about the same length, padded at the end; what comes after the last target that counts is left out.
pub(super) struct Batch {
    /// Sequence by sequence.
    pub(super) ids: Vec<u32>,
    pub(super) sequences: usize,
    /// Ids of each sequence.
    pub(super) length: usize,
    /// Their rows count all ids.
    pub(super) targets: Vec<Target>,
}

/// Micro-batches of at most so many ids, padding included, unless one sequence alone has more; longest sequences first.
pub(super) fn plan(data: &[Datum], targets: Targets, most: usize) -> Vec<Batch> {
    let length = |index: usize| rows(&data[index], targets);
    let mut order: Vec<usize> = (0..data.len()).filter(|&index| length(index) > 0).collect();
    order.sort_by_key(|&index| (Reverse(length(index)), index));
    let mut batches: Vec<Batch> = Vec::new();
    for index in order {
        let fits = |batch: &&mut Batch| (batch.sequences + 1) * batch.length <= most;
        match batches.last_mut().filter(fits) {
            Some(batch) => batch.push(data, index, targets),
            None => {
                let mut batch = Batch { ids: Vec::new(), sequences: 0, length: length(index), targets: Vec::new() };
                batch.push(data, index, targets);
                batches.push(batch);
            }
        }
    }
    batches
}

impl Batch {
    fn push(&mut self, data: &[Datum], index: usize, targets: Targets) {
        let (datum, first) = (&data[index], self.ids.len());
        self.ids.extend(&datum.ids[..rows(datum, targets)]);
        self.sequences += 1;
        self.ids.resize(self.sequences * self.length, 0);
        self.targets.extend(Target::of(index, datum, targets).map(|it| Target { row: first + it.row, ..it }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_planned_once_and_no_batch_is_larger_than_it_may_be() {
        let datum = |&length: &usize| Datum { ids: vec![1; length], ..Datum::default() };
        let data: Vec<Datum> = [3000, 1, 900, 0, 5000, 2, 900, 1000].iter().map(datum).collect();
        let batches = plan(&data, Targets::All, 4096);
        let mut sources: Vec<_> = batches.iter().flat_map(|batch| &batch.targets).map(|target| target.source).collect();
        sources.sort_unstable();
        let expected = |(index, datum): (usize, &Datum)| (1..datum.ids.len()).map(move |at| (index, at - 1));
        assert_eq!(sources, data.iter().enumerate().flat_map(expected).collect::<Vec<_>>());
        let sizes: Vec<_> = batches.iter().map(|batch| (batch.sequences, batch.length)).collect();
        assert_eq!(sizes, [(1, 4999), (1, 2999), (4, 999)]);
        assert!(batches.iter().all(|batch| batch.ids.len() == batch.sequences * batch.length));
        let second = batches[2].targets.iter().find(|target| target.source == (2, 0));
        assert_eq!(second.expect("it is there").row, 999);
    }
}
