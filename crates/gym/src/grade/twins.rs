//! Copies of hidden tests, some of which expect another value and must therefore fail.
//!
//! Code that makes every assertion hold (an object that equals everything, a runner that was talked into passing, an answer read from
//! the test) also passes where it must not. Which copies are changed follows from the submission; their names do not tell, so
//! that a forged result has to guess each of them.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tree_sitter::{Node, Parser};

use crate::languages::{Status, TestReport};
use crate::record::TestId;
use crate::tree::Tree;

/// Tests of which copies are made, at most.
const MOST_TESTS: usize = 8;
/// Copies of each: a guess is right for all of them once in 2⁴ or more times.
const COPIES: [&str; 4] = ["_b", "_c", "_d", "_e"];

/// Copies of tests, and which of them must fail.
pub struct Twins {
    /// Test files with the copies beside the originals.
    pub files: Tree,
    /// For each copy, whether it expects what the original does.
    pub expected: BTreeMap<TestId, bool>,
}

impl Twins {
    /// Copies of those of `tests` that compare with `==`; `None` when there is none.
    pub fn of(tree: &Tree, tests: &[TestId], seed: [u8; 32]) -> Option<Self> {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let mut chosen: Vec<&TestId> = tests.iter().collect();
        chosen.shuffle(&mut rng);
        let mut twins = Self { files: Tree::new(), expected: BTreeMap::new() };
        let mut copied = 0;
        for id in chosen {
            copied += usize::from(copied < MOST_TESTS && twins.copy(tree, id, &mut rng).is_some());
        }
        (copied > 0).then_some(twins)
    }

    /// The copies.
    pub fn ids(&self) -> impl Iterator<Item = &TestId> {
        self.expected.keys()
    }

    /// The copies that did not do what they must.
    pub fn surprises<'a>(&'a self, report: &'a TestReport) -> impl Iterator<Item = &'a TestId> {
        let passed = |id: &TestId| report.outcomes.get(id).is_some_and(|outcome| outcome.status == Status::Passed);
        self.expected.iter().filter(move |(id, must_pass)| passed(id) != **must_pass).map(|(id, _)| id)
    }

    fn copy(&mut self, tree: &Tree, id: &TestId, rng: &mut ChaCha8Rng) -> Option<()> {
        let (file, inside) = id.split_once("::")?;
        let source = self.files.text(file).or_else(|| tree.text(file))?;
        let parts: Vec<&str> = inside.split("::").collect();
        let test = find(source, &parts)?;
        if COPIES.iter().any(|suffix| source.contains(&format!("def {}{suffix}(", parts[parts.len() - 1]))) {
            return None;
        }
        // At least one of each kind, so that neither passing all nor failing all is right.
        let mut honest: Vec<bool> = COPIES.iter().map(|_| rng.random_bool(0.5)).collect();
        let (kept, changed) = (rng.random_range(0..COPIES.len()), rng.random_range(1..COPIES.len()));
        honest[kept] = true;
        honest[(kept + changed) % COPIES.len()] = false;
        let mut text = source[..test.end].to_owned();
        for (suffix, honest) in COPIES.iter().zip(honest) {
            let name = format!("{}{suffix}", parts.last()?);
            text.push_str(&test.copy(source, &name, honest));
            let id = format!("{}::{name}", id.rsplit_once("::")?.0);
            self.expected.insert(id, honest);
        }
        text.push_str(&source[test.end..]);
        let file = file.to_owned();
        self.files.insert(file, text);
        Some(())
    }
}

/// Where a test stands, and the comparison that decides it.
struct Found {
    start: usize,
    end: usize,
    column: usize,
    name: std::ops::Range<usize>,
    decisive: std::ops::Range<usize>,
    other: String,
}

impl Found {
    /// The test under another name, expecting what it does or something else.
    fn copy(&self, source: &str, name: &str, honest: bool) -> String {
        let decisive = if honest { &source[self.decisive.clone()] } else { &self.other };
        format!(
            "\n\n{}{}{name}{}{decisive}{}",
            " ".repeat(self.column),
            &source[self.start..self.name.start],
            &source[self.name.end..self.decisive.start],
            &source[self.decisive.end..self.end]
        )
    }
}

fn find(source: &str, parts: &[&str]) -> Option<Found> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).expect("the grammar fits the parser's version");
    let syntax = parser.parse(source, None)?;
    let mut scope = syntax.root_node();
    for class in &parts[..parts.len() - 1] {
        scope = child(scope, "class_definition", class, source)?.child_by_field_name("body")?;
    }
    let function = child(scope, "function_definition", parts.last()?, source)?;
    let name = function.child_by_field_name("name")?.byte_range();
    let body = function.child_by_field_name("body")?;
    let (start, end, column) = (function.start_byte(), function.end_byte(), function.start_position().column);
    let mut cursor = body.walk();
    let statements: Vec<Node> = body.named_children(&mut cursor).collect();
    let (decisive, other) = statements.into_iter().rev().find_map(|it| decisive(it, source))?;
    Some(Found { start, end, column, name, decisive: decisive.byte_range(), other })
}

/// The direct, undecorated definition of that name.
fn child<'tree>(scope: Node<'tree>, kind: &str, name: &str, source: &str) -> Option<Node<'tree>> {
    let named = |node: &Node| node.child_by_field_name("name").is_some_and(|own| &source[own.byte_range()] == name);
    let mut children = (0..scope.named_child_count()).filter_map(|at| scope.named_child(at as u32));
    children.find(|node| node.kind() == kind && named(node))
}

/// The part of `assert a == b` or `self.assertEqual(a, b)` that is changed, and what it becomes.
fn decisive<'tree>(statement: Node<'tree>, source: &str) -> Option<(Node<'tree>, String)> {
    let text = |node: Node| &source[node.byte_range()];
    match statement.kind() {
        "assert_statement" => {
            let test = statement.named_child(0).filter(|test| test.kind() == "comparison_operator")?;
            if test.named_child_count() != 2 || test.child(1).map(|it| it.kind()) != Some("==") {
                return None;
            }
            let (left, right) = (test.named_child(0)?, test.named_child(1)?);
            let literal = |side: Node<'tree>| Some((side, other(text(side))?));
            let different = || Some((test, format!("{} != {}", text(left), text(right))));
            literal(right).or_else(|| literal(left)).or_else(different)
        }
        "expression_statement" => {
            let call = statement.named_child(0).filter(|call| call.kind() == "call")?;
            let arguments = call.child_by_field_name("arguments")?;
            let name = text(call.child_by_field_name("function")?);
            if !name.starts_with("self.assert")
                || !name.ends_with("Equal")
                || name.contains("Not")
                || name.contains("Almost")
            {
                return None;
            }
            let literal = |at| {
                let side = arguments.named_child(at)?;
                Some((side, other(text(side))?))
            };
            literal(1).or_else(|| literal(0))
        }
        _ => None,
    }
}

/// Another value of the same kind as a literal.
fn other(literal: &str) -> Option<String> {
    let inner = |open: char, close: char| literal.strip_prefix(open)?.strip_suffix(close).map(str::trim);
    if let Ok(number) = literal.parse::<i64>() {
        return Some(number.checked_add(1)?.to_string());
    }
    if literal.parse::<f64>().is_ok_and(f64::is_finite) && literal.contains('.') {
        return Some(format!("{:?}", literal.parse::<f64>().ok()? + 1.0));
    }
    match literal {
        "True" => return Some("False".into()),
        "False" => return Some("True".into()),
        "None" => return Some("0".into()),
        _ => {}
    }
    for quote in ['\'', '"'] {
        if let Some(text) = inner(quote, quote).filter(|text| !text.contains([quote, '\\', '\n'])) {
            return Some(format!("{quote}{text}x{quote}"));
        }
    }
    let (open, close, element) = match literal.chars().next()? {
        '[' => ('[', ']', "None"),
        '(' => ('(', ')', "None"),
        '{' if literal == "{}" || is_dictionary(literal) => ('{', '}', "None: None"),
        '{' => ('{', '}', "None"),
        _ => return None,
    };
    // A list may be a comprehension and parentheses may hold anything: only rows of elements are lengthened.
    let elements = inner(open, close).filter(|inner| !inner.contains(" for ") && (open != '(' || is_row(inner)))?;
    let separator = if elements.is_empty() || elements.ends_with(',') { " " } else { ", " };
    let end = if open == '(' { "," } else { "" };
    Some(format!("{open}{elements}{separator}{element}{end}{close}"))
}

fn is_dictionary(literal: &str) -> bool {
    let mut depth = 0;
    literal.chars().any(|c| {
        depth += match c {
            '{' | '[' | '(' => 1,
            '}' | ']' | ')' => -1,
            _ => 0,
        };
        c == ':' && depth == 1
    })
}

fn is_row(inner: &str) -> bool {
    let mut depth = 0;
    inner.is_empty()
        || inner.chars().any(|c| {
            depth += match c {
                '{' | '[' | '(' => 1,
                '}' | ']' | ')' => -1,
                _ => 0,
            };
            c == ',' && depth == 0
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_value_is_of_the_same_kind() {
        let cases = [
            ("3", "4"),
            ("-1", "0"),
            ("1.5", "2.5"),
            ("'a'", "'ax'"),
            ("True", "False"),
            ("[]", "[ None]"),
            ("[1, 2]", "[1, 2, None]"),
            ("(1,)", "(1, None,)"),
            ("{1: 2}", "{1: 2, None: None}"),
            ("{1}", "{1, None}"),
        ];
        for (literal, expected) in cases {
            assert_eq!(other(literal).as_deref(), Some(expected), "{literal}");
        }
        assert!(other("f(1)").is_none() && other("(1 + 2)").is_none() && other("'a' 'b'").is_none());
    }

    #[test]
    fn copies_stand_beside_the_test_and_some_expect_another_value() {
        let mut tree = Tree::new();
        tree.insert("t.py", "def test_a():\n    x = f(1)\n    assert x == 2\n\nclass TestB:\n    def test_c(self):\n        self.assertEqual(f(1), [2])\n");
        let ids = ["t.py::test_a".to_owned(), "t.py::TestB::test_c".to_owned(), "t.py::test_missing".to_owned()];
        let twins = Twins::of(&tree, &ids, [1; 32]).expect("two of them compare");
        assert_eq!(twins.expected.len(), 8);
        let text = twins.files.text("t.py").unwrap();
        let wrong = twins.expected.values().filter(|honest| !**honest).count();
        assert_eq!(text.matches("== 3").count() + text.matches("[2, None]").count(), wrong);
        assert!((2..=6).contains(&wrong));
        assert!(crate::languages::python::syntax::is_valid(text), "{text}");
        assert!(text.contains("    def test_c_b(self):"), "{text}");
    }

    #[test]
    fn tests_that_compare_nothing_have_no_copies() {
        let mut tree = Tree::new();
        tree.insert("t.py", "def test_a():\n    assert f(1)\n");
        assert!(Twins::of(&tree, &["t.py::test_a".to_owned()], [0; 32]).is_none());
    }
}
