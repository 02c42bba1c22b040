//! Python that agents write: tests and scripts, and what a version of the code under them looks like in other words.

pub mod calls;
mod clones;
mod foreign;
mod idle;
pub mod inputs;
mod marked;
mod rename;
mod restate;
mod rewrites;
mod set_up;

use super::syntax::{functions, imports};
use crate::languages::{Authoring, FunctionSpan, Suite};
use crate::project::TestSetup;
use crate::tree::Tree;

/// Tests and scripts in Python.
pub(super) struct Code;

impl Authoring for Code {
    fn test_path(&self, beside: &str, function: &str) -> String {
        let directory = beside.rsplit_once('/').map_or("tests", |(directory, _)| directory);
        format!("{directory}/test_{function}_new.py")
    }

    fn test_form(&self) -> &'static str {
        "functions `test_*` with `assert`"
    }

    fn script_path(&self) -> &'static str {
        "repro.py"
    }

    fn script_form(&self) -> &'static str {
        "a script"
    }

    fn has_own_places(&self) -> bool {
        false
    }

    fn names(&self, tree: &Tree, _: &TestSetup, from: &str, _: &str) -> Option<String> {
        Some(imports(tree.text(from)?).join("\n"))
    }

    fn set_up(&self, source: &str, call: &str) -> String {
        set_up::of(source, call)
    }

    fn place(&self, names: &str) -> String {
        names.to_owned()
    }

    fn suite(&self, suite: &Suite<'_>) -> String {
        let module = module_name(suite.path, &suite.tests.import_roots);
        let asserts: Vec<String> =
            suite.facts.iter().map(|(call, value)| format!("    assert {call} == {value}")).collect();
        format!(
            "from {module} import *\nfrom {module} import {}\n\n\ndef test_facts():\n{}\n",
            suite.function,
            asserts.join("\n")
        )
    }

    fn script(&self, names: &str, call: &str, expected: &str) -> String {
        format!(
            "{names}\nok = ({call}) == ({expected})\nprint('REPRO', 'pass' if ok else 'fail')\nraise SystemExit(0 if ok else 1)\n"
        )
    }

    fn test_text<'a>(&self, source: &'a str, test: &[&str]) -> Option<&'a str> {
        let (name, around) = test.split_last()?;
        let name = name.split('[').next()?;
        let is_it = |span: &FunctionSpan| span.name == name && span.class.as_deref() == around.last().copied();
        let span = functions(source).into_iter().find(is_it)?;
        Some(&source[span.start..span.end])
    }

    fn calls(&self, source: &str, function: &str) -> Vec<String> {
        calls::in_tests(source, function)
    }

    fn varied(&self, call: &str) -> Vec<String> {
        inputs::varied(call)
    }

    fn documentation(&self, source: &str, function: &str) -> (String, String) {
        let Some(span) = at_top(source, function) else { return Default::default() };
        let signature = source[span.start..span.end].lines().next().unwrap_or_default().trim_end_matches(':');
        (signature.to_owned(), span.docstring.map_or_else(String::new, |range| plain(&source[range])))
    }

    fn documented_call(&self, source: &str, function: &str) -> Option<String> {
        let lines = source.lines().map(str::trim);
        let mut examples =
            lines.filter_map(|line| line.strip_prefix("Example: ").or_else(|| line.strip_prefix(">>> ")));
        let own = examples.find(|example| example.contains(&format!("{function}(")))?;
        own.split(" == ").next().map(str::to_owned)
    }

    /// No exception, no address, not cut off.
    fn is_value(&self, text: &str) -> bool {
        !text.contains(" at 0x") && !text.starts_with('<') && text != "nan"
    }

    fn rewrites(&self, source: &str, function: &str) -> Vec<String> {
        rewrites::rewrites(source, function)
    }

    fn restate(&self, _: &str, source: &str) -> Option<String> {
        restate::restate(source)
    }

    fn idle(&self, own: &str, other: &str, function: &str) -> Option<String> {
        idle::joined(own, other, function)
    }

    fn marked(&self, source: &str, function: &str, path: &str) -> Option<String> {
        marked::marked(source, function, path)
    }

    fn foreign(&self, suite: &str, tree: &Tree, tests: &TestSetup) -> Option<String> {
        let exists = |module: &str| {
            let path = module.replace('.', "/");
            let at = |root: &String| if root.is_empty() { path.clone() } else { format!("{root}/{path}") };
            let has =
                |path: String| tree.contains(&format!("{path}.py")) || tree.contains(&format!("{path}/__init__.py"));
            tests.import_roots.iter().map(at).any(has)
        };
        foreign::runs_foreign_code(suite, &exists)
    }

    fn embedded(&self, suite: &str, source: &str, function: &str) -> Option<String> {
        clones::embedded(suite, source, function)
    }
}

/// The dotted name under which a source file is imported: `pkg.mod` of `src/pkg/mod.py`.
pub fn module_name(path: &str, import_roots: &[String]) -> String {
    let below = |root: &String| path.strip_prefix(root.as_str()).map(|rest| rest.trim_start_matches('/'));
    let relative = import_roots.iter().filter(|root| !root.is_empty()).find_map(below).unwrap_or(path);
    relative.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".")
}

fn at_top(source: &str, function: &str) -> Option<FunctionSpan> {
    functions(source).into_iter().find(|span| span.class.is_none() && span.name == function)
}

/// The docstring without quotes and on one line per sentence, its examples left out: they are in the code.
fn plain(docstring: &str) -> String {
    let inner = docstring.trim_matches(|c| c == '"' || c == '\'');
    let lines =
        inner.lines().map(str::trim).take_while(|line| !line.starts_with("Example:") && !line.starts_with(">>>"));
    lines.filter(|line| !line.is_empty()).take(12).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_names_leave_out_the_import_root() {
        assert_eq!(module_name("src/pkg/mod.py", &["src".into()]), "pkg.mod");
        assert_eq!(module_name("pkg/__init__.py", &[String::new()]), "pkg");
    }
}
