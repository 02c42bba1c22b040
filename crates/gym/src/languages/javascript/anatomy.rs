//! What the files of a JavaScript project are for, and what in them is code.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::language::{is_protected_path, is_script};
use super::suite::texts;
use super::syntax::{definition, parse, parse_as};
use crate::languages::Anatomy;
use crate::languages::anatomy::{Class, Grammar, Word, lies_in, words};
use crate::languages::nodes::visit;
use crate::mutation::Definition;

/// Folders whose files are neither code of the package nor tests of it.
const ASIDE: [&str; 18] = [
    "docs",
    "doc",
    "examples",
    "example",
    "benchmark",
    "benchmarks",
    "bench",
    "scripts",
    "tools",
    "perf",
    "vendor",
    "website",
    "dist",
    "node_modules",
    ".github",
    ".git",
    ".husky",
    ".vscode",
];
/// Folders of tests and of what they read.
const TESTS: [&str; 9] =
    ["test", "tests", "__tests__", "__mocks__", "__snapshots__", "__fixtures__", "fixtures", "spec", "specs"];

/// Files of JavaScript projects.
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
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        match is_script(path) {
            _ if name == "package.json" || name.ends_with("lock.json") || name == "npm-shrinkwrap.json" => {
                Class::Config
            }
            // What tools read, and what is written by them.
            _ if stem.ends_with(".config") || name.starts_with('.') || name.starts_with("tsconfig") => Class::Config,
            true if is_protected_path(path) => Class::Other,
            true => Class::Source,
            false => Class::Other,
        }
    }

    fn words<'source>(&self, path: &str, source: &'source str) -> Vec<Word<'source>> {
        let is_left_out = &|node: Node<'_>| matches!(node.kind(), "comment" | "hash_bang_line");
        let whole = &["string", "template_string", "regex"];
        words(parse_as(path, source).root_node(), source, &Grammar { is_left_out, whole, blocks: &[] })
    }

    fn is_valid(&self, path: &str, source: &str) -> bool {
        !parse_as(path, source).root_node().has_error()
    }

    fn definitions(&self, path: &str, source: &str) -> BTreeSet<String> {
        let tree = parse_as(path, source);
        let mut names = BTreeSet::new();
        visit(tree.root_node(), &mut |node| match definition(node, source) {
            Some(Definition::Function(name) | Definition::Class(name)) if name != "default" => {
                names.insert(name.to_owned());
            }
            _ => {}
        });
        names
    }

    fn tests<'source>(&self, source: &'source str) -> Vec<(String, &'source str)> {
        let tree = parse(source);
        texts(tree.root_node(), source)
    }

    /// Tests of one file share variables, and some count each other.
    fn tests_stand_alone(&self) -> bool {
        false
    }
}

fn is_test_file(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let ends = [".test", ".spec", "-test", "_test", "-spec", ".test-d"].iter().any(|end| stem.ends_with(end));
    ends || stem == "test" || stem.starts_with("test-") || stem.starts_with("test.") || name.ends_with(".snap")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_a_file_is_for() {
        let all = |paths: &[&str], expected: Class| {
            paths.iter().for_each(|path| assert_eq!(Files.class(path), expected, "{path}"));
        };
        all(&["index.js", "lib/contest.ts", "src/a/latest.mjs"], Class::Source);
        all(&["test/a.js", "test.js", "lib/a.test.ts", "lib/__tests__/b.js", "test/fixtures/x.json"], Class::Test);
        all(&["package.json", "package-lock.json", "eslint.config.js", ".npmrc", "tsconfig.json"], Class::Config);
        all(&["readme.md", "index.d.ts", "dist/index.js", "docs/a.js", "lib/a.min.js"], Class::Other);
    }

    #[test]
    fn comments_and_line_breaks_are_no_code_and_the_text_of_strings_is() {
        let files: &dyn Anatomy = &Files;
        let source = "// why\nexport const f = (a) => `x ${a}`;\n";
        assert!(files.same_code("a.js", source, "/* no */ export const f =\n  (a) => `x ${a}`;\n"));
        assert!(!files.same_code("a.js", source, &source.replace("`x ", "`x  ")));
        assert_eq!(files.code_lines("a.js", source).into_iter().collect::<Vec<_>>(), [2]);
        assert_eq!(Files.definitions("a.js", source).into_iter().collect::<Vec<_>>(), ["f"]);
    }

    #[test]
    fn tests_are_known_by_their_titles() {
        let source = "describe('a', () => {\n  it('b', () => { f(1); });\n});\ntest('c', () => {});\n";
        let found: Vec<(String, &str)> = Files.tests(source);
        let expected = [("a::b", "it('b', () => { f(1); })"), ("c", "test('c', () => {})")];
        assert_eq!(found, expected.map(|(title, text)| (title.to_owned(), text)));
    }
}
