//! Rust that agents write: integration tests and examples, which use a crate from outside; and what a version of the code under them looks
//! like in other words.

mod calls;
mod clones;
mod foreign;
mod names;
mod restate;
mod rewrites;

use tree_sitter::Node;

use super::syntax;
use crate::languages::{Authoring, FunctionSpan, Suite};
use crate::project::TestSetup;
use crate::tree::Tree;

/// Tests and scripts in Rust.
pub(super) struct Code;

impl Authoring for Code {
    fn test_path(&self, _: &str, function: &str) -> String {
        format!("tests/{function}_new.rs")
    }

    fn test_form(&self) -> &'static str {
        "functions with `#[test]`, which use the crate from outside"
    }

    fn script_path(&self) -> &'static str {
        "examples/repro.rs"
    }

    fn script_form(&self) -> &'static str {
        "an example of the crate"
    }

    fn is_compiled(&self) -> bool {
        true
    }

    fn names(&self, tree: &Tree, tests: &TestSetup, from: &str, _: &str) -> Option<String> {
        names::from_outside(tree, tests, from)
    }

    fn place(&self, names: &str) -> String {
        format!("{names}\n\n#[test]\nfn nothing() {{}}\n")
    }

    fn suite(&self, suite: &Suite<'_>) -> String {
        let check =
            |(call, value): &(String, String)| format!("    assert_eq!(format!(\"{{:?}}\", {call}), {value:?});\n");
        let checks: String = suite.facts.iter().map(check).collect();
        format!("{}\n\n#[test]\nfn facts() {{\n{checks}}}\n", suite.names)
    }

    fn script(&self, names: &str, call: &str, expected: &str) -> String {
        format!(
            "{names}\n\nfn main() -> std::process::ExitCode {{\n    let seen = std::panic::catch_unwind(|| format!(\"{{:?}}\", {call}));\n    let is_right = seen.is_ok_and(|seen| seen == {expected:?});\n    std::process::ExitCode::from(u8::from(!is_right))\n}}\n"
        )
    }

    fn test_text<'a>(&self, source: &'a str, test: &[&str]) -> Option<&'a str> {
        let path = test.join("::");
        let found = syntax::tests(source).into_iter().find(|it| it.path == path)?;
        Some(&source[found.whole])
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
        let text = source[span.start..span.end].lines().find(|line| line.contains("fn ")).unwrap_or_default();
        (text.trim().trim_end_matches('{').trim_end().to_owned(), plain(&comment(source, &span)))
    }

    fn documented_call(&self, source: &str, function: &str) -> Option<String> {
        let lines = comment(source, &at_top(source, function)?);
        let code: Vec<&str> = lines.split("```").skip(1).step_by(2).collect();
        calls::in_file(&format!("fn f() {{{}\n}}", code.join("\n")), function).into_iter().next()
    }

    /// Addresses differ from run to run.
    fn is_value(&self, text: &str) -> bool {
        !text.contains("0x") && text != "NaN"
    }

    fn rewrites(&self, source: &str, function: &str) -> Vec<String> {
        rewrites::rewrites(source, function)
    }

    fn restate(&self, _: &str, source: &str) -> Option<String> {
        restate::restate(source)
    }

    fn idle(&self, own: &str, other: &str, function: &str) -> Option<String> {
        rewrites::idle(own, other, function)
    }

    fn marked(&self, source: &str, function: &str, path: &str) -> Option<String> {
        rewrites::marked(source, function, path)
    }

    fn foreign(&self, suite: &str, tree: &Tree, _: &TestSetup) -> Option<String> {
        foreign::runs_foreign_code(suite, &|path| tree.contains(path))
    }

    fn embedded(&self, suite: &str, source: &str, function: &str) -> Option<String> {
        clones::embedded(suite, source, function)
    }
}

fn at_top(source: &str, function: &str) -> Option<FunctionSpan> {
    syntax::functions(source).into_iter().find(|span| span.class.is_none() && span.name == function)
}

/// The documentation comment above a function, line by line.
fn comment(source: &str, span: &FunctionSpan) -> String {
    let above: Vec<&str> = source[..span.start].lines().collect();
    let own = above.iter().rev().map(|line| line.trim()).take_while(|line| line.starts_with("///") || line.is_empty());
    let mut lines: Vec<&str> = own.filter_map(|line| line.strip_prefix("///")).collect();
    lines.reverse();
    lines.join("\n")
}

/// A comment in one line, up to its first heading or example.
fn plain(comment: &str) -> String {
    let lines = comment.lines().map(str::trim).take_while(|line| !line.starts_with('#') && !line.starts_with("```"));
    lines.filter(|line| !line.is_empty()).take(12).collect::<Vec<_>>().join(" ")
}

/// The function item, `name` or `Type.name`, of a file.
fn item<'tree>(root: Node<'tree>, source: &str, function: &str) -> Option<Node<'tree>> {
    let span = syntax::functions(source).into_iter().find(|span| span.qualified() == function)?;
    // Attributes stand before it.
    let found = root.descendant_for_byte_range(span.end - 1, span.end)?;
    std::iter::successors(Some(found), Node::parent).find(|node| node.kind() == "function_item")
}
