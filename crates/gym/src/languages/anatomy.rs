//! What the files of a project are for, and what in a source is code: how a change to a project is taken apart.

use std::collections::BTreeSet;

use tree_sitter::Node;

/// What a file of a project is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Code of the package: what a repair changes. It may hold tests as well.
    Source,
    /// A test, or something that tests use.
    Test,
    /// What decides how the project is built and its tests are run.
    Config,
    /// Everything else: documentation, changelogs, scripts, generated files.
    Other,
}

/// One word of code and the line that it stands on, from 1. Marks stand for what is no text but counts, such as the end of a block.
pub type Word<'source> = (usize, &'source str);

/// What a language knows of the files of a project that somebody changed.
pub trait Anatomy: Sync {
    /// What the file at a path is for.
    fn class(&self, path: &str) -> Class;

    /// The words of code in order. Comments and the like are none, and neither are tests inside of a source file.
    fn words<'source>(&self, path: &str, source: &'source str) -> Vec<Word<'source>>;

    /// Whether a file has no syntax error that the grammar notices.
    fn is_valid(&self, path: &str, source: &str) -> bool;

    /// Names that a file defines for others: functions, methods, types.
    fn definitions(&self, path: &str, source: &str) -> BTreeSet<String>;

    /// Tests by what stands behind the file in their ids, each with its text.
    fn tests<'source>(&self, source: &'source str) -> Vec<(String, &'source str)>;

    /// Whether a test does the same when others of its file are taken out.
    fn tests_stand_alone(&self) -> bool {
        true
    }

    /// The tests inside of a source file, as text.
    fn inner_tests(&self, _source: &str) -> String {
        String::new()
    }

    /// A source file with the tests of another version of it in the place of its own.
    fn with_inner_tests(&self, source: &str, _other: &str) -> String {
        source.to_owned()
    }

    /// Names by which code refers to a file, other than its path.
    fn modules(&self, _path: &str) -> Vec<String> {
        Vec::new()
    }
}

impl dyn Anatomy + '_ {
    /// Whether two versions of a file have the same code.
    pub fn same_code(&self, path: &str, one: &str, other: &str) -> bool {
        let (one, other) = (self.words(path, one), self.words(path, other));
        one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| one.1 == other.1)
    }

    /// The lines on which there is code.
    pub fn code_lines(&self, path: &str, source: &str) -> BTreeSet<usize> {
        self.words(path, source).into_iter().map(|(line, _)| line).collect()
    }
}

/// Which nodes of a grammar are no code, and which are one word however they are made up.
pub(super) struct Grammar<'a> {
    pub(super) is_left_out: &'a dyn Fn(Node<'_>) -> bool,
    pub(super) whole: &'a [&'a str],
    /// Nodes whose extent counts although nothing may stand for it, as where indentation makes blocks.
    pub(super) blocks: &'a [&'a str],
}

/// The words below a node.
pub(super) fn words<'source>(root: Node<'_>, source: &'source str, grammar: &Grammar<'_>) -> Vec<Word<'source>> {
    let mut words = Vec::new();
    collect(root, source, grammar, &mut words);
    words
}

fn collect<'source>(node: Node<'_>, source: &'source str, grammar: &Grammar<'_>, words: &mut Vec<Word<'source>>) {
    if (grammar.is_left_out)(node) {
        return;
    }
    if node.child_count() == 0 || grammar.whole.contains(&node.kind()) {
        let text = &source[node.byte_range()];
        if !text.trim().is_empty() {
            words.push((node.start_position().row + 1, text));
        }
        return;
    }
    let is_block = grammar.blocks.contains(&node.kind());
    if is_block {
        words.push((node.start_position().row + 1, "{"));
    }
    node.children(&mut node.walk()).for_each(|child| collect(child, source, grammar, words));
    if is_block {
        words.push((node.end_position().row + 1, "}"));
    }
}

/// Whether one of the folders around a path has one of some names.
pub(super) fn lies_in(path: &str, folders: &[&str]) -> bool {
    let around = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    around.split('/').any(|part| folders.contains(&part))
}
