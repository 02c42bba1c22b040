//! Calls that need no variable: found in tests and in examples, and further ones from each.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::super::{symptom, syntax};
use crate::languages::neighbours;
use crate::languages::nodes::{first, visit};

/// Longer calls are not worth quoting.
const LONGEST: usize = 120;

/// Calls of a function in order of appearance, each once. Macros are read as far as their arguments are expressions.
pub(super) fn in_file(source: &str, function: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(source, function, 0, &mut found);
    let mut seen = BTreeSet::new();
    found.retain(|call| call.len() <= LONGEST && seen.insert(call.clone()));
    found
}

fn collect(source: &str, function: &str, depth: usize, found: &mut Vec<String>) {
    let tree = syntax::parse(source);
    visit(tree.root_node(), &mut |node| match node.kind() {
        "macro_invocation" if depth < 3 => {
            for argument in symptom::arguments(node, source).unwrap_or_default() {
                collect(&format!("fn f() {{ {argument}; }}"), function, depth + 1, found);
            }
        }
        "call_expression" if callee(node, source) == Some(function) => {
            let text = source[node.byte_range()].split_whitespace().collect::<Vec<_>>().join(" ");
            if symptom::is_call(&text) {
                found.push(text);
            }
        }
        _ => {}
    });
}

/// The last name of what is called.
fn callee<'a>(call: Node, source: &'a str) -> Option<&'a str> {
    let function = call.child_by_field_name("function")?;
    let name =
        function.child_by_field_name("field").or_else(|| function.child_by_field_name("name")).unwrap_or(function);
    Some(&source[name.byte_range()])
}

/// The call with one literal exchanged for a neighbour of the same type, in order of position.
pub(super) fn varied(call: &str) -> Vec<String> {
    const HEAD: &str = "fn f() { ";
    const TAIL: &str = "; }";
    let source = format!("{HEAD}{call}{TAIL}");
    let found = neighbours::exchanged(syntax::parse(&source).root_node(), &source, &others);
    found.iter().map(|text| text[HEAD.len()..text.len() - TAIL.len()].to_owned()).collect()
}

/// Calls that mix the arguments of several.
pub(super) fn crossed(calls: &[String]) -> Vec<String> {
    const HEAD: &str = "fn f() { ";
    let places = |call: &String| {
        let tree = syntax::parse(&format!("{HEAD}{call}; }}"));
        let arguments = first(tree.root_node(), "arguments")?;
        let mut cursor = arguments.walk();
        let ranges =
            arguments.named_children(&mut cursor).map(|it| it.start_byte() - HEAD.len()..it.end_byte() - HEAD.len());
        Some((call.clone(), ranges.collect()))
    };
    neighbours::crossed(&calls.iter().filter_map(places).collect::<Vec<_>>())
}

fn others(node: Node, text: &str) -> Vec<String> {
    match node.kind() {
        "integer_literal" => {
            let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
            let (digits, kind) = text.split_at(end);
            let signed = node.parent().is_some_and(|parent| parent.kind() == "unary_expression");
            let number = digits.parse().map_or_else(|_| Vec::new(), |number| neighbours::integers(number, signed));
            // Below zero would be no value of every type.
            number.iter().filter(|number| **number >= 0).map(|number| format!("{number}{kind}")).collect()
        }
        "boolean_literal" => vec![if text == "true" { "false" } else { "true" }.to_owned()],
        "string_literal" => neighbours::texts(text),
        "array_expression" if !text.contains(';') => neighbours::rows(node, text),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_without_variables_are_found_in_assertions_and_elsewhere() {
        let source = "fn a() {\n    assert_eq!(add(1,\n        2), 3);\n    let x = m::add(2, 3);\n    assert!(add(x, 1) == 2 && add(4, 5) > 0);\n    assert_eq!(add(1, 2), 3);\n}\n";
        assert_eq!(in_file(source, "add"), ["add(1, 2)", "m::add(2, 3)", "add(4, 5)"]);
    }

    #[test]
    fn arguments_of_several_calls_are_mixed() {
        let calls = ["f(1, \"a\")", "f(2, \"b\")", "f(3)"].map(str::to_owned);
        assert_eq!(crossed(&calls), ["f(1, \"b\")", "f(2, \"a\")"]);
    }

    #[test]
    fn every_literal_has_neighbours_of_its_type() {
        assert_eq!(varied("f(1u8, true)"), ["f(2u8, true)", "f(0u8, true)", "f(1u8, false)"]);
        assert_eq!(varied("f(&[1, 2])")[..2], ["f(&[])", "f(&[1])"]);
        assert_eq!(varied("f(\"ab\")").len(), 5);
    }
}
