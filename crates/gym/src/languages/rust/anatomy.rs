//! What the files of a Rust package are for, and what in them is code. Tests inside of source files are taken apart from it.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::documentation::with_examples_of;
use super::syntax::{parse, test_items, tests, with_tests_of};
use crate::languages::Anatomy;
use crate::languages::anatomy::{Class, Grammar, Word, lies_in, words};
use crate::languages::nodes::visit;

/// Folders whose files are neither code of the package nor tests of it.
const ASIDE: [&str; 9] = ["docs", "doc", "fuzz", "scripts", "tools", "xtask", "vendor", ".github", ".git"];
/// Folders of further programs, which the manifest may name.
const PROGRAMS: [&str; 3] = ["benches", "examples", ".cargo"];
/// Folders of tests and of what they read.
const TESTS: [&str; 5] = ["tests", "test", "testdata", "test_data", "snapshots"];
/// Items with a name.
const ITEMS: [&str; 10] = [
    "function_item",
    "function_signature_item",
    "struct_item",
    "enum_item",
    "enum_variant",
    "trait_item",
    "type_item",
    "const_item",
    "static_item",
    "macro_definition",
];

/// Files of Rust packages.
pub(super) struct Files;

impl Anatomy for Files {
    fn class(&self, path: &str) -> Class {
        let name = path.rsplit('/').next().unwrap_or(path);
        if lies_in(path, &ASIDE) {
            return Class::Other;
        }
        if lies_in(path, &TESTS) || is_test_file(name) {
            return Class::Test;
        }
        let decides =
            matches!(name, "Cargo.toml" | "Cargo.lock" | "build.rs" | "rust-toolchain" | "rust-toolchain.toml");
        match name.ends_with(".rs") {
            _ if decides || lies_in(path, &PROGRAMS) => Class::Config,
            true => Class::Source,
            false => Class::Other,
        }
    }

    fn words<'source>(&self, _: &str, source: &'source str) -> Vec<Word<'source>> {
        let aside = test_items(source);
        // The whole lines of an item begin before it.
        code_words(source, &|node| {
            aside.iter().any(|range| range.start <= node.start_byte() && node.end_byte() <= range.end)
        })
    }

    fn is_valid(&self, _: &str, source: &str) -> bool {
        !parse(source).root_node().has_error()
    }

    fn definitions(&self, _: &str, source: &str) -> BTreeSet<String> {
        let aside = test_items(source);
        let mut names = BTreeSet::new();
        visit(parse(source).root_node(), &mut |node| {
            let is_aside = aside.iter().any(|range| range.contains(&node.start_byte()));
            if ITEMS.contains(&node.kind()) && !is_aside {
                names.extend(node.child_by_field_name("name").map(|name| source[name.byte_range()].to_owned()));
            }
        });
        names
    }

    fn tests<'source>(&self, source: &'source str) -> Vec<(String, &'source str)> {
        tests(source).into_iter().map(|test| (test.path, &source[test.whole])).collect()
    }

    fn inner_tests(&self, source: &str) -> String {
        test_items(source).into_iter().map(|range| &source[range]).collect()
    }

    fn with_inner_tests(&self, source: &str, other: &str) -> String {
        with_examples_of(&with_tests_of(source, other), other)
    }
}

/// Whether a file is by its name a module of tests.
pub(super) fn is_test_file(name: &str) -> bool {
    matches!(name, "tests.rs" | "test.rs") || name.ends_with("_test.rs") || name.ends_with("_tests.rs")
}

/// The words of code without comments and without the nodes that are set aside; texts and characters are one word each.
pub(super) fn code_words<'source>(source: &'source str, is_aside: &dyn Fn(Node<'_>) -> bool) -> Vec<Word<'source>> {
    let is_left_out = &|node: Node<'_>| matches!(node.kind(), "line_comment" | "block_comment") || is_aside(node);
    let whole = &["string_literal", "raw_string_literal", "char_literal"];
    words(parse(source).root_node(), source, &Grammar { is_left_out, whole, blocks: &[] })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
/// Text.
pub fn f(x: u8) -> u8 {
    x + 1 // why
}

#[cfg(test)]
mod tests {
    #[test]
    fn one() { assert_eq!(super::f(1), 2); }
}
";

    #[test]
    fn a_path_says_what_a_file_is_for() {
        let all = |paths: &[&str], expected: Class| {
            paths.iter().for_each(|path| assert_eq!(Files.class(path), expected, "{path}"));
        };
        all(&["src/lib.rs", "src/testing.rs", "main.rs"], Class::Source);
        all(&["tests/api.rs", "tests/data.json", "src/parse/tests.rs", "src/parse_test.rs"], Class::Test);
        all(&["Cargo.toml", "Cargo.lock", "build.rs", "benches/a.rs", "examples/b.rs"], Class::Config);
        all(&["README.md", "fuzz/a.rs", "docs/x.rs"], Class::Other);
    }

    #[test]
    fn comments_and_tests_are_no_code_of_a_source_file() {
        let files: &dyn Anatomy = &Files;
        let other = SOURCE.replace("// why", "// because").replace("Text", "Words").replace("assert_eq", "assert_ne");
        assert!(files.same_code("src/lib.rs", SOURCE, &other));
        assert!(!files.same_code("src/lib.rs", SOURCE, &SOURCE.replace("x + 1", "x + 2")));
        assert_eq!(files.code_lines("src/lib.rs", SOURCE).into_iter().collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(Files.definitions("src/lib.rs", SOURCE).into_iter().collect::<Vec<_>>(), ["f"]);
    }

    #[test]
    fn a_version_with_the_tests_of_another_one_keeps_its_own_code() {
        let other = SOURCE.replace("x + 1", "x + 2").replace("fn one()", "fn two()");
        let mixed = Files.with_inner_tests(SOURCE, &other);
        assert!(mixed.contains("x + 1") && mixed.contains("fn two()") && !mixed.contains("fn one()"), "{mixed}");
        assert_eq!(Files.tests(&mixed).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["tests::two"]);
    }

    #[test]
    fn examples_go_the_way_of_tests_and_are_no_code() {
        let example =
            |value: u8| SOURCE.replace("/// Text.\n", &format!("/// ```\n/// assert_eq!(f(1), {value});\n/// ```\n"));
        assert_eq!(Files.with_inner_tests(&example(3), &example(2)), example(2));
        let files: &dyn Anatomy = &Files;
        let without = Files.with_inner_tests(SOURCE, &example(2));
        assert!(without.starts_with(SOURCE) && without.contains("assert_eq!(f(1), 2)"), "{without}");
        assert!(files.same_code("src/lib.rs", SOURCE, &without));
    }
}
