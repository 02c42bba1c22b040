//! The comparison that decides a Python test, and other values in the place of what it expects.

use tree_sitter::Node;

use crate::languages::Comparison;
use crate::languages::python::syntax::parse;

/// The comparison of the test with these classes and this name.
pub(super) fn comparison(source: &str, parts: &[&str]) -> Option<Comparison> {
    let syntax = parse(source);
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
    Some(Comparison { start, end, column, name, decisive: decisive.byte_range(), others })
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
    let syntax = parse(literal);
    let root = Some(syntax.root_node()).filter(|root| !root.has_error())?.named_child(0)?.named_child(0)?;
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
}
