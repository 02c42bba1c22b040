//! What the files of a Python project are for, and what in them is code: everything but comments, docstrings, line breaks and the
//! statement of the version.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::syntax::{functions, is_valid, parse};
use crate::languages::Anatomy;
use crate::languages::anatomy::{Class, Grammar, Word, lies_in, words};
use crate::languages::nodes::visit;

/// Directories whose Python files are no part of the package.
const ASIDE: [&str; 13] = [
    "docs",
    "doc",
    "examples",
    "example",
    "benchmarks",
    "benchmark",
    "scripts",
    "tools",
    "perf",
    "vendor",
    "_vendor",
    ".github",
    ".git",
];

/// Files of Python projects.
pub(super) struct Files;

impl Anatomy for Files {
    fn class(&self, path: &str) -> Class {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_test = name.ends_with(".py") && name.starts_with("test_") || name.ends_with("_test.py");
        if lies_in(path, &ASIDE) {
            return Class::Other;
        }
        if is_test || lies_in(path, &["tests", "test", "testing"]) || matches!(name, "conftest.py" | "tests.py") {
            return Class::Test;
        }
        match name {
            "pyproject.toml" | "setup.cfg" | "setup.py" | "tox.ini" | "pytest.ini" | ".pytest.ini" => Class::Config,
            "noxfile.py" | "tasks.py" | "_version.py" | "version.py" | "__about__.py" | "__version__.py" => {
                Class::Other
            }
            _ if name.ends_with(".txt") && path.contains("requirements") => Class::Config,
            _ if name.ends_with(".py") => Class::Source,
            _ => Class::Other,
        }
    }

    fn words<'source>(&self, _: &str, source: &'source str) -> Vec<Word<'source>> {
        let is_left_out = &|node: Node<'_>| is_text(node, source);
        // The text of a string is one word: white space in it counts.
        words(parse(source).root_node(), source, &Grammar { is_left_out, whole: &["string"], blocks: &["block"] })
    }

    fn is_valid(&self, _: &str, source: &str) -> bool {
        is_valid(source)
    }

    fn definitions(&self, _: &str, source: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        visit(parse(source).root_node(), &mut |node| {
            if matches!(node.kind(), "function_definition" | "class_definition") {
                names.extend(node.child_by_field_name("name").map(|name| source[name.byte_range()].to_owned()));
            }
        });
        names
    }

    fn tests<'source>(&self, source: &'source str) -> Vec<(String, &'source str)> {
        let tests = functions(source).into_iter().filter(|span| span.name.starts_with("test"));
        tests.map(|span| (span.qualified().replace('.', "::"), &source[span.start..span.end])).collect()
    }

    fn modules(&self, path: &str) -> Vec<String> {
        let dotted = path.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".");
        // With and without the directory that modules are imported from.
        let inner = dotted.split_once('.').map(|(_, rest)| rest.to_owned());
        [Some(dotted), inner].into_iter().flatten().filter(|it| it.contains('.')).collect()
    }
}

/// Comments, bare strings and the version.
fn is_text(node: Node<'_>, source: &str) -> bool {
    match node.kind() {
        "comment" => true,
        "expression_statement" => node.named_child(0).is_some_and(|child| match child.kind() {
            "string" | "concatenated_string" => node.named_child_count() == 1,
            "assignment" => {
                let target = child.child_by_field_name("left").map_or("", |left| &source[left.byte_range()]);
                matches!(target, "__version__" | "version" | "VERSION" | "__version_info__")
            }
            _ => false,
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str =
        "\"\"\"Doc.\"\"\"\n__version__ = \"1\"\n\ndef f(x):\n    # why\n    if x:\n        x = 1\n    return x\n";

    fn same_code(one: &str, other: &str) -> bool {
        let files: &dyn Anatomy = &Files;
        files.same_code("a.py", one, other)
    }

    #[test]
    fn a_path_says_what_a_file_is_for() {
        let all = |paths: &[&str], expected: Class| {
            paths.iter().for_each(|path| assert_eq!(Files.class(path), expected, "{path}"));
        };
        all(&["pkg/a.py", "src/pkg/testing.py", "six.py"], Class::Source);
        all(&["tests/data.json", "pkg/test/util.py", "test_six.py", "a_test.py", "conftest.py"], Class::Test);
        all(&["setup.cfg", "pyproject.toml", "requirements/dev.txt", "requirements-test.txt"], Class::Config);
        all(&["docs/conf.py", "CHANGES.rst", "pkg/_version.py", "pkg/a.pyi", "examples/x.py"], Class::Other);
    }

    #[test]
    fn comments_docstrings_line_breaks_and_versions_are_no_code() {
        let other = "\"\"\"Other.\"\"\"\n__version__ = \"2\"\ndef f(\n    x):\n    \"\"\"New.\"\"\"\n    if x:\n        x = 1\n\n    return x\n";
        assert!(same_code(SOURCE, other));
    }

    #[test]
    fn indentation_and_the_text_of_strings_are_code() {
        assert!(!same_code(SOURCE, &SOURCE.replace("    return x", "        return x")));
        assert!(!same_code("x = 'a b'", "x = 'a  b'"));
    }

    #[test]
    fn lines_of_code_and_definitions_are_known() {
        let files: &dyn Anatomy = &Files;
        assert_eq!(files.code_lines("a.py", "# a\nx = 1\n\n'text'\n").into_iter().collect::<Vec<_>>(), [2]);
        let source = "class A:\n    def f(self):\n        def g(): pass\n";
        assert_eq!(Files.definitions("a.py", source).into_iter().collect::<Vec<_>>(), ["A", "f", "g"]);
    }

    #[test]
    fn a_module_is_known_with_and_without_the_folder_around_it() {
        assert_eq!(Files.modules("src/pkg/limits.py"), ["src.pkg.limits", "pkg.limits"]);
        assert_eq!(Files.modules("pkg/__init__.py"), Vec::<String>::new());
    }
}
