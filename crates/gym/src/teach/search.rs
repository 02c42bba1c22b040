//! The diligent search for a culprit, shared by the skills that have to find one: read the failing function, run the
//! documented examples of each function that it calls, go down where they fail.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Function, check, find_definition, find_examples, function};
use crate::episode::Observation;
use crate::tree::Tree;

/// A search in progress.
pub struct Search {
    tree: Arc<Tree>,
    suspect: Function,
    unchecked: VecDeque<Function>,
    next: Next,
}

enum Next {
    Locate,
    Read,
    ShowExamples,
    RunExamples,
    Judge,
}

/// What the search wants now.
pub enum Move {
    /// Run this command and come back with what it shows.
    Run(String),
    /// This function is the culprit.
    Found(Function),
}

impl Search {
    /// A search that starts at the function of the failing call.
    pub fn new(tree: Arc<Tree>, failing: Function) -> Self {
        Self { tree, suspect: failing, unchecked: VecDeque::new(), next: Next::Locate }
    }

    /// The next move, given what the last command showed.
    pub fn step(&mut self, observations: &[Observation]) -> Move {
        if matches!(self.next, Next::Judge) {
            self.judge(failed(observations));
        }
        match self.next {
            Next::Locate => {
                self.next = Next::Read;
                Move::Run(find_definition(&self.suspect.name))
            }
            Next::Read => {
                let known = |name: &String| function(&self.tree, name).ok();
                self.unchecked = self.suspect.callees.iter().filter_map(known).collect();
                self.next = Next::ShowExamples;
                Move::Run(format!("cat {}", self.suspect.path))
            }
            Next::ShowExamples => match self.unchecked.front() {
                Some(callee) => {
                    self.next = Next::RunExamples;
                    Move::Run(find_examples(&callee.name))
                }
                None => Move::Found(self.suspect.clone()),
            },
            Next::RunExamples => {
                let callee = self.unchecked.front().expect("examples are shown for an unchecked function");
                self.next = Next::Judge;
                Move::Run(check(&callee.path, &callee.examples))
            }
            Next::Judge => unreachable!("judging always chooses the next move"),
        }
    }

    /// A callee whose examples fail becomes the suspect, and what it calls is read next; its siblings are cleared.
    fn judge(&mut self, failed: bool) {
        let callee = self.unchecked.pop_front().expect("a judged function was unchecked");
        self.next = Next::ShowExamples;
        if failed {
            self.unchecked.clear();
            self.next = if callee.callees.is_empty() { Next::ShowExamples } else { Next::Read };
            self.suspect = callee;
        }
    }
}

/// Whether a check showed anything but `True`.
pub fn failed(observations: &[Observation]) -> bool {
    !observations.iter().all(|seen| seen.text.split_whitespace().all(|word| word == "True"))
}
