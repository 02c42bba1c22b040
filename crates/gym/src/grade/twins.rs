//! Copies of hidden tests, some of which expect another value and must therefore fail.
//!
//! Code that makes every assertion hold (an object that equals everything, a runner that was talked into passing, an answer read from
//! the test) also passes where it must not. Which copies are changed follows from the submission. Neither their names nor their values
//! tell, and the test itself is not there, so that a forged result has to guess.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tree_sitter::{Node, Parser};

use crate::languages::python::{Status, TestReport};
use crate::record::TestId;
use crate::tree::Tree;

/// Tests of which copies are made, at most.
const MOST_TESTS: usize = 4;
/// Values that copies of one test expect, the right one among them, and copies that expect each of them.
const VALUES: usize = 4;
const COPIES: usize = 2;

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
        let own = *parts.last()?;
        let names: Vec<String> = ('b'..).take(VALUES * COPIES).map(|letter| format!("{own}_{letter}")).collect();
        if names.iter().any(|name| source.contains(&format!("def {name}("))) {
            return None;
        }
        // As often as the right value there are others, so that neither the most frequent nor any other can be told to be right.
        let mut others = test.others.clone();
        others.shuffle(rng);
        let wrong = others.iter().take(VALUES - 1).map(Some);
        let mut values: Vec<Option<&String>> = std::iter::once(None).chain(wrong).flat_map(|it| [it; COPIES]).collect();
        values.shuffle(rng);
        // The test itself would tell which copies are right.
        let start = if is_only_mention(source, own) { test.start } else { test.end };
        let mut text = source[..start].trim_end_matches(' ').to_owned();
        for (name, value) in names.iter().zip(values) {
            text.push_str(&test.copy(source, name, value));
            let id = format!("{}::{name}", id.rsplit_once("::")?.0);
            self.expected.insert(id, value.is_none());
        }
        text.push_str(&source[test.end..]);
        let file = file.to_owned();
        self.files.insert(file, text);
        Some(())
    }
}

/// Whether a name stands in the file once.
fn is_only_mention(source: &str, name: &str) -> bool {
    source.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| *word == name).count() == 1
}

/// Where a test stands, and the comparison that decides it.
struct Found {
    start: usize,
    end: usize,
    column: usize,
    name: std::ops::Range<usize>,
    decisive: std::ops::Range<usize>,
    others: Vec<String>,
}

impl Found {
    /// The test under another name, expecting what it does or something else.
    fn copy(&self, source: &str, name: &str, other: Option<&String>) -> String {
        let decisive = other.map_or(&source[self.decisive.clone()], String::as_str);
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
    let (decisive, others) = statements.into_iter().rev().find_map(|it| decisive(it, source))?;
    Some(Found { start, end, column, name, decisive: decisive.byte_range(), others })
}

/// The direct, undecorated definition of that name.
fn child<'tree>(scope: Node<'tree>, kind: &str, name: &str, source: &str) -> Option<Node<'tree>> {
    let named = |node: &Node| node.child_by_field_name("name").is_some_and(|own| &source[own.byte_range()] == name);
    let mut children = (0..scope.named_child_count()).filter_map(|at| scope.named_child(at as u32));
    children.find(|node| node.kind() == kind && named(node))
}

/// The part of `assert a == b` or `self.assertEqual(a, b)` that is changed, and what it may become.
fn decisive<'tree>(statement: Node<'tree>, source: &str) -> Option<(Node<'tree>, Vec<String>)> {
    let text = |node: Node| &source[node.byte_range()];
    match statement.kind() {
        "assert_statement" => {
            let test = statement.named_child(0).filter(|test| test.kind() == "comparison_operator")?;
            if test.named_child_count() != 2 || test.child(1).map(|it| it.kind()) != Some("==") {
                return None;
            }
            let (left, right) = (test.named_child(0)?, test.named_child(1)?);
            let literal = |side: Node<'tree>| Some((side, others(text(side))?));
            let different = || Some((test, vec![format!("{} != {}", text(left), text(right))]));
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
                Some((side, others(text(side))?))
            };
            literal(1).or_else(|| literal(0))
        }
        _ => None,
    }
}

/// Other values such as might stand there as well; `None` for what is no literal.
fn others(literal: &str) -> Option<Vec<String>> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).expect("the grammar fits the parser's version");
    let syntax = parser.parse(literal, None).filter(|syntax| !syntax.root_node().has_error())?;
    let root = syntax.root_node().named_child(0)?.named_child(0)?;
    let mut found = Vec::new();
    collect_others(root, literal, &mut found)?;
    let mut seen = std::collections::BTreeSet::from([literal.to_owned()]);
    found.retain(|text| seen.insert(text.clone()));
    (!found.is_empty()).then_some(found)
}

/// The literal with one value in it exchanged, or one element of a list more or less.
fn collect_others(node: Node, literal: &str, found: &mut Vec<String>) -> Option<()> {
    let text = &literal[node.byte_range()];
    let mut put = |other: String| {
        found.push(format!("{}{other}{}", &literal[..node.start_byte()], &literal[node.end_byte()..]));
    };
    match node.kind() {
        "integer" => {
            let number: i64 = text.parse().ok()?;
            // `-n` is never put behind a sign.
            let least = if node.start_byte() > 0 && literal[..node.start_byte()].ends_with('-') { 1 } else { i64::MIN };
            for step in [-2, -1, 1, 2, 3] {
                number.checked_add(step).filter(|other| *other >= least).into_iter().for_each(|it| put(it.to_string()));
            }
        }
        "float" => {
            let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
            [0.5, 1.0, 1.5, 2.0].into_iter().for_each(|step| put(format!("{:?}", number + step)));
        }
        "true" => put("False".into()),
        "false" => put("True".into()),
        "none" => ["0", "False", "''"].into_iter().for_each(|other| put(other.into())),
        "string" => other_texts(text)?.into_iter().for_each(put),
        "unary_operator" => collect_others(node.named_child(0)?, literal, found)?,
        "list" | "tuple" | "set" | "dictionary" | "pair" => {
            let elements: Vec<Node> =
                (0..node.named_child_count()).filter_map(|at| node.named_child(at as u32)).collect();
            match (node.kind(), &elements[..]) {
                ("list", []) => ["[0]", "[None]", "['']"].into_iter().for_each(|other| put(other.into())),
                ("dictionary", []) => {
                    ["{0: 0}", "{None: 0}", "{'': 0}"].into_iter().for_each(|other| put(other.into()))
                }
                ("tuple", []) => ["(0,)", "(None,)", "('',)"].into_iter().for_each(|other| put(other.into())),
                ("list", [.., last]) => {
                    let last = &literal[last.byte_range()];
                    let inner = &text[1..text.len() - 1];
                    put(format!("[{}, {last}]", inner.trim_end_matches([' ', ','])));
                }
                _ => {}
            }
            elements.into_iter().try_for_each(|element| collect_others(element, literal, found))?;
        }
        _ => return None,
    }
    Some(())
}

/// A text with a letter more, less or elsewhere.
fn other_texts(text: &str) -> Option<Vec<String>> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    if inner.contains(['\\', '\n', '\'', '"']) {
        return None;
    }
    let letters: Vec<char> = inner.chars().collect();
    let mut others = match letters.last() {
        None => vec!["a".to_owned(), "0".to_owned(), " ".to_owned()],
        Some(last) => vec![format!("{inner}{last}"), letters[..letters.len() - 1].iter().collect()],
    };
    others.push(letters.iter().rev().collect());
    others.push(letters.first().map_or_else(String::new, |first| format!("{first}{inner}")));
    Some(others.into_iter().map(|other| format!("{quote}{other}{quote}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_values_are_of_the_same_kind() {
        let cases = [
            ("3", "1 2 4 5 6"),
            ("-1", "-2 -3 -4"),
            ("1.5", "2.0 2.5 3.0 3.5"),
            ("'ab'", "'abb' 'a' 'ba' 'aab'"),
            ("True", "False"),
            ("[]", "[0] [None] ['']"),
            ("(1,)", "(-1,) (0,) (2,) (3,) (4,)"),
            ("{'a':0}", "{'aa':0} {'':0} {'a':-2} {'a':-1} {'a':1} {'a':2} {'a':3}"),
        ];
        for (literal, expected) in cases {
            let expected: Vec<&str> = expected.split(' ').collect();
            assert_eq!(others(literal).expect("a literal"), expected, "{literal}");
        }
        assert!(others("[[1], 'x']").expect("a literal").contains(&"[[1], 'x', 'x']".to_owned()));
        assert!(others("f(1)").is_none() && others("(1 + 2)").is_none() && others("'a' 'b'").is_none());
    }

    #[test]
    fn copies_stand_in_the_place_of_the_test_and_expect_each_value_as_often() {
        let mut tree = Tree::new();
        tree.insert("t.py", "def test_a():\n    x = f(1)\n    assert x == 2\n\nclass TestB:\n    def test_c(self):\n        self.assertEqual(f(1), [2])\n");
        let ids = ["t.py::test_a".to_owned(), "t.py::TestB::test_c".to_owned(), "t.py::test_missing".to_owned()];
        let twins = Twins::of(&tree, &ids, [1; 32]).expect("two of them compare");
        assert_eq!(twins.expected.len(), 16);
        assert_eq!(twins.expected.values().filter(|honest| **honest).count(), 4);
        let text = twins.files.text("t.py").unwrap();
        assert!(crate::languages::python::syntax::is_valid(text), "{text}");
        assert!(text.contains("    def test_c_b(self):"), "{text}");
        assert!(!text.contains("def test_a()") && !text.contains("def test_c("), "{text}");
        let mut asserts: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("assert")).collect();
        asserts.sort_unstable();
        assert!(asserts.chunks(2).all(|pair| pair[0] == pair[1]), "{asserts:?}");
    }

    #[test]
    fn a_test_that_others_mention_stays() {
        let mut tree = Tree::new();
        tree.insert("t.py", "def test_a():\n    assert f(1) == 2\n\ntest_too = test_a\n");
        let twins = Twins::of(&tree, &["t.py::test_a".to_owned()], [1; 32]).expect("it compares");
        assert!(twins.files.text("t.py").unwrap().contains("def test_a():"));
    }

    #[test]
    fn tests_that_compare_nothing_have_no_copies() {
        let mut tree = Tree::new();
        tree.insert("t.py", "def test_a():\n    assert f(1)\n");
        assert!(Twins::of(&tree, &["t.py::test_a".to_owned()], [0; 32]).is_none());
    }
}
