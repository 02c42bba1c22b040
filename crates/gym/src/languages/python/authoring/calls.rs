//! Calls with literal arguments, found in tests.

use std::collections::BTreeSet;

use tree_sitter::Node;

use crate::languages::nodes::visit_all;
use crate::languages::python::syntax::parse;

/// All calls of `function` with literal arguments in a test file, as source that starts with the bare function name,
/// perhaps inside `list(…)` or another builtin that consumes an iterator. In order of appearance, without duplicates.
pub fn in_tests(source: &str, function: &str) -> Vec<String> {
    let syntax = parse(source);
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    visit_all(syntax.root_node(), &mut |node| {
        if let Some(call) = literal_call(node, source, function)
            && call.len() <= 120
            && !call.contains('\n')
            && seen.insert(call.clone())
        {
            found.push(call);
        }
    });
    found
}

fn literal_call(node: Node, source: &str, function: &str) -> Option<String> {
    let callee = (node.kind() == "call").then(|| node.child_by_field_name("function"))??;
    let text = |node: Node| &source[node.byte_range()];
    let name = if callee.kind() == "attribute" { callee.child_by_field_name("attribute")? } else { callee };
    let arguments = node.child_by_field_name("arguments")?;
    if text(name) != function || !is_literal(arguments) {
        return None;
    }
    let call = format!("{function}{}", text(arguments));
    let consumer = node.parent()?.parent().filter(|outer| outer.kind() == "call").and_then(|outer| {
        let name = text(outer.child_by_field_name("function")?);
        let only = outer.child_by_field_name("arguments")?.named_child_count() == 1;
        (only && ["list", "tuple", "set", "dict", "sorted", "next", "sum", "len"].contains(&name)).then_some(name)
    });
    Some(consumer.map_or(call.clone(), |name| format!("{name}({call})")))
}

fn is_literal(node: Node) -> bool {
    let own = match node.kind() {
        "argument_list"
        | "list"
        | "tuple"
        | "set"
        | "dictionary"
        | "pair"
        | "unary_operator"
        | "parenthesized_expression" => true,
        "keyword_argument" => return node.child_by_field_name("value").is_some_and(is_literal),
        "integer" | "float" | "true" | "false" | "none" => return true,
        "string" => {
            let mut cursor = node.walk();
            return !node.children(&mut cursor).any(|child| child.kind() == "interpolation");
        }
        _ => false,
    };
    let mut cursor = node.walk();
    own && node.named_children(&mut cursor).all(is_literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_with_literal_arguments_are_found() {
        let source = "import m\nfrom m import f\n\ndef test_a():\n    assert f(1, [2, -3], k='x') == 4\n    x = 2\n    assert f(x) == 1\n    assert list(m.f('a', (1,))) == []\n    assert f(1, [2, -3], k='x') == 4\n";
        assert_eq!(in_tests(source, "f"), ["f(1, [2, -3], k='x')", "list(f('a', (1,)))"]);
    }
}
