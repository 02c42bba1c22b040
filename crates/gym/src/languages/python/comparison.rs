//! The comparison that decides a test, for copies that must fail.

use tree_sitter::{Node, Parser};

use crate::languages::Comparison;

/// The test of that name in its classes, and its last comparison.
pub(super) fn find(source: &str, parts: &[&str]) -> Option<Comparison> {
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
    Some(Comparison { start, end, column, name, decisive: decisive.byte_range(), other })
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
}
