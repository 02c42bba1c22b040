//! One validated bug, from which tasks of several skills are derived.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::project::{Origin, TestSetup};
use crate::tree::Tree;

/// A test: `path/to/test_file.py::test_name`, or `…::Class::test_name`, or with `[parameters]` at the end.
pub type TestId = String;

/// A bug that execution has confirmed: the fixed tree passes its tests, the buggy tree fails some of them. Its trees are stored apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BugRecord {
    /// Content hash of the trees and the test lists; groups all tasks made from this bug.
    pub id: String,
    /// Name of the project.
    pub project: String,
    /// Where the project came from.
    pub origin: Origin,
    /// How its tests are run.
    pub tests: TestSetup,
    /// The healthy tree, with all tests.
    #[serde(skip)]
    pub fixed: Tree,
    /// The same tree with the bug, with all tests.
    #[serde(skip)]
    pub buggy: Tree,
    /// In what the buggy tree differs from the healthy one.
    pub change: Change,
    /// Tests that fail on the buggy and pass on the fixed tree, sorted.
    pub fail_to_pass: Vec<TestId>,
    /// Tests that pass on both, sorted.
    pub pass_to_pass: Vec<TestId>,
    /// Those of them that graded runs hold: all, or for long suites those that may notice a change of the broken function and one
    /// for every other function. Sorted.
    pub guards: Vec<TestId>,
    /// Processor time that a run of fail-to-pass tests and guards may take; nothing where the wall time is limit enough.
    pub processor: Option<Duration>,
    /// What was seen when the fail-to-pass tests ran on the buggy tree; at least one.
    pub symptoms: Vec<Symptom>,
    /// What people wrote about the bug when they repaired it, as far as it tells nothing of the repair.
    pub report: Option<String>,
    /// Calls of the first function of the change, as tests make them, as source with literal arguments. Not recorded for generated
    /// packages.
    pub calls: Vec<String>,
    /// What a model has added, as far as it holds.
    #[serde(default)]
    pub words: Words,
}

/// What a model has written about a bug from what is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// The report, and the call of the symptom that it is about.
    pub issue: Option<(String, String)>,
    /// What has to be changed.
    pub instruction: Option<String>,
    /// Mistakes that somebody could make in the first function of the change, as edits of the healthy file.
    #[serde(default)]
    pub mistakes: Vec<Mutation>,
}

/// In what a buggy tree differs from the healthy one: one mutation, several, or a commit that was taken back. Which bytes differ is
/// in the trees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Every place that differs, at least one; first the one that the failing tests are about.
    pub places: Vec<Place>,
    /// Files without which not every fail-to-pass test passes again, as execution has shown.
    pub necessary: BTreeSet<String>,
}

impl Change {
    /// The place that the failing tests are about.
    pub fn main(&self) -> &Place {
        &self.places[0]
    }

    /// Whether it is a commit that was taken back.
    pub fn is_history(&self) -> bool {
        self.main().by == HISTORY
    }

    /// All files that differ.
    pub fn paths(&self) -> BTreeSet<String> {
        self.places.iter().map(|place| place.path.clone()).collect()
    }
}

/// What made a place when no operator did: a commit that was taken back.
pub const HISTORY: &str = "history";

/// A place in a healthy file where the buggy one differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, relative to the project.
    pub path: String,
    /// Innermost function around it, `name` or `Class.name`; empty outside functions.
    pub function: String,
    /// Its line in the healthy file, from 1.
    pub line: usize,
    /// Its first byte in the healthy file.
    pub start: usize,
    /// What made the difference: the name of an operator, or [`HISTORY`].
    pub by: String,
}

/// One edit of one source file, in bytes of the healthy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutation {
    /// The operator's name, for example `relational_boundary`.
    pub operator: String,
    /// The file, relative to the project.
    pub path: String,
    /// First byte that is replaced.
    pub start: usize,
    /// One past the last byte that is replaced.
    pub end: usize,
    /// What stood there.
    pub before: String,
    /// What stands there now.
    pub after: String,
    /// Innermost function around the edit, `name` or `Class.name`.
    pub function: String,
    /// Line of the edit in the healthy file, from 1.
    pub line: usize,
}

impl Mutation {
    /// Where it is.
    pub fn place(&self) -> Place {
        let (path, function, by) = (self.path.clone(), self.function.clone(), self.operator.clone());
        Place { path, function, line: self.line, start: self.start, by }
    }

    /// The file with the edit made.
    pub fn apply(&self, source: &str) -> String {
        format!("{}{}{}", &source[..self.start], self.after, &source[self.end..])
    }
}

/// What a failing test showed, taken from the running frame and not from printed text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symptom {
    /// The test that failed.
    pub test: TestId,
    /// The call under test as source, for example `clamp(3, 5, 9)`, when the failing assertion compares one with a value.
    pub call: Option<String>,
    /// `repr` of what the call gave on the buggy tree.
    pub actual: Option<String>,
    /// `repr` of what it gives on the fixed tree.
    pub expected: Option<String>,
    /// Class and message when something was raised instead.
    pub exception: Option<String>,
}
