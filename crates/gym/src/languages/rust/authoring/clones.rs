//! Whether a test file carries the function under test with it, under whatever name: then it compares the function with itself.

use tree_sitter::Node;

use super::super::syntax;
use crate::languages::likeness;
use crate::languages::nodes::find;

/// What in the test file is the function again.
pub(super) fn embedded(suite: &str, source: &str, function: &str) -> Option<String> {
    let target = syntax::functions(source).into_iter().find(|span| span.class.is_none() && span.name == function);
    let target = target.map(|span| tokens(&source[span.start..span.end])).unwrap_or_default();
    let tests = syntax::tests(suite);
    let tree = syntax::parse(suite);
    let is_test = |node: Node| {
        tests.iter().any(|test| test.whole.start <= node.start_byte() && node.end_byte() <= test.whole.end)
            && node.kind() == "function_item"
            && !inside_function(node)
    };
    find(tree.root_node(), &mut |node| {
        let text = &suite[node.byte_range()];
        let name = node.child_by_field_name("name").map_or("", |name| &suite[name.byte_range()]);
        match node.kind() {
            "function_item" if is_test(node) => None,
            "function_item" if name == function => Some(format!("the tests define `{function}`")),
            "function_item" | "closure_expression" | "token_tree" if likeness::is_copy(&target, &tokens(text)) => {
                Some(format!("{} of the tests resembles `{function}`", if name.is_empty() { "code" } else { name }))
            }
            "string_literal" | "raw_string_literal" if likeness::is_copy(&target, &tokens(&inner(text))) => {
                Some(format!("a text in the tests resembles `{function}`"))
            }
            _ => None,
        }
    })
}

fn inside_function(node: Node) -> bool {
    std::iter::successors(node.parent(), Node::parent).any(|around| around.kind() == "function_item")
}

fn inner(literal: &str) -> String {
    literal.trim_start_matches(['r', 'b']).trim_matches(['"', '#']).replace("\\n", "\n")
}

/// Tokens of the code without comments; names and texts are all alike.
fn tokens(text: &str) -> Vec<String> {
    let tree = syntax::parse(text);
    let mut tokens = Vec::new();
    collect(tree.root_node(), text, &mut tokens);
    tokens
}

fn collect(node: Node, text: &str, tokens: &mut Vec<String>) {
    match node.kind() {
        "line_comment" | "block_comment" | "attribute_item" | "visibility_modifier" => {}
        "string_literal" | "raw_string_literal" => tokens.push("text".to_owned()),
        kind if kind.ends_with("identifier") => tokens.push("name".to_owned()),
        _ if node.child_count() == 0 => tokens.push(text[node.byte_range()].to_owned()),
        _ => node.children(&mut node.walk()).for_each(|child| collect(child, text, tokens)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "/// Text.\npub fn cap(value: i64, low: i64, high: i64) -> i64 {\n    if value < low {\n        return low;\n    }\n    if value > high { return high; }\n    value\n}\n";

    fn check(suite: &str) -> Option<String> {
        embedded(suite, SOURCE, "cap")
    }

    #[test]
    fn a_copy_is_found_under_any_name_and_in_text() {
        for suite in [
            SOURCE.to_owned(),
            SOURCE.replace("cap", "expected"),
            SOURCE.replace("cap", "e").replace("value", "v").replace("low", "a").replace("high", "b"),
            format!("#[test]\nfn a() {{\n{}}}\n", SOURCE.replace("pub fn cap", "fn own")),
            format!("macro_rules! m {{ () => {{ {} }} }}\n", SOURCE.replace("cap", "own").replace("/// Text.\n", "")),
            format!("struct A; impl A {{ {} }}\n", SOURCE.replace("cap", "own")),
            format!("const TEXT: &str = {SOURCE:?};\n"),
        ] {
            assert!(check(&suite).is_some(), "{suite}");
        }
    }

    #[test]
    fn honest_tests_and_helpers_are_no_copies() {
        for suite in [
            "use caps::cap;\n#[test]\nfn a() {\n    assert_eq!(cap(3, 1, 5), 3);\n    assert_eq!(cap(0, 1, 5), 1);\n}\n",
            "fn check(value: i64, expected: i64) {\n    assert_eq!(caps::cap(value, 1, 5), expected);\n}\n#[test]\nfn a() { check(3, 3); }\n",
            "#[test]\nfn a() { for value in -4..9 { let mut all = [1, value, 5]; all.sort(); assert_eq!(caps::cap(value, 1, 5), all[1]); } }\n",
        ] {
            assert_eq!(check(suite), None, "{suite}");
        }
    }
}
