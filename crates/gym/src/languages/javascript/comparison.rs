//! The comparison that decides a test, for copies that must fail.

use std::ops::Range;

use tree_sitter::Node;

use super::subject::{expectation, is_assertion};
use super::suite::declaration;
use super::syntax::{is_function, parse, text_of};
use crate::languages::Comparison;

/// Methods that say the opposite.
const OPPOSITES: [(&str, &str); 4] = [
    ("strictEqual", "notStrictEqual"),
    ("equal", "notEqual"),
    ("deepEqual", "notDeepEqual"),
    ("deepStrictEqual", "notDeepStrictEqual"),
];

/// The test with these titles, from the outside in, and its last comparison; `None` when it has none that can be turned around.
pub(super) fn find(source: &str, titles: &[&str]) -> Option<Comparison> {
    let tree = parse(source);
    let mut scope = tree.root_node();
    let mut found = None;
    for title in titles {
        let (statement, call, own) = child(scope, title, source)?;
        scope = body(call)?;
        found = Some((statement, own));
    }
    let (statement, own) = found?;
    let mut cursor = scope.walk();
    let statements: Vec<Node> = scope.named_children(&mut cursor).collect();
    let (decisive, other) = statements.into_iter().rev().find_map(|it| decisive(it, source))?;
    let (start, end, column) = (statement.start_byte(), statement.end_byte(), statement.start_position().column);
    Some(Comparison { start, end, column, name: own, decisive, others: vec![other] })
}

/// The statement directly in a block that declares a test or suite of that title, its call, and the title's bytes.
fn child<'tree>(scope: Node<'tree>, title: &str, source: &str) -> Option<(Node<'tree>, Node<'tree>, Range<usize>)> {
    let mut cursor = scope.walk();
    let statements: Vec<Node> = scope.named_children(&mut cursor).collect();
    let mut found = statements.into_iter().filter_map(|statement| {
        let call = unawaited(statement.named_child(0).filter(|_| statement.kind() == "expression_statement")?)?;
        let own = text_of(declaration(call, source)?.title)?;
        // A title that is written with escapes reads otherwise than it stands there.
        (&source[own.clone()] == title && !title.contains('\\')).then_some((statement, call, own))
    });
    found.next().filter(|_| found.next().is_none())
}

fn unawaited(node: Node) -> Option<Node> {
    if node.kind() == "await_expression" { node.named_child(0) } else { Some(node) }
}

/// The block of the function that a declaration gets.
fn body(call: Node) -> Option<Node> {
    let arguments = call.child_by_field_name("arguments")?;
    let mut cursor = arguments.walk();
    let function = arguments.named_children(&mut cursor).filter(|node| is_function(*node)).last()?;
    function.child_by_field_name("body").filter(|body| body.kind() == "statement_block")
}

/// The part of an assertion that is changed, and what it becomes.
fn decisive(statement: Node, source: &str) -> Option<(Range<usize>, String)> {
    let text = |node: Node| &source[node.byte_range()];
    let call = unawaited(statement.named_child(0).filter(|_| statement.kind() == "expression_statement")?)?;
    let arguments = call.child_by_field_name("arguments")?;
    if let Some(it) = expectation(call, source) {
        let compares = matches!(text(it.matcher), "toBe" | "toEqual" | "toStrictEqual");
        let value = arguments.named_child(0).filter(|_| compares && it.is_plain)?;
        let turned = || (it.expect.end_byte()..it.expect.end_byte(), ".not".to_owned());
        return Some(other(text(value)).map_or_else(turned, |other| (value.byte_range(), other)));
    }
    let callee = call.child_by_field_name("function").filter(|_| is_assertion(call, source))?;
    let literal = |at| -> Option<(Range<usize>, String)> {
        let side = arguments.named_child(at)?;
        Some((side.byte_range(), other(text(side))?))
    };
    let name = callee.child_by_field_name("property").unwrap_or(callee);
    if let Some((_, opposite)) = OPPOSITES.iter().find(|(own, _)| *own == text(name)) {
        // A bare name is imported by itself, its opposite may not be.
        let turned = || (name != callee).then(|| (name.byte_range(), (*opposite).to_owned()));
        return literal(1).or_else(|| literal(0)).or_else(turned);
    }
    if !matches!(text(name), "assert" | "ok") {
        return None;
    }
    let condition = arguments.named_child(0).filter(|it| it.kind() == "binary_expression")?;
    let sign = condition.child_by_field_name("operator")?;
    let turned = match sign.kind() {
        "===" => "!==",
        "!==" => "===",
        "==" => "!=",
        "!=" => "==",
        _ => return None,
    };
    Some((sign.byte_range(), turned.to_owned()))
}

/// Another value of the same kind as a literal.
fn other(literal: &str) -> Option<String> {
    if let Ok(number) = literal.parse::<i64>() {
        return Some(number.checked_add(1)?.to_string());
    }
    match literal {
        "true" => return Some("false".into()),
        "false" => return Some("true".into()),
        "null" | "undefined" => return Some("0".into()),
        _ => {}
    }
    let inner = |open: char, close: char| literal.strip_prefix(open)?.strip_suffix(close).map(str::trim);
    for quote in ['\'', '"'] {
        if let Some(text) = inner(quote, quote).filter(|text| !text.contains([quote, '\\', '\n'])) {
            return Some(format!("{quote}{text}x{quote}"));
        }
    }
    let (open, close, element) = match literal.chars().next()? {
        '[' => ('[', ']', "null"),
        '{' => ('{', '}', "another: null"),
        _ => return None,
    };
    let elements = inner(open, close)?;
    let separator = if elements.is_empty() || elements.ends_with(',') { " " } else { ", " };
    Some(format!("{open}{elements}{separator}{element}{close}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(source: &str, titles: &[&str]) -> Option<String> {
        let it = find(source, titles)?;
        let text =
            format!("{}{}{}", &source[it.start..it.decisive.start], it.others[0], &source[it.decisive.end..it.end]);
        assert_eq!(&source[it.name.clone()], *titles.last().expect("a title"));
        Some(text)
    }

    #[test]
    fn another_value_is_of_the_same_kind() {
        let cases = [
            ("3", "4"),
            ("'a'", "'ax'"),
            ("true", "false"),
            ("[]", "[ null]"),
            ("[1]", "[1, null]"),
            ("undefined", "0"),
        ];
        for (literal, expected) in cases {
            assert_eq!(other(literal).as_deref(), Some(expected), "{literal}");
        }
        assert!(other("f(1)").is_none() && other("`a`").is_none());
    }

    #[test]
    fn the_last_comparison_decides() {
        let source = "test('a', () => {\n  assert.equal(f(1), 2);\n  done();\n});\n";
        assert_eq!(
            changed(source, &["a"]).as_deref(),
            Some("test('a', () => {\n  assert.equal(f(1), 3);\n  done();\n});")
        );
        let source =
            "describe('s', () => {\n  it('a', async () => {\n    assert.deepStrictEqual(await f(), g());\n  });\n});\n";
        let text = changed(source, &["s", "a"]).expect("it compares");
        assert!(text.contains("assert.notDeepStrictEqual(await f(), g())"), "{text}");
        let source = "test('a', () => {\n  expect(f(1)).toEqual(g());\n});\n";
        assert!(changed(source, &["a"]).expect("it compares").contains("expect(f(1)).not.toEqual(g())"));
        let source = "test('a', () => {\n  assert(f(1) === g());\n});\n";
        assert!(changed(source, &["a"]).expect("it compares").contains("f(1) !== g()"));
    }

    #[test]
    fn tests_that_compare_nothing_or_have_a_namesake_are_left() {
        assert!(find("test('a', () => { assert.throws(f); });\n", &["a"]).is_none());
        let twice = "test('a', () => { assert.equal(f(), 1); });\n";
        assert!(find(&twice.repeat(2), &["a"]).is_none());
    }
}
