//! Whether a test file runs code that does not stand in it: text, bytes, another process, a file that it wrote before.
//!
//! Such code could be the function under test once more.

use tree_sitter::Node;

use crate::languages::nodes::visit_all;
use crate::languages::python::syntax::parse;

/// What runs text as code.
const RUN_TEXT: [&str; 6] = ["exec", "eval", "compile", "__import__", "FunctionType", "CodeType"];
/// Modules that run code from elsewhere.
const MODULES: [&str; 11] = [
    "runpy",
    "subprocess",
    "multiprocessing",
    "ctypes",
    "marshal",
    "imp",
    "zipimport",
    "code",
    "codeop",
    "builtins",
    "pty",
];
/// Names that run it or make it readable, whatever they belong to.
const NAMES: [&str; 22] = [
    "__builtins__",
    "__loader__",
    "__subclasses__",
    "__code__",
    "__globals__",
    "spec_from_file_location",
    "spec_from_loader",
    "exec_module",
    "SourceFileLoader",
    "SourcelessFileLoader",
    "run_path",
    "system",
    "popen",
    "fork",
    "posix_spawn",
    "execv",
    "execve",
    "execvp",
    "spawnv",
    "fromhex",
    "b64decode",
    "decompress",
];
/// Modules that tests import where they need them.
const COMMON: [&str; 24] = [
    "pytest",
    "unittest",
    "math",
    "random",
    "itertools",
    "functools",
    "collections",
    "operator",
    "re",
    "json",
    "os",
    "sys",
    "string",
    "datetime",
    "decimal",
    "fractions",
    "statistics",
    "typing",
    "copy",
    "time",
    "tempfile",
    "pathlib",
    "io",
    "textwrap",
];

/// What runs such code. `exists` says whether the tree has a module of that dotted name.
pub(super) fn runs_foreign_code(tests: &str, exists: &dyn Fn(&str) -> bool) -> Option<String> {
    let syntax = parse(tests);
    // What is imported before anything else has run cannot have been written by the tests.
    let head = end_of_imports(syntax.root_node());
    let mut found = None;
    visit_all(syntax.root_node(), &mut |node| {
        let here = match node.kind() {
            "call" => runs_text(node, tests).map(str::to_owned),
            "import_statement" | "import_from_statement" => {
                let late = node.start_byte() >= head;
                imported(node, tests).into_iter().find(|module| is_suspect(module, late, exists))
            }
            "identifier" => {
                NAMES.iter().find(|name| **name == &tests[node.byte_range()]).map(|name| (*name).to_owned())
            }
            _ => None,
        };
        found = found.take().or(here);
    });
    found
}

fn is_suspect(module: &str, late: bool, exists: &dyn Fn(&str) -> bool) -> bool {
    let top = module.split('.').next().unwrap_or(module);
    MODULES.contains(&top) || late && !top.is_empty() && !COMMON.contains(&top) && !exists(module)
}

/// The name of a call that runs text as code.
fn runs_text(call: Node, text: &str) -> Option<&'static str> {
    let callee = call.child_by_field_name("function")?;
    let name = callee.child_by_field_name("attribute").unwrap_or(callee);
    let known = RUN_TEXT.iter().copied().find(|it| *it == &text[name.byte_range()])?;
    // `re.compile` and the like are no such call.
    (callee.kind() != "attribute" || known.ends_with("Type")).then_some(known)
}

fn end_of_imports(root: Node) -> usize {
    let may_stand_before = |node: &Node| {
        let is_text = node.kind() == "expression_statement" && node.child(0).is_some_and(|it| it.kind() == "string");
        is_text
            || matches!(
                node.kind(),
                "import_statement" | "import_from_statement" | "future_import_statement" | "comment"
            )
    };
    let mut cursor = root.walk();
    root.named_children(&mut cursor).take_while(may_stand_before).last().map_or(0, |node| node.end_byte())
}

/// The modules that an import statement names.
fn imported(statement: Node, text: &str) -> Vec<String> {
    if let Some(module) = statement.child_by_field_name("module_name") {
        return vec![text[module.byte_range()].trim_start_matches('.').to_owned()];
    }
    let mut cursor = statement.walk();
    let name = |node: Node| text[node.child_by_field_name("name").unwrap_or(node).byte_range()].to_owned();
    statement.named_children(&mut cursor).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tests: &str) -> Option<String> {
        runs_foreign_code(tests, &|module| module == "pkg.caps")
    }

    #[test]
    fn code_from_elsewhere_is_found() {
        for (tests, expected) in [
            ("n = {}\nexec('def cap(): pass', n)\n", "exec"),
            ("import types\nf = types.FunctionType(code, {})\n", "FunctionType"),
            ("open('own.py', 'w').write(text)\nimport own as other\n", "own"),
            ("def test_a():\n    from own import cap_too\n", "own"),
            ("import subprocess\n", "subprocess"),
            ("run = getattr(__builtins__, name)\n", "__builtins__"),
            ("text = bytes.fromhex('00')\n", "fromhex"),
        ] {
            assert_eq!(check(tests).as_deref(), Some(expected), "{tests}");
        }
    }

    #[test]
    fn honest_imports_and_calls_are_left_alone() {
        for tests in [
            "import re\n\ndef test_a():\n    assert re.compile('a')\n",
            "import os.path\n\ndef test_a():\n    import math\n    from pkg.caps import cap\n    assert cap(3) == math.ceil(2.5)\n",
            "import own\nfrom .other import helper\n\ndef test_a():\n    assert own.f() == 'code'\n",
        ] {
            assert_eq!(check(tests), None, "{tests}");
        }
    }
}
