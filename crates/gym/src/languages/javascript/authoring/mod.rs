//! JavaScript that agents write: test files and modules that are run; and what a version of the code under them looks like in other words.

mod calls;
mod clones;
mod foreign;
mod names;
mod restate;
mod rewrites;

use tree_sitter::Node;

use super::suite::{declaration, joined};
use super::syntax::{functions, is_valid, parse};
use crate::languages::{Authoring, FunctionSpan, Suite};
use crate::project::{RunnerKind, TestSetup};
use crate::tree::Tree;

/// Tests and scripts in JavaScript.
pub(super) struct Code;

impl Authoring for Code {
    fn test_path(&self, beside: &str, function: &str) -> String {
        let folder = beside.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let ending = beside.rsplit('.').next().unwrap_or("js");
        format!("{folder}{function}_new.test.{ending}")
    }

    fn test_form(&self) -> &'static str {
        "tests for the runner of the project, as in the files beside it"
    }

    fn script_path(&self) -> &'static str {
        "repro.mjs"
    }

    fn script_form(&self) -> &'static str {
        "a module"
    }

    fn names(&self, tree: &Tree, _: &TestSetup, from: &str, to: &str) -> Option<String> {
        Some(names::elsewhere(tree.text(from)?, from, to))
    }

    fn place(&self, names: &str) -> String {
        names.to_owned()
    }

    fn suite(&self, suite: &Suite<'_>) -> String {
        let is_module = suite.names.lines().any(|line| line.starts_with("import ")) || suite.names.is_empty();
        let import = |name: &str, from: &str| match (is_module, name) {
            (true, "default") => format!("import basisAssert from '{from}';\n"),
            (true, name) => format!("import {{ {name} as basisTest }} from '{from}';\n"),
            (false, "default") => format!("const basisAssert = require('{from}');\n"),
            (false, name) => format!("const basisTest = require('{from}').{name};\n"),
        };
        let test = match suite.tests.runner {
            RunnerKind::Vitest => import("test", "vitest"),
            RunnerKind::Jest => "const basisTest = test;\n".to_owned(),
            RunnerKind::Mocha => "const basisTest = it;\n".to_owned(),
            _ => import("test", "node:test"),
        };
        let check =
            |(call, value): &(String, String)| format!("  basisAssert.deepStrictEqual(await ({call}), ({value}));\n");
        let checks: String = suite.facts.iter().map(check).collect();
        format!(
            "{}{test}{}\nbasisTest('facts', async () => {{\n{checks}}});\n",
            import("default", "node:assert"),
            suite.names
        )
    }

    fn script(&self, names: &str, call: &str, expected: &str) -> String {
        format!(
            "import basisAssert from 'node:assert';\n{names}\ntry {{\n  basisAssert.deepStrictEqual(await ({call}), ({expected}));\n}} catch {{\n  process.exit(1);\n}}\nprocess.exit(0);\n"
        )
    }

    fn test_text<'a>(&self, source: &'a str, test: &[&str]) -> Option<&'a str> {
        let tree = parse(source);
        let title = test.join("::");
        let range = test_call(tree.root_node(), "", &title, source)?;
        Some(&source[range])
    }

    fn calls(&self, source: &str, function: &str) -> Vec<String> {
        calls::in_file(source, function)
    }

    fn varied(&self, call: &str) -> Vec<String> {
        calls::varied(call)
    }

    fn crossed(&self, calls: &[String]) -> Vec<String> {
        calls::crossed(calls)
    }

    fn documentation(&self, source: &str, function: &str) -> (String, String) {
        let Some(span) = at_top(source, function) else { return Default::default() };
        let signature = source[span.start..span.end].lines().next().unwrap_or_default().trim_end_matches('{');
        (signature.trim_end().to_owned(), plain(&source[..span.start]))
    }

    fn documented_call(&self, _: &str, _: &str) -> Option<String> {
        None
    }

    /// What can be read back.
    fn is_value(&self, text: &str) -> bool {
        !text.contains("[Object") && is_valid(&format!("({text})"))
    }

    fn rewrites(&self, source: &str, function: &str) -> Vec<String> {
        rewrites::rewrites(source, function)
    }

    fn restate(&self, path: &str, source: &str) -> Option<String> {
        restate::restate(path, source)
    }

    fn idle(&self, own: &str, other: &str, function: &str) -> Option<String> {
        rewrites::idle(own, other, function)
    }

    fn marked(&self, source: &str, function: &str, path: &str) -> Option<String> {
        rewrites::marked(source, function, path)
    }

    fn foreign(&self, suite: &str, _: &Tree, _: &TestSetup) -> Option<String> {
        foreign::runs_foreign_code(suite)
    }

    fn embedded(&self, suite: &str, source: &str, function: &str) -> Option<String> {
        clones::embedded(suite, source, function)
    }
}

/// The function of this name that belongs to no class.
fn at_top(source: &str, function: &str) -> Option<FunctionSpan> {
    functions(source).into_iter().find(|span| span.class.is_none() && span.name == function)
}

/// The bytes of the call that declares the test with a title.
fn test_call(node: Node, path: &str, title: &str, source: &str) -> Option<std::ops::Range<usize>> {
    let own = declaration(node, source).and_then(|it| joined(path, it.title, source));
    if own.as_deref() == Some(title) {
        return Some(node.byte_range());
    }
    let path = own.as_deref().unwrap_or(path);
    node.named_children(&mut node.walk()).find_map(|child| test_call(child, path, title, source))
}

/// The comment that ends a text, in one line, without tags and examples.
fn plain(above: &str) -> String {
    let Some((_, comment)) = above.trim_end().strip_suffix("*/").and_then(|text| text.rsplit_once("/**")) else {
        return String::new();
    };
    let lines = comment.lines().map(|line| line.trim().trim_start_matches('*').trim());
    let text = lines.take_while(|line| !line.starts_with("@example") && !line.starts_with("```"));
    text.filter(|line| !line.is_empty()).take(12).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_found_by_its_titles() {
        let source = "test('a', () => {});\ndescribe('b', () => {\n  it('c', () => f(1));\n});\n";
        assert_eq!(Code.test_text(source, &["b", "c"]), Some("it('c', () => f(1))"));
        assert_eq!(Code.test_text(source, &["c"]), None);
    }

    #[test]
    fn documentation_is_the_comment_above() {
        let source = "/**\n * Adds.\n *\n * @param {number} a\n */\nexport function add(a, b) {\n  return a + b;\n}\n";
        let expected = ("export function add(a, b)".to_owned(), "Adds. @param {number} a".to_owned());
        assert_eq!(Code.documentation(source, "add"), expected);
    }

    #[test]
    fn values_are_what_can_be_read_back() {
        let is = |text: &str| Code.is_value(text);
        assert!(
            is("{ a: [ 1, 'x' ] }") && is("undefined") && !is("[Object: null prototype] {}") && !is("<ref *1> [ 1 ]")
        );
    }
}
