//! What a failing test showed: the call in the assertion that failed, what it gave and what was expected.
//!
//! The text of a panic is printed by the code of the project itself, when tasks are made from it; it becomes part of an issue only after the
//! call was evaluated alone, on both trees. It never decides a verdict.

use tree_sitter::Node;

use super::syntax;
use crate::record::Symptom;

/// What a panic said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Panic {
    /// The file, relative to the project.
    path: String,
    /// Line from 1.
    line: usize,
    /// The first line of the message.
    pub(super) message: String,
    /// The values of a comparison that failed.
    sides: Option<(String, String)>,
}

/// Reads the first panic of what a test process wrote.
pub(super) fn panic_of(stderr: &str) -> Option<Panic> {
    let mut lines = stderr.lines();
    let head = lines.find(|line| line.contains(" panicked at "))?;
    let place = head.rsplit_once(" panicked at ")?.1.trim_end_matches(':');
    let mut parts = place.rsplitn(3, ':');
    let (_, line, path) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    let message = lines.next().unwrap_or_default().to_owned();
    let mut side = |name: &str| lines.find_map(|line| line.trim_start().strip_prefix(name).map(str::to_owned));
    let sides = side("left: ").and_then(|left| Some((left, side("right: ")?)));
    Some(Panic { path: path.trim_start_matches("./").to_owned(), line, message, sides })
}

/// The symptom of a test, with the call where the assertion has one. `text` gives the files that were run.
pub(super) fn of<'a>(test: &str, panic: &Panic, text: impl Fn(&str) -> Option<&'a str>) -> Option<Symptom> {
    let symptom =
        |call, actual, expected| Some(Symptom { test: test.to_owned(), call, actual, expected, exception: None });
    let assertion = text(&panic.path).and_then(|source| assertion(source, panic.line));
    match (assertion, &panic.sides) {
        (Some(Assertion::Equal(left, _)), Some((actual, expected))) if is_call(&left) => {
            symptom(Some(left), Some(actual.clone()), Some(expected.clone()))
        }
        (Some(Assertion::Equal(_, right)), Some((expected, actual))) if is_call(&right) => {
            symptom(Some(right), Some(actual.clone()), Some(expected.clone()))
        }
        (Some(Assertion::True(call)), None) => {
            let (call, actual, expected) = match call.strip_prefix('!') {
                Some(call) => (call.trim().to_owned(), "true", "false"),
                None => (call, "false", "true"),
            };
            if !is_call(&call) {
                return None;
            }
            symptom(Some(call), Some(actual.to_owned()), Some(expected.to_owned()))
        }
        _ => None,
    }
}

enum Assertion {
    Equal(String, String),
    True(String),
}

/// The assertion that begins on a line.
fn assertion(source: &str, line: usize) -> Option<Assertion> {
    let tree = syntax::parse(source);
    let node = find(tree.root_node(), line, source)?;
    let name = &source[node.child_by_field_name("macro")?.byte_range()];
    let arguments = arguments(node, source)?;
    match (name.rsplit("::").next()?, arguments.as_slice()) {
        ("assert_eq", [left, right, ..]) => Some(Assertion::Equal(left.clone(), right.clone())),
        ("assert", [condition, ..]) => Some(Assertion::True(condition.clone())),
        _ => None,
    }
}

fn find<'tree>(node: Node<'tree>, line: usize, source: &str) -> Option<Node<'tree>> {
    if node.kind() == "macro_invocation" && node.start_position().row + 1 == line {
        let name = node.child_by_field_name("macro").map_or("", |name| &source[name.byte_range()]);
        if name.rsplit("::").next().is_some_and(|name| name.starts_with("assert")) {
            return Some(node);
        }
    }
    node.children(&mut node.walk()).find_map(|child| find(child, line, source))
}

/// The arguments of a macro as source, each on one line.
pub(super) fn arguments(invocation: Node, source: &str) -> Option<Vec<String>> {
    let tokens = invocation.children(&mut invocation.walk()).find(|child| child.kind() == "token_tree")?;
    let mut cursor = tokens.walk();
    let inner: Vec<Node> = tokens.children(&mut cursor).collect();
    let (first, last) = (inner.first()?.end_byte(), inner.last()?.start_byte());
    let mut found = Vec::new();
    let mut start = first;
    for comma in inner.iter().filter(|node| &source[node.byte_range()] == ",") {
        found.push(start..comma.start_byte());
        start = comma.end_byte();
    }
    found.push(start..last);
    let line = |range: std::ops::Range<usize>| source[range].split_whitespace().collect::<Vec<_>>().join(" ");
    Some(found.into_iter().map(line).filter(|text| !text.is_empty()).collect())
}

/// Whether an expression calls something and needs no variable of its test: every name stands before `(`, `!`, `::` or `.`, or begins
/// with a capital letter.
pub(super) fn is_call(expression: &str) -> bool {
    let tree = syntax::parse(&format!("fn f() {{ {expression}; }}"));
    let mut calls = false;
    !tree.root_node().has_error() && !expression.contains('`') && is_closed(tree.root_node(), &mut calls) && calls
}

fn is_closed(node: Node, calls: &mut bool) -> bool {
    match node.kind() {
        "call_expression" => {
            *calls = true;
            let function = node.child_by_field_name("function");
            let head = function.is_none_or(|function| match function.kind() {
                "field_expression" => function.child_by_field_name("value").is_none_or(|value| is_closed(value, calls)),
                _ => true,
            });
            head && node.child_by_field_name("arguments").is_none_or(|arguments| is_closed(arguments, calls))
        }
        // What a macro or a closure makes of its tokens cannot be seen here.
        "macro_invocation" | "closure_expression" | "await_expression" | "try_expression" => false,
        "identifier" => {
            // `f` of the function around the expression.
            node.parent().is_some_and(|parent| parent.kind() == "function_item")
                || node.parent().is_some_and(|parent| parent.kind() == "scoped_identifier")
        }
        _ => node.children(&mut node.walk()).all(|child| is_closed(child, calls)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STDERR: &str = "\nthread 'tests::a' (7) panicked at src/lib.rs:3:5:\nassertion `left == right` failed\n  left: 3\n right: 4\nnote: run with `RUST_BACKTRACE=1`\n";

    #[test]
    fn a_panic_says_where_and_what() {
        let panic = panic_of(STDERR).expect("it is one");
        assert_eq!(
            (panic.path.as_str(), panic.line, panic.message.as_str()),
            ("src/lib.rs", 3, "assertion `left == right` failed")
        );
        assert_eq!(panic.sides, Some(("3".to_owned(), "4".to_owned())));
    }

    #[test]
    fn the_call_of_a_failing_assertion_is_found_on_either_side() {
        let seen = |line: &str| {
            let source = format!("fn a() {{\n\n    {line}\n}}\n");
            let symptom = of("t", &panic_of(STDERR).expect("it is one"), |_| Some(&source))?;
            Some((symptom.call?, symptom.actual?, symptom.expected?))
        };
        let row =
            |call: &str, actual: &str, expected: &str| Some((call.to_owned(), actual.to_owned(), expected.to_owned()));
        assert_eq!(seen("assert_eq!(add(1, \"a, b\"), 4);"), row("add(1, \"a, b\")", "3", "4"));
        assert_eq!(seen("assert_eq!(3, m::add(1), \"no\");"), row("m::add(1)", "4", "3"));
        assert_eq!(seen("assert_eq!(add(x), 4);"), None, "`x` is a variable of the test");
        assert_eq!(seen("assert_eq!(x.add(2), 4);"), None);
        assert_eq!(seen("assert_eq!(Thing::new(1).add(2), 4);"), row("Thing::new(1).add(2)", "3", "4"));
    }

    #[test]
    fn an_assertion_of_a_condition_shows_a_truth_value() {
        let stderr = "thread 'a' panicked at src/lib.rs:1:1:\nassertion failed: !is(1)\n";
        let symptom = of("t", &panic_of(stderr).expect("it is one"), |_| Some("fn a() { assert!(!is(1)); }"));
        let symptom = symptom.expect("there is a call");
        assert_eq!((symptom.call.as_deref(), symptom.actual.as_deref()), (Some("is(1)"), Some("true")));
    }
}
