//! Which thread trains on which sequences, packed into which micro-batches.
//!
//! Sequences that begin alike, as the episodes of one task do, become a tree: what they have in common is computed once. A row's result
//! depends only on the ids up to it, so nothing changes but the order in which gradients are summed.

use std::cmp::Reverse;
use std::ops::Range;

use super::super::super::Datum;
use super::target::{Target, Targets, rows};

/// Rows in a micro-batch, unless one tree alone has more: small enough for the caches, large enough for matrix products.
const ROWS: usize = 512;
/// Rows in a tree of several sequences.
const TREE_ROWS: usize = 1024;
/// Sequences belong to one tree if they have at least one in so many ids in common: less is not worth that one thread alone works on it.
const COMMON_SHARE: usize = 4;

/// Trees of sequences without padding, one after the other.
#[derive(Default)]
pub(crate) struct MicroBatch {
    /// Input ids of all rows.
    pub(crate) ids: Vec<u32>,
    /// Position of each row in its sequence.
    pub(crate) positions: Vec<u32>,
    /// Every row belongs to one segment.
    pub(crate) segments: Vec<Segment>,
    /// Rows with targets, in order.
    pub(crate) rows: Vec<usize>,
    /// What is predicted, in the order of rows.
    pub(crate) targets: Vec<Target>,
}

/// Rows that follow each other in a sequence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Segment {
    pub(crate) rows: Range<usize>,
    /// The rows of the sequence before these, in order.
    pub(crate) before: Vec<Range<usize>>,
}

/// Sequences that begin alike, sorted by their ids.
#[derive(Default)]
struct Tree {
    leaves: Vec<Leaf>,
    rows: usize,
    /// Relative to other trees.
    cost: usize,
}

/// A sequence of a tree.
struct Leaf {
    datum: usize,
    rows: usize,
    /// Rows in common with the leaf before.
    common: usize,
}

/// The micro-batches of each thread, balanced by cost; the same input gives the same plan.
pub(crate) fn plan(data: &[Datum], targets: Targets, threads: usize) -> Vec<Vec<MicroBatch>> {
    let mut trees = trees(data, targets, threads);
    trees.sort_by_key(|tree| (Reverse(tree.cost), tree.leaves[0].datum));
    let mut shares: Vec<(usize, Vec<Tree>)> = (0..threads).map(|_| (0, Vec::new())).collect();
    for tree in trees {
        let share = shares.iter_mut().min_by_key(|share| share.0).expect("there is at least one thread");
        share.0 += tree.cost;
        share.1.push(tree);
    }
    shares.into_iter().map(|(_, share)| pack(data, targets, &share)).collect()
}

/// Every sequence with targets that count, in a tree; none has so much that other threads would wait.
fn trees(data: &[Datum], targets: Targets, threads: usize) -> Vec<Tree> {
    let ids = |datum: usize| &data[datum].ids[..rows(&data[datum], targets)];
    let mut order: Vec<usize> = (0..data.len()).filter(|&datum| !ids(datum).is_empty()).collect();
    // Sorted, each sequence has its longest common beginning with one of its neighbours.
    order.sort_by(|&a, &b| ids(a).cmp(ids(b)).then(a.cmp(&b)));
    let most = TREE_ROWS.min(order.iter().map(|&datum| ids(datum).len()).sum::<usize>() / threads);
    let mut trees: Vec<Tree> = Vec::new();
    for datum in order {
        let rows = ids(datum).len();
        let common = |last: &Leaf| ids(last.datum).iter().zip(ids(datum)).take_while(|(a, b)| a == b).count();
        let common = trees.last().and_then(|tree| tree.leaves.last()).map_or(0, common);
        match trees.last_mut() {
            Some(tree) if common * COMMON_SHARE >= rows && tree.rows + rows - common <= most => {
                tree.push(Leaf { datum, rows, common });
            }
            _ => {
                trees.push(Tree::default());
                trees.last_mut().expect("it was pushed").push(Leaf { datum, rows, common: 0 });
            }
        }
    }
    trees
}

impl Tree {
    fn push(&mut self, leaf: Leaf) {
        let new = leaf.rows - leaf.common;
        self.rows += new;
        // Products with weights grow with the rows, attention with the keys that they see.
        self.cost += new * (2048 + leaf.rows + leaf.common);
        self.leaves.push(leaf);
    }
}

fn pack(data: &[Datum], targets: Targets, share: &[Tree]) -> Vec<MicroBatch> {
    let mut batches: Vec<MicroBatch> = Vec::new();
    for tree in share {
        match batches.last_mut() {
            Some(batch) if batch.ids.len() + tree.rows <= ROWS => batch.push(data, tree, targets),
            _ => {
                let mut batch = MicroBatch::default();
                batch.push(data, tree, targets);
                batches.push(batch);
            }
        }
    }
    batches
}

impl MicroBatch {
    fn push(&mut self, data: &[Datum], tree: &Tree, targets: Targets) {
        // The row of each position of the sequence at hand.
        let mut path: Vec<usize> = Vec::new();
        let mut found = Vec::new();
        for &Leaf { datum: index, rows, common } in &tree.leaves {
            let datum = &data[index];
            path.truncate(common);
            let new = self.ids.len()..self.ids.len() + rows - common;
            self.ids.extend(&datum.ids[common..rows]);
            self.positions.extend(common as u32..rows as u32);
            if !new.is_empty() {
                self.segments.push(Segment { rows: new.clone(), before: runs(&path) });
            }
            path.extend(new);
            found.extend(Target::of(index, datum, targets).map(|target| Target { row: path[target.row], ..target }));
        }
        found.sort_by_key(|target| (target.row, target.source));
        for target in found {
            if self.rows.last() != Some(&target.row) {
                self.rows.push(target.row);
            }
            self.targets.push(Target { row: self.rows.len() - 1, ..target });
        }
    }
}

/// Rows as runs of rows that follow each other.
fn runs(rows: &[usize]) -> Vec<Range<usize>> {
    let runs = rows.chunk_by(|a, b| a + 1 == *b);
    runs.map(|run| run[0]..run[run.len() - 1] + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence whose target at `last` alone counts.
    fn datum(ids: Vec<u32>, last: usize) -> Datum {
        let weights = (0..ids.len() - 1).map(|at| if at == last { 1.0 } else { 0.0 }).collect();
        Datum { ids, weights, ..Datum::default() }
    }

    #[test]
    fn every_weighted_target_is_planned_once_and_what_follows_the_last_is_left_out() {
        let data = [datum(vec![1; 10], 3), datum(vec![2; 700], 698), datum(vec![3; 4], 9), datum(vec![4; 300], 0)];
        let plans = plan(&data, Targets::Weighted, 2);
        let batches: Vec<&MicroBatch> = plans.iter().flatten().collect();
        let mut sources: Vec<_> = batches.iter().flat_map(|batch| &batch.targets).map(|target| target.source).collect();
        sources.sort_unstable();
        assert_eq!(sources, [(0, 3), (1, 698), (3, 0)]);
        assert_eq!(batches.iter().map(|batch| batch.ids.len()).sum::<usize>(), 4 + 699 + 1);
    }

    #[test]
    fn what_sequences_have_in_common_is_one_row_each() {
        let with = |end: &[u32]| [&[7; 20][..], end].concat();
        let data = [
            datum(with(&[1, 2, 3, 4, 0]), 23),
            datum(with(&[1, 2, 9, 9, 9, 0]), 24),
            datum(with(&[1, 2, 3, 4, 0]), 23),
            datum(with(&[5, 0]), 20),
        ];
        let plans = plan(&data, Targets::Weighted, 3);
        let [batch] = &plans.into_iter().flatten().collect::<Vec<_>>()[..] else { panic!("one tree is one batch") };
        assert_eq!(batch.ids, [with(&[1, 2, 3, 4]), vec![9, 9, 9], vec![5]].concat());
        assert_eq!(batch.positions[20..], [20, 21, 22, 23, 22, 23, 24, 20]);
        let segment = |rows, before: Option<Range<usize>>| Segment { rows, before: before.into_iter().collect() };
        assert_eq!(batch.segments, [segment(0..24, None), segment(24..27, Some(0..22)), segment(27..28, Some(0..20))]);
        assert_eq!(batch.rows, [23, 26, 27]);
        let targets: Vec<_> = batch.targets.iter().map(|target| (target.row, target.source)).collect();
        assert_eq!(targets, [(0, (0, 23)), (0, (2, 23)), (1, (1, 24)), (2, (3, 20))]);
    }

    #[test]
    fn little_in_common_is_not_worth_a_tree_and_every_thread_has_work() {
        let data: Vec<Datum> = (0..6).map(|number| datum([vec![7; 20], vec![number; 200]].concat(), 218)).collect();
        assert!(plan(&data, Targets::Weighted, 2).iter().all(|batches| !batches.is_empty()));
        let data: Vec<Datum> = (0..2).map(|number| datum([vec![7; 200], vec![number; 100]].concat(), 298)).collect();
        assert!(plan(&data, Targets::Weighted, 2).iter().all(|batches| !batches.is_empty()));
    }

    #[test]
    fn a_tree_does_not_grow_without_bound() {
        let data: Vec<Datum> = (0..20).map(|number| datum([vec![7; 100], vec![number; 200]].concat(), 298)).collect();
        let batches: Vec<MicroBatch> = plan(&data, Targets::Weighted, 2).into_iter().flatten().collect();
        assert!(batches.iter().all(|batch| batch.ids.len() <= TREE_ROWS));
        assert_eq!(batches.iter().map(|batch| batch.targets.len()).sum::<usize>(), 20);
    }
}
