//! What a language knows of code that agents write to be run: tests for a function, and scripts that show an issue.
//!
//! Such code is judged on several versions of a project. What is said here of a version is text for text; nothing is executed.

use crate::project::TestSetup;
use crate::tree::Tree;

/// Tests to be written down: what calls of a function give.
#[derive(Debug, Clone, Copy)]
pub struct Suite<'a> {
    /// How the project is tested.
    pub tests: &'a TestSetup,
    /// The file of the function.
    pub path: &'a str,
    /// The function.
    pub function: &'a str,
    /// What [`Authoring::names`] gave for the file of the tests.
    pub names: &'a str,
    /// Calls and their values.
    pub facts: &'a [(String, String)],
}

/// Code that is handed in, as one language has it.
pub trait Authoring: Sync {
    /// Where new tests of a function are handed in, if `beside` is a test file of the project.
    fn test_path(&self, beside: &str, function: &str) -> String;

    /// What tests look like, for the prompt.
    fn test_form(&self) -> &'static str;

    /// Where a script for an issue is handed in.
    fn script_path(&self) -> &'static str;

    /// What such a script is, for the prompt.
    fn script_form(&self) -> &'static str;

    /// Whether a version takes a compiler, so that fewer are tried.
    fn is_compiled(&self) -> bool {
        false
    }

    /// Whether calls are evaluated in a file with names of their own; else in the module of their function.
    fn has_own_places(&self) -> bool {
        true
    }

    /// What a call in a test file means something else without: what the file itself makes of the names in it, as source that can be read and
    /// run alone. Empty when the names are what the project calls them.
    fn set_up(&self, _source: &str, _call: &str) -> String {
        String::new()
    }

    /// What a file at `to` begins with, so that it can use the names that the test file `from` of the tree has; `None` when they cannot be
    /// used there.
    fn names(&self, tree: &Tree, tests: &TestSetup, from: &str, to: &str) -> Option<String>;

    /// A test file with `names` alone: a place in which calls can be evaluated.
    fn place(&self, names: &str) -> String;

    /// Tests that compare each call with its value.
    fn suite(&self, suite: &Suite<'_>) -> String;

    /// A script that compares a call with its value.
    fn script(&self, names: &str, call: &str, expected: &str) -> String;

    /// The text of a test: what stands behind its file in its id.
    fn test_text<'a>(&self, source: &'a str, test: &[&str]) -> Option<&'a str>;

    /// Calls of a function in a file that need no variable, as source in one line, in order of appearance.
    fn calls(&self, source: &str, function: &str) -> Vec<String>;

    /// A call with one of its literals exchanged for a neighbour of the same type.
    fn varied(&self, call: &str) -> Vec<String>;

    /// Calls that mix the arguments of several.
    fn crossed(&self, _calls: &[String]) -> Vec<String> {
        Vec::new()
    }

    /// What is written about a function at the top of a file: its first line, and its documentation in one line without examples.
    fn documentation(&self, source: &str, function: &str) -> (String, String);

    /// The first call that the documentation of a function shows.
    fn documented_call(&self, source: &str, function: &str) -> Option<String>;

    /// Whether the text of a value can be written down and compared.
    fn is_value(&self, text: &str) -> bool;

    /// Files in which a function at the top is written in another way and does the same.
    fn rewrites(&self, source: &str, function: &str) -> Vec<String>;

    /// A file with all of its functions in other words; `None` when nothing could be restated.
    fn restate(&self, path: &str, source: &str) -> Option<String>;

    /// A file that also has a function, `name` or `Class.name`, of another one, where nobody calls it.
    fn idle(&self, own: &str, other: &str, function: &str) -> Option<String>;

    /// A file in which a function, `name` or `Class.name`, makes an empty file at an absolute path when it is entered.
    fn marked(&self, source: &str, function: &str, path: &str) -> Option<String>;

    /// What in a test file runs code that does not stand in it. `tree` is what it is run in.
    fn foreign(&self, suite: &str, tree: &Tree, tests: &TestSetup) -> Option<String>;

    /// What in a test file is the function of a source file again.
    fn embedded(&self, suite: &str, source: &str, function: &str) -> Option<String>;
}

/// Files in other words; `None` when one of them cannot be restated.
pub fn restated(authoring: &dyn Authoring, files: &Tree) -> Option<Tree> {
    let mut tree = Tree::new();
    for path in files.paths() {
        tree.insert(path, authoring.restate(path, files.text(path)?)?);
    }
    Some(tree)
}

/// The tree in which a file also has the function of the same file of another tree, which nobody calls there.
pub fn with_idle(authoring: &dyn Authoring, tree: &Tree, other: &Tree, path: &str, function: &str) -> Tree {
    let mut tree = tree.clone();
    let joined = tree.text(path).zip(other.text(path)).and_then(|(own, other)| authoring.idle(own, other, function));
    if let Some(text) = joined {
        tree.insert(path, text);
    }
    tree
}
