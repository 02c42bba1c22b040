//! Whether a test file carries the function under test with it, under whatever name: then it compares the function with itself.

use tree_sitter::Node;

use super::super::suite::declaration;
use super::super::syntax::{is_function, parse, text_of};
use super::at_top;
use crate::languages::likeness;
use crate::languages::nodes::find;

/// What in the test file is the function again.
pub(super) fn embedded(suite: &str, source: &str, function: &str) -> Option<String> {
    let target = at_top(source, function).map(|span| tokens(&source[span.start..span.end])).unwrap_or_default();
    let tree = parse(suite);
    find(tree.root_node(), &mut |node| {
        let text = &suite[node.byte_range()];
        let name = node.child_by_field_name("name").map_or("", |name| &suite[name.byte_range()]);
        let is_defined = matches!(node.kind(), "function_declaration" | "generator_function_declaration");
        let is_code =
            is_defined || node.kind() == "method_definition" || is_function(node) && !is_body_of_test(node, suite);
        if is_defined && name == function {
            return Some(format!("the tests define `{function}`"));
        }
        let is_text = matches!(node.kind(), "string" | "template_string");
        let inner = text_of(node).filter(|_| is_text).map(|range| suite[range].replace("\\n", "\n"));
        let is_copy = is_code && likeness::is_copy(&target, &tokens(text))
            || inner.is_some_and(|inner| likeness::is_copy(&target, &tokens(&inner)));
        is_copy.then(|| format!("{} of the tests resembles `{function}`", if name.is_empty() { "code" } else { name }))
    })
}

/// Whether a function is what a test or a suite does.
fn is_body_of_test(node: Node, suite: &str) -> bool {
    let call = node.parent().and_then(|arguments| arguments.parent());
    call.is_some_and(|call| declaration(call, suite).is_some())
}

/// Tokens of the code without comments and exports; names and texts are all alike.
fn tokens(text: &str) -> Vec<String> {
    // A method stands in no file alone.
    let alone = parse(text);
    let wrapped = format!("({{ {text} }})");
    let tree = if alone.root_node().has_error() { parse(&wrapped) } else { alone };
    let text = if tree.root_node().end_byte() > text.len() { wrapped.as_str() } else { text };
    let mut tokens = Vec::new();
    collect(tree.root_node(), text, &mut tokens);
    tokens
}

fn collect(node: Node, text: &str, tokens: &mut Vec<String>) {
    match node.kind() {
        "comment" | "type_annotation" | "export" | "default" => {}
        "string" | "template_string" => tokens.push("text".to_owned()),
        kind if kind.ends_with("identifier") || kind.ends_with("identifier_pattern") => tokens.push("name".to_owned()),
        _ if node.child_count() == 0 => tokens.push(text[node.byte_range()].to_owned()),
        _ => node.children(&mut node.walk()).for_each(|child| collect(child, text, tokens)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "export function cap(value, low, high) {\n  if (value < low) {\n    return low;\n  }\n  if (value > high) {\n    return high;\n  }\n  return value;\n}\n";

    fn check(suite: &str) -> Option<String> {
        embedded(suite, SOURCE, "cap")
    }

    #[test]
    fn a_copy_is_found_under_any_name_and_in_text() {
        let own = SOURCE.replace("export ", "");
        for suite in [
            own.clone(),
            own.replace("cap", "expected"),
            own.replace("cap", "e").replace("value", "v").replace("low", "a").replace("high", "b"),
            format!("const own = {};\n", own.replace("function cap", "function")),
            format!(
                "const own = {};\n",
                own.replace("function cap", "").replace(") {\n  if (value < low", ") => {\n  if (value < low")
            ),
            format!("class Own {{ {} }}\n", own.replace("function cap", "static own")),
            format!("test('a', () => {{\n{}\n}});\n", own.replace("cap", "own")),
            format!("const text = `{}`;\n", own.replace("cap", "own")),
            format!("const text = {:?};\n", own.replace("cap", "own")),
        ] {
            assert!(check(&suite).is_some(), "{suite}");
        }
    }

    #[test]
    fn honest_tests_and_helpers_are_no_copies() {
        for suite in [
            "test('a', () => {\n  assert.equal(cap(3, 1, 5), 3);\n  assert.equal(cap(0, 1, 5), 1);\n});\n",
            "const check = (value, expected) => assert.equal(cap(value, 1, 5), expected);\ntest('a', () => check(3, 3));\n",
        ] {
            assert_eq!(check(suite), None, "{suite}");
        }
    }
}
