//! Python syntax as byte ranges: functions of a file, and a test file without some of its tests.

use std::collections::BTreeSet;
use std::ops::Range;

use tree_sitter::{Node, Parser};

use crate::languages::FunctionSpan;
use crate::record::TestId;

/// All functions of a file in order of their first byte. A file with syntax errors gives those that could be recognised.
pub fn functions(source: &str) -> Vec<FunctionSpan> {
    let tree = parse(source);
    let mut spans = Vec::new();
    collect_functions(tree.root_node(), None, source, &mut spans);
    spans
}

/// Whether a file has no syntax error that the grammar notices.
pub fn is_valid(source: &str) -> bool {
    !parse(source).root_node().has_error()
}

/// The test file without the given tests, or `None` when no test is left in it. Parametrised tests go as a whole; a class
/// that becomes empty goes with its last test.
pub fn remove_tests(source: &str, ids: &[TestId]) -> Option<String> {
    let names: BTreeSet<Vec<&str>> = ids.iter().map(|id| test_path(id)).collect();
    let mut ranges = Vec::new();
    let tree = parse(source);
    collect_removals(tree.root_node(), &mut Vec::new(), &names, source, &mut ranges);
    let mut text = source.to_owned();
    for range in ranges.iter().rev() {
        // A block that held nothing else needs something to stay.
        let first = range.start + source[range.clone()].find(|letter: char| !letter.is_whitespace()).unwrap_or(0);
        match empties_a_block(first, range, &ranges, tree.root_node()) {
            true => text.replace_range(first..range.end, "pass\n"),
            false => text.replace_range(range.clone(), ""),
        }
    }
    has_tests(&text).then_some(text)
}

/// Whether a removed range is the last statement of a block of which nothing else stays.
fn empties_a_block(first: usize, range: &Range<usize>, removed: &[Range<usize>], root: Node) -> bool {
    let inside = root.descendant_for_byte_range(first, first);
    // The first byte is that of a decorator or of `def`, so that the body of the definition is not on the way up.
    let Some(block) = std::iter::successors(inside, Node::parent).find(|node| node.kind() == "block") else {
        return false;
    };
    let mut cursor = block.walk();
    let statements: Vec<Node> = block.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect();
    let all_go = statements.iter().all(|statement| removed.iter().any(|range| within(statement, range)));
    all_go && statements.last().is_some_and(|last| within(last, range))
}

fn within(node: &Node, range: &Range<usize>) -> bool {
    range.start <= node.start_byte() && node.end_byte() <= range.end
}

/// Whether a file defines a test function or a method of that name pattern.
pub fn has_tests(source: &str) -> bool {
    functions(source).iter().any(|span| span.name.starts_with("test"))
}

/// The import statements outside functions and blocks.
pub(super) fn imports(source: &str) -> Vec<&str> {
    let tree = parse(source);
    let root = tree.root_node();
    let mut cursor = root.walk();
    let is_import = |node: &Node<'_>| {
        matches!(node.kind(), "import_statement" | "import_from_statement" | "future_import_statement")
    };
    root.children(&mut cursor).filter(is_import).map(|node| &source[node.byte_range()]).collect()
}

/// Names of classes and the function of a test id, without its file and parameters.
fn test_path(id: &str) -> Vec<&str> {
    let bare = id.find('[').map_or(id, |at| &id[..at]);
    bare.split("::").skip(1).collect()
}

/// The syntax of a source; what cannot be read is an error node in it.
pub(super) fn parse(source: &str) -> tree_sitter::Tree {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).expect("the grammar fits the parser's version");
    parser.parse(source, None).expect("parsing is never cancelled")
}

fn collect_functions(node: Node, class: Option<&str>, source: &str, spans: &mut Vec<FunctionSpan>) {
    for child in node.children(&mut node.walk()) {
        match child.kind() {
            "function_definition" => {
                spans.push(function_span(child, class, source));
                collect_functions(child, None, source, spans);
            }
            "class_definition" => collect_functions(child, name(child, source), source, spans),
            _ => collect_functions(child, class, source, spans),
        }
    }
}

fn function_span(node: Node, class: Option<&str>, source: &str) -> FunctionSpan {
    let whole = with_decorators(node);
    FunctionSpan {
        name: name(node, source).unwrap_or_default().to_owned(),
        class: class.map(str::to_owned),
        start: whole.start_byte(),
        end: whole.end_byte(),
        line_start: whole.start_position().row + 1,
        line_end: whole.end_position().row + 1,
        docstring: docstring(node),
    }
}

fn docstring(function: Node) -> Option<Range<usize>> {
    let first = function.child_by_field_name("body")?.named_child(0)?;
    let text = if first.kind() == "expression_statement" { first.named_child(0)? } else { first };
    (text.kind() == "string").then(|| text.byte_range())
}

fn name<'a>(definition: Node, source: &'a str) -> Option<&'a str> {
    definition.child_by_field_name("name").map(|name| &source[name.byte_range()])
}

fn with_decorators(definition: Node) -> Node {
    definition.parent().filter(|parent| parent.kind() == "decorated_definition").unwrap_or(definition)
}

/// Collects the ranges of unwanted definitions, whole lines, in order. Returns whether a definition of a test stays.
fn collect_removals<'a>(
    node: Node,
    path: &mut Vec<&'a str>,
    names: &BTreeSet<Vec<&str>>,
    source: &'a str,
    ranges: &mut Vec<Range<usize>>,
) -> bool {
    let mut stays = false;
    for child in node.children(&mut node.walk()) {
        match child.kind() {
            "function_definition" | "class_definition" => {
                let Some(own) = name(child, source) else { continue };
                path.push(own);
                stays |= if child.kind() == "function_definition" {
                    let wanted = !names.contains(path);
                    if !wanted {
                        ranges.push(whole_lines(with_decorators(child), source));
                    }
                    wanted
                } else {
                    class_stays(child, path, names, source, ranges)
                };
                path.pop();
            }
            // Definitions may stand in decorators, conditions and blocks.
            _ => stays |= collect_removals(child, path, names, source, ranges),
        }
    }
    stays
}

/// Removes the unwanted tests of a class, or the class when it loses a test and nothing but data would be left.
fn class_stays<'a>(
    class: Node,
    path: &mut Vec<&'a str>,
    names: &BTreeSet<Vec<&str>>,
    source: &'a str,
    ranges: &mut Vec<Range<usize>>,
) -> bool {
    let before = ranges.len();
    let stays = collect_removals(class, path, names, source, ranges);
    if !stays && ranges.len() > before {
        ranges.truncate(before);
        ranges.push(whole_lines(with_decorators(class), source));
    }
    stays
}

/// The node's bytes with the indentation before it and the line break after it.
fn whole_lines(node: Node, source: &str) -> Range<usize> {
    let start = source[..node.start_byte()].rfind('\n').map_or(0, |at| at + 1);
    let end = source[node.end_byte()..].find('\n').map_or(source.len(), |at| node.end_byte() + at + 1);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: &str = "\
import pytest

def test_a():
    assert 1

@pytest.mark.parametrize('x', ['é', 2])
def test_b(x):
    assert x

class TestC:
    LIMIT = 3

    def test_d(self):
        assert 1

    def test_e(self):
        assert 1
";

    fn ids(names: &[&str]) -> Vec<TestId> {
        names.iter().map(|name| format!("tests/test_a.py::{name}")).collect()
    }

    #[test]
    fn removed_tests_take_their_decorators_and_nothing_else() {
        let left = remove_tests(TESTS, &ids(&["test_b[é]", "TestC::test_d"])).expect("tests are left");
        assert_eq!(
            left,
            "import pytest\n\ndef test_a():\n    assert 1\n\n\nclass TestC:\n    LIMIT = 3\n\n\n    def test_e(self):\n        assert 1\n"
        );
        assert!(is_valid(&left));
    }

    #[test]
    fn a_class_goes_with_its_last_test() {
        let left = remove_tests(TESTS, &ids(&["TestC::test_d", "TestC::test_e"])).expect("tests are left");
        assert!(!left.contains("TestC") && is_valid(&left), "{left}");
    }

    #[test]
    fn a_file_without_tests_is_dropped() {
        assert_eq!(remove_tests(TESTS, &ids(&["test_a", "test_b", "TestC::test_d", "TestC::test_e"])), None);
    }

    #[test]
    fn imports_are_whole_statements() {
        let source =
            "import a  # why\nfrom b import (\n    c,\n)\ntry:\n    import d\nexcept ImportError:\n    d = None\n";
        assert_eq!(imports(source), ["import a", "from b import (\n    c,\n)"]);
    }

    #[test]
    fn a_block_that_becomes_empty_stays_valid() {
        let source = "def test_a(): pass\nif True:\n    def test_b():\n        pass\n";
        let left = remove_tests(source, &ids(&["test_b"])).expect("a test is left");
        assert_eq!(left, "def test_a(): pass\nif True:\n    pass\n");
    }

    #[test]
    fn functions_know_their_class_lines_and_docstring() {
        let source = "class A:\n    @property\n    def f(self):\n        \"\"\"Doc.\"\"\"\n        def g(): return 1\n        return g\n";
        let spans = functions(source);
        assert_eq!(spans.iter().map(FunctionSpan::qualified).collect::<Vec<_>>(), ["A.f", "g"]);
        assert_eq!((spans[0].line_start, spans[0].line_end), (2, 6));
        assert_eq!(&source[spans[0].docstring.clone().expect("f has one")], "\"\"\"Doc.\"\"\"");
        assert_eq!(spans[1].docstring, None);
    }
}
