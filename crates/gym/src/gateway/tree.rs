//! The tokens of a session as a tree: turns that continue each other share what they have in common, and a prompt that does not
//! continue any turn begins a branch.

use std::collections::HashSet;

use super::chain::Head;
use crate::episode::{Branch, TokenTrace};

/// All tokens of a session.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

/// One stretch of ids: context, or one sampled turn.
#[derive(Debug)]
struct Node {
    parent: Option<usize>,
    ids: Vec<u32>,
    /// Log-probabilities, when the ids were sampled.
    sampled: Option<Vec<f32>>,
    /// Version of the weights that sampled them.
    version: u64,
    head: Head,
    /// Whether another node continues it.
    continued: bool,
}

impl Tree {
    /// Adds a turn below the longest turn that its prompt continues, and returns its node.
    pub(super) fn add(&mut self, prompt: &[u32], ids: &[u32], logprobs: &[f32], version: u64) -> usize {
        let turns = (0..self.nodes.len()).filter(|node| self.nodes[*node].sampled.is_some());
        let paths = turns.map(|node| (node, self.ids(node))).filter(|(_, path)| prompt.starts_with(path));
        let (parent, covered) =
            paths.max_by_key(|(_, path)| path.len()).map_or((None, 0), |(node, path)| (Some(node), path.len()));
        let context = match &prompt[covered..] {
            [] => parent,
            new => Some(self.context(parent, new)),
        };
        self.push(context, ids, Some((logprobs, version)))
    }

    /// The node for ids that were not sampled; the same ones again are the same node.
    fn context(&mut self, parent: Option<usize>, ids: &[u32]) -> usize {
        let same = |node: &Node| node.parent == parent && node.sampled.is_none() && node.ids == ids;
        self.nodes.iter().position(same).unwrap_or_else(|| self.push(parent, ids, None))
    }

    fn push(&mut self, parent: Option<usize>, ids: &[u32], sampled: Option<(&[f32], u64)>) -> usize {
        if let Some(parent) = parent {
            self.nodes[parent].continued = true;
        }
        let before = parent.map_or(Head::NONE, |parent| self.nodes[parent].head);
        let head = before.link(ids, sampled);
        let (sampled, version) = sampled.map_or((None, 0), |(logprobs, version)| (Some(logprobs.to_vec()), version));
        self.nodes.push(Node { parent, ids: ids.to_vec(), sampled, version, head, continued: false });
        self.nodes.len() - 1
    }

    /// All ids up to the end of a node.
    pub(super) fn ids(&self, node: usize) -> Vec<u32> {
        self.path(node).into_iter().flat_map(|node| self.nodes[node].ids.iter().copied()).collect()
    }

    /// The head of the chain at the end of a node.
    pub(super) fn head(&self, node: usize) -> Head {
        self.nodes[node].head
    }

    /// Whether some turn ends with this head.
    pub(super) fn knows(&self, head: Head) -> bool {
        self.nodes.iter().any(|node| node.sampled.is_some() && node.head == head)
    }

    /// The last turn of each branch.
    pub(super) fn leaves(&self) -> Vec<usize> {
        let is_leaf = |node: &usize| self.nodes[*node].sampled.is_some() && !self.nodes[*node].continued;
        (0..self.nodes.len()).filter(is_leaf).collect()
    }

    /// The branch that ends with a node.
    pub(super) fn trace(&self, node: usize) -> TokenTrace {
        let mut trace = TokenTrace::default();
        let mut newest = None;
        for node in self.path(node) {
            let Node { ids, sampled, version, .. } = &self.nodes[node];
            let from = trace.ids.len();
            trace.ids.extend(ids);
            trace.sampled.extend(std::iter::repeat_n(sampled.is_some(), ids.len()));
            let Some(logprobs) = sampled else {
                trace.logprobs.extend(std::iter::repeat_n(0.0, ids.len()));
                continue;
            };
            trace.logprobs.extend(logprobs);
            match newest.replace(*version) {
                None => trace.weight_version = *version,
                Some(before) if before != *version => trace.takeovers.push((from, *version)),
                Some(_) => {}
            }
        }
        trace
    }

    /// All branches, that of the newest turn first: each sampled node counts in the first branch that has it.
    pub(super) fn branches(&self) -> Vec<Branch> {
        let mut leaves = self.leaves();
        // The newest turn is the last leaf.
        let newest = leaves.pop();
        let mut taken = HashSet::new();
        let mut branch = |leaf: usize| {
            let path = self.path(leaf);
            let known = path.iter().take_while(|node| taken.contains(*node)).count();
            let from = path[..known].iter().map(|node| self.nodes[*node].ids.len()).sum();
            taken.extend(path);
            Branch { trace: self.trace(leaf), from }
        };
        newest.into_iter().chain(leaves).map(&mut branch).collect()
    }

    fn path(&self, node: usize) -> Vec<usize> {
        let mut path: Vec<usize> = std::iter::successors(Some(node), |node| self.nodes[*node].parent).collect();
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::chain;

    #[test]
    fn turns_that_continue_each_other_are_one_branch_and_others_fork() {
        let mut tree = Tree::default();
        let first = tree.add(&[1, 2], &[3], &[-0.1], 0);
        let second = tree.add(&[1, 2, 3, 4], &[5, 6], &[-0.2, -0.3], 0);
        assert_eq!(tree.leaves(), [second]);
        // The same prompt once more, another sample; and a prompt that leaves the first turn out.
        let sibling = tree.add(&[1, 2, 3, 4], &[7], &[-0.4], 0);
        let other = tree.add(&[1, 9], &[3], &[-0.5], 0);
        assert_eq!(tree.leaves(), [second, sibling, other]);
        let trace = tree.trace(second);
        assert_eq!(trace.ids, [1, 2, 3, 4, 5, 6]);
        assert_eq!(trace.sampled, [false, false, true, false, true, true]);
        assert_eq!(trace.logprobs, [0.0, 0.0, -0.1, 0.0, -0.2, -0.3]);
        assert_eq!(tree.ids(sibling), [1, 2, 3, 4, 7]);
        // The newest first; the sibling's first turn counts in the sequence before it.
        let branches = tree.branches();
        let ids: Vec<(&[u32], usize)> = branches.iter().map(|branch| (&branch.trace.ids[..], branch.from)).collect();
        assert_eq!(ids, [(&[1, 9, 3][..], 0), (&[1, 2, 3, 4, 5, 6], 0), (&[1, 2, 3, 4, 7], 4)]);
        assert!(tree.knows(tree.head(first)));
    }

    #[test]
    fn the_head_of_a_branch_follows_from_its_trace() {
        let mut tree = Tree::default();
        tree.add(&[1, 2], &[3], &[-0.1], 4);
        let leaf = tree.add(&[1, 2, 3, 4], &[5, 6], &[-0.2, -0.3], 4);
        let trace = tree.trace(leaf);
        assert_eq!(chain::of(&trace), tree.head(leaf));
        let forged = TokenTrace { logprobs: trace.logprobs.iter().map(|it| it / 2.0).collect(), ..trace };
        assert!(!tree.knows(chain::of(&forged)));
    }

    #[test]
    fn a_branch_says_which_weights_sampled_what() {
        let mut tree = Tree::default();
        tree.add(&[1], &[2], &[-0.1], 4);
        let leaf = tree.add(&[1, 2, 3], &[5, 6], &[-0.2, -0.3], 6);
        let trace = tree.trace(leaf);
        assert_eq!((trace.weight_version, &trace.takeovers[..]), (4, &[(3, 6)][..]));
        assert_eq!(chain::of(&trace), tree.head(leaf));
    }
}
