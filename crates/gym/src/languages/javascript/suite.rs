//! The tests of a file as syntax: which calls declare them, how they are nested, and the file without some of them.

use std::collections::BTreeSet;
use std::ops::Range;

use tree_sitter::Node;

use super::syntax::{is_function, parse, text_of};
use crate::record::TestId;

/// Calls that declare a test, and calls that only hold tests.
const TESTS: [&str; 4] = ["test", "it", "specify", "bench"];
const SUITES: [&str; 3] = ["describe", "suite", "context"];

/// A call that declares a test or a suite.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declaration<'tree> {
    /// The call.
    pub(super) call: Node<'tree>,
    /// Its first argument.
    pub(super) title: Node<'tree>,
    /// Whether it only holds tests.
    pub(super) is_suite: bool,
}

/// The declaration that a node is.
pub(super) fn declaration<'tree>(node: Node<'tree>, source: &str) -> Option<Declaration<'tree>> {
    if node.kind() != "call_expression" {
        return None;
    }
    let callee = node.child_by_field_name("function")?;
    let arguments = node.child_by_field_name("arguments").filter(|node| node.kind() == "arguments")?;
    let title = arguments.named_child(0)?;
    let words: Vec<&str> = source[callee.byte_range()].split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let first = *words.first()?;
    let last = *words.iter().rfind(|word| !word.is_empty())?;
    let is = |names: &[&str]| names.contains(&first);
    let mut cursor = arguments.walk();
    // `t.test('name', () => …)`, but not `/pattern/.test('text')`.
    let is_sub = matches!(last, "test" | "it") && arguments.named_children(&mut cursor).any(is_function);
    let is_test = is(&TESTS) || is_sub;
    (is_test || is(&SUITES)).then_some(Declaration { call: node, title, is_suite: !is_test })
}

/// Whether a file declares a test.
pub fn has_tests(source: &str) -> bool {
    let tree = parse(source);
    holds_tests(tree.root_node(), source)
}

fn holds_tests(node: Node, source: &str) -> bool {
    declaration(node, source).is_some_and(|own| !own.is_suite)
        || node.named_children(&mut node.walk()).any(|child| holds_tests(child, source))
}

/// The test file without the given tests, or `None` when no test is left in it. A test whose title is computed goes when one of the
/// tests is not found by its title; a suite that loses its last test goes with it.
pub(super) fn remove_tests(source: &str, ids: &[TestId]) -> Option<String> {
    let wanted: BTreeSet<&str> = ids.iter().filter_map(|id| Some(id.split_once("::")?.1)).collect();
    let tree = parse(source);
    let known = titles(tree.root_node(), source);
    let computed_too = wanted.iter().any(|title| !known.contains(*title));
    let removal = Removal { source, wanted, computed_too };
    let mut ranges = Vec::new();
    let stays = removal.collect(tree.root_node(), "", &mut ranges);
    let mut text = source.to_owned();
    for range in ranges.into_iter().rev() {
        text.replace_range(range, "");
    }
    stays.then_some(text)
}

/// The titles of all tests that can be read, with those of what is around them.
pub(super) fn titles(root: Node, source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect_titles(root, "", source, &mut found);
    found
}

fn collect_titles(node: Node, path: &str, source: &str, found: &mut BTreeSet<String>) {
    let own = declaration(node, source).and_then(|it| joined(path, it.title, source));
    found.extend(own.clone());
    let path = own.as_deref().unwrap_or(path);
    node.named_children(&mut node.walk()).for_each(|child| collect_titles(child, path, source, found));
}

/// The calls of all tests whose titles can be read, by these titles.
pub(super) fn texts<'source>(root: Node, source: &'source str) -> Vec<(String, &'source str)> {
    let mut found = Vec::new();
    collect_texts(root, "", source, &mut found);
    found
}

fn collect_texts<'source>(node: Node, path: &str, source: &'source str, found: &mut Vec<(String, &'source str)>) {
    let own = declaration(node, source);
    let title = own.and_then(|it| joined(path, it.title, source));
    if let (Some(own), Some(title)) = (own, &title)
        && !own.is_suite
    {
        found.push((title.clone(), &source[own.call.byte_range()]));
    }
    let path = title.as_deref().unwrap_or(path);
    node.named_children(&mut node.walk()).for_each(|child| collect_texts(child, path, source, found));
}

/// The title behind those around it, if it can be read.
pub(super) fn joined(path: &str, title: Node, source: &str) -> Option<String> {
    let own = unescaped(&source[text_of(title)?])?;
    Some(if path.is_empty() { own } else { format!("{path}::{own}") })
}

/// What a literal stands for; `None` for escapes beyond those of quotes.
fn unescaped(literal: &str) -> Option<String> {
    let mut text = String::new();
    let mut letters = literal.chars();
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\\' => letters.next().filter(|next| matches!(next, '\\' | '\'' | '"' | '`'))?,
            letter => letter,
        });
    }
    Some(text)
}

struct Removal<'a> {
    source: &'a str,
    wanted: BTreeSet<&'a str>,
    computed_too: bool,
}

impl Removal<'_> {
    /// Collects whole statements in order. Returns whether a test stays.
    fn collect(&self, node: Node, path: &str, ranges: &mut Vec<Range<usize>>) -> bool {
        let Some(own) = declaration(node, self.source) else {
            let mut cursor = node.walk();
            let children: Vec<Node> = node.named_children(&mut cursor).collect();
            return children.into_iter().fold(false, |stays, child| self.collect(child, path, ranges) | stays);
        };
        let title = joined(path, own.title, self.source);
        let goes = match &title {
            Some(title) => self.wanted.contains(title.as_str()),
            None => self.computed_too && !own.is_suite,
        };
        if goes {
            ranges.push(statement(node, self.source));
            return false;
        }
        let before = ranges.len();
        let path = title.as_deref().unwrap_or(path);
        let inside = own.call.child_by_field_name("arguments").is_some_and(|it| self.collect(it, path, ranges));
        if own.is_suite && !inside && ranges.len() > before {
            ranges.truncate(before);
            ranges.push(statement(node, self.source));
            return false;
        }
        inside || !own.is_suite
    }
}

/// The bytes of the statement around a call, with the rest of its lines if nothing else stands there.
fn statement(call: Node, source: &str) -> Range<usize> {
    let around = std::iter::successors(Some(call), Node::parent).find(|node| node.kind() == "expression_statement");
    let node = around.unwrap_or(call);
    let start = source[..node.start_byte()].rfind('\n').map_or(0, |at| at + 1);
    let end = source[node.end_byte()..].find('\n').map_or(source.len(), |at| node.end_byte() + at + 1);
    let alone = source[start..node.start_byte()].trim().is_empty()
        && source[node.end_byte()..end].trim_matches([';', ' ', '\t', '\r', '\n']).is_empty();
    if alone { start..end } else { node.byte_range() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::syntax::is_valid;

    const TESTS: &str = "\
import test, {describe, it} from 'node:test';

test('adds', () => {
  assert.equal(/a/.test('adds'), false);
});

describe('outer', () => {
  it('don\\'t', async () => {});
  it.skip('other', () => {});
});

test('parent', async t => {
  await t.test('child', () => {});
});

for (const n of [1, 2]) {
  test(`is ${n}`, () => {});
}
";

    fn left(titles: &[&str]) -> Option<String> {
        let ids: Vec<TestId> = titles.iter().map(|title| format!("test/a.test.js::{title}")).collect();
        remove_tests(TESTS, &ids)
    }

    #[test]
    fn removed_tests_take_their_statement_and_nothing_else() {
        let text = left(&["adds", "outer::don't"]).expect("tests are left");
        assert!(!text.contains("adds") && !text.contains("don") && text.contains("other"), "{text}");
        assert!(is_valid(&text), "{text}");
    }

    #[test]
    fn a_suite_goes_with_its_last_test_and_a_test_stays_without_its_parts() {
        let text = left(&["outer::don't", "outer::other", "parent::child"]).expect("tests are left");
        assert!(!text.contains("outer") && text.contains("parent") && !text.contains("child"), "{text}");
        assert!(is_valid(&text), "{text}");
    }

    #[test]
    fn a_test_with_a_computed_title_goes_when_a_title_is_not_found() {
        let text = left(&["is 2"]).expect("tests are left");
        assert!(!text.contains("is $") && text.contains("adds"), "{text}");
    }

    #[test]
    fn a_file_without_tests_is_dropped() {
        assert_eq!(left(&["adds", "outer::don't", "outer::other", "parent", "is 1"]), None);
    }
}
