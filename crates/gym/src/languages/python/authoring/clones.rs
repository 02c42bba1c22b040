//! Whether a test file carries the function under test with it, under whatever name: then it compares the function with itself.

use crate::languages::FunctionSpan;
use crate::languages::likeness;
use crate::languages::nodes::visit_all;
use crate::languages::python::syntax::{functions, parse};

/// What in the test file is the target again.
pub(super) fn embedded(tests: &str, source: &str, function: &str) -> Option<String> {
    let target = functions(source).into_iter().find(|span| span.class.is_none() && span.name == function);
    let target = target.map(|span| tokens(&source[span.start..span.end])).unwrap_or_default();
    let all = functions(tests);
    if all.iter().any(|span| span.name == function) {
        return Some(format!("the tests define `{function}`"));
    }
    let is_copy = |text: &str| likeness::is_copy(&target, &tokens(text));
    let mut helpers = all.iter().filter(|span| !is_test(span, &all, tests));
    if let Some(span) = helpers.find(|span| is_copy(&tests[span.start..span.end])) {
        return Some(format!("the helper `{}` of the tests resembles `{function}`", span.name));
    }
    let mut found = None;
    visit_all(parse(tests).root_node(), &mut |node| {
        let text = &tests[node.byte_range()];
        let holds_copy = |text: String| functions(&text).iter().any(|span| is_copy(&text[span.start..span.end]));
        found = found.or(match node.kind() {
            "lambda" if is_copy(text) => Some("lambda"),
            "string" if holds_copy(text.trim_matches(['"', '\'']).replace("\\n", "\n")) => Some("text"),
            _ => None,
        });
    });
    found.map(|what| format!("a {what} in the tests resembles `{function}`"))
}

/// Whether a function is found and run as a test, and so is no helper: at the top or in a test class, and with parameters only where
/// they are given to it.
fn is_test(span: &FunctionSpan, all: &[FunctionSpan], tests: &str) -> bool {
    let is_inside = all.iter().any(|outer| outer.start < span.start && span.end <= outer.end);
    let in_class = span.class.as_ref().is_none_or(|class| class.starts_with("Test"));
    let text = &tests[span.start..span.end];
    let parameters = text.find("def ").and_then(|at| text[at..].split_once('(')?.1.split_once(')'));
    let takes_values = parameters.is_some_and(|(inner, _)| inner.contains(',')) && !text.starts_with('@');
    span.name.starts_with("test") && in_class && !is_inside && !takes_values
}

/// Tokens of the code without comments and its docstring; names are all alike.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    visit_all(parse(text).root_node(), &mut |node| {
        let parent = node.parent().map_or("", |parent| parent.kind());
        if node.kind() == "string" && parent != "expression_statement" {
            tokens.push("text".to_owned());
        } else if node.child_count() == 0
            && !node.kind().starts_with("string")
            && !matches!(node.kind(), "comment" | "escape_sequence")
        {
            let name = node.kind() == "identifier";
            tokens.push(if name { "name".to_owned() } else { text[node.byte_range()].to_owned() });
        }
    });
    tokens.retain(|token| !token.trim().is_empty());
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "def cap(value, low, high):\n    \"\"\"Doc.\"\"\"\n    if value < low:\n        return low\n    if value > high:\n        return high\n    return value\n";

    fn check(tests: &str) -> Option<String> {
        embedded(tests, SOURCE, "cap")
    }

    #[test]
    fn a_copy_is_found_under_any_name_and_in_text() {
        for tests in [
            SOURCE.to_owned(),
            SOURCE.replace("cap", "expected"),
            SOURCE.replace("cap", "_e").replace("value", "v").replace("low", "a").replace("high", "b"),
            format!("class Own:\n    {}", SOURCE.replace("def cap", "def test_own").replace("\n    ", "\n        ")),
            format!("def test_a():\n    {}", SOURCE.replace("def cap", "def test_own").replace("\n    ", "\n        ")),
            format!("TEXT = '''{SOURCE}'''\n"),
            format!("TEXT = {:?}\n", SOURCE.replace("\"\"\"Doc.\"\"\"", "")),
            "own = lambda v, a, b: a if v < a else b if v > b else v\n".to_owned(),
        ] {
            assert!(check(&tests).is_some(), "{tests}");
        }
    }

    #[test]
    fn honest_tests_and_helpers_are_no_copies() {
        for tests in [
            "def test_a():\n    assert cap(3, 1, 5) == 3\n    assert cap(0, 1, 5) == 1\n",
            "import re\n\ndef check(value, expected):\n    assert re.compile('a') and cap(value, 1, 5) == expected\n\ndef test_a():\n    check(3, 3)\n",
            "import pytest\n\n@pytest.mark.parametrize('value, expected', [(1, 2)])\ndef test_a(value, expected):\n    assert cap(value, 1, 5) == expected\n",
            "def middle(values):\n    return sorted(values)[1]\n\ndef test_a():\n    assert cap(3, 1, 5) == middle([3, 1, 5])\n",
        ] {
            assert_eq!(check(tests), None, "{tests}");
        }
    }
}
