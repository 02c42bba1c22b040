//! Calls that need no variable, and further ones from each.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::super::subject::calls_of;
use super::super::syntax::parse;
use crate::languages::neighbours;
use crate::languages::nodes::first;

/// Calls of a function in order of appearance, each once.
pub(super) fn in_file(source: &str, function: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    calls_of(source, function).into_iter().filter(|call| seen.insert(call.clone())).collect()
}

/// The call with one literal exchanged for a neighbour of the same type, in order of position.
pub(super) fn varied(call: &str) -> Vec<String> {
    neighbours::exchanged(parse(call).root_node(), call, &others)
}

/// Calls that mix the arguments of several.
pub(super) fn crossed(calls: &[String]) -> Vec<String> {
    let places = |call: &String| {
        let tree = parse(call);
        let arguments = first(tree.root_node(), "arguments")?;
        let mut cursor = arguments.walk();
        let ranges = arguments.named_children(&mut cursor).map(|it| it.byte_range()).collect();
        Some((call.clone(), ranges))
    };
    neighbours::crossed(&calls.iter().filter_map(places).collect::<Vec<_>>())
}

fn others(node: Node, text: &str) -> Vec<String> {
    match node.kind() {
        "number" => {
            let signed = node.parent().is_some_and(|parent| parent.kind() == "unary_expression");
            let number = text.parse().map_or_else(|_| Vec::new(), |number| neighbours::integers(number, signed));
            number.iter().map(i64::to_string).collect()
        }
        "true" => vec!["false".to_owned()],
        "false" => vec!["true".to_owned()],
        "string" => neighbours::texts(text),
        "array" => neighbours::rows(node, text),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_with_what_their_names_stand_for() {
        let source = "test('a', () => {\n  const list = [1, 2];\n  assert.equal(m.add(list), 3);\n  assert.equal(add(\n    4), 4);\n  for (const x of y) add(x);\n});\n";
        assert_eq!(in_file(source, "add"), ["m.add([1, 2])", "add( 4)"]);
    }

    #[test]
    fn every_literal_has_neighbours_of_its_type() {
        assert_eq!(varied("f(1, true)"), ["f(2, true)", "f(0, true)", "f(1, false)"]);
        assert_eq!(
            varied("f({a: [1]})")[..2],
            ["f({a: []})", "f({a: []})"][..1].iter().chain(&["f({a: [1, 1]})"]).copied().collect::<Vec<_>>()[..]
        );
        assert_eq!(varied("f('ab')").len(), 5);
    }
}
