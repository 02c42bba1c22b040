//! One program of all examples that are asked for: an integration test with a module for each, so that their names do not meet.
//!
//! An example that has no `main` gets one around it, by the rules of rustdoc; what has to stand at the top of a program is put there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tree_sitter::Node;

use super::super::manifest::Manifest;
use super::super::syntax;
use super::examples::examples;

/// The target, and its file.
pub(in super::super) const TARGET_NAME: &str = "basis_documentation";
pub(in super::super) const ROOT: &str = "tests/basis_documentation.rs";

/// An example of a tree.
#[derive(Debug, Clone)]
pub(in super::super) struct Found {
    /// The id of the test.
    pub(in super::super) id: String,
    code: String,
    panics: bool,
}

/// The examples of a file.
pub(in super::super) fn found(path: &str, source: &str) -> Vec<Found> {
    let all = examples(source).into_iter();
    all.map(|it| Found { id: format!("{path}::{}", it.name), code: it.code(source), panics: it.panics() }).collect()
}

/// A program of examples.
#[derive(Default)]
pub(in super::super) struct Program {
    pub(in super::super) text: String,
    /// Tests with the names that the harness knows.
    pub(in super::super) names: Vec<(String, String)>,
    /// On which lines, from 1, the examples stand.
    pub(in super::super) lines: BTreeMap<String, Range<usize>>,
    /// Those that are no code, so that they are not in it.
    pub(in super::super) no_code: Vec<String>,
}

impl Program {
    /// The program of some examples. `guard` writes the code with which a test begins.
    pub(in super::super) fn of(manifest: &Manifest, examples: &[Found], guard: &dyn Fn(&str) -> String) -> Self {
        let mut program = Self { text: "#![allow(unused)]\n".to_owned(), ..Self::default() };
        let mut parts: Vec<(usize, &Found, Parts)> = Vec::new();
        for (at, example) in examples.iter().enumerate() {
            match Parts::of(&example.code) {
                Some(own) => parts.push((at, example, own)),
                None => program.no_code.push(example.id.clone()),
            }
        }
        let outer: BTreeSet<&String> = parts.iter().flat_map(|(_, _, parts)| &parts.outer).collect();
        outer.into_iter().for_each(|line| program.text.push_str(&format!("{line}\n")));
        let extern_crate = manifest.extern_crate();
        program.text.push_str(&extern_crate);
        for (at, example, parts) in &parts {
            let first = program.text.lines().count() + 1;
            let crates = if example.code.contains("extern crate") { "" } else { &extern_crate };
            program.text.push_str(&parts.module(*at, crates, example.panics, &guard(&example.id)));
            program.names.push((example.id.clone(), format!("example_{at}::example")));
            program.lines.insert(example.id.clone(), first..program.text.lines().count() + 1);
        }
        program
    }

    /// The example around a line.
    pub(in super::super) fn around(&self, line: usize) -> Option<&str> {
        self.lines.iter().find(|(_, lines)| lines.contains(&line)).map(|(id, _)| id.as_str())
    }
}

/// An example taken apart.
struct Parts {
    /// Crates whose macros are used, which only the top of a program can name.
    outer: Vec<String>,
    /// Attributes of the whole.
    inner: String,
    code: String,
    has_main: bool,
    is_result: bool,
}

impl Parts {
    /// `None` when it is no code: it would take the others with it.
    fn of(code: &str) -> Option<Self> {
        // What a block gives has no semicolon, which only a block may have.
        let block = format!("{{{code}}}");
        let tree = syntax::parse(&block);
        let root = tree.root_node();
        let root = root.child(0).filter(|_| root.child_count() == 1 && !root.has_error())?;
        let root = if root.kind() == "expression_statement" { root.child(0)? } else { root };
        let (mut outer, mut inner, mut rest) = (Vec::new(), String::new(), block.clone());
        let code = &block;
        for node in root.children(&mut root.walk()) {
            match node.kind() {
                "inner_attribute_item" => {
                    inner.push_str(&code[node.byte_range()]);
                    blank(&mut rest, node.byte_range());
                }
                "extern_crate_declaration" => {
                    let macros = node.prev_sibling().filter(|above| brings_macros(*above, code));
                    if let Some(above) = macros {
                        outer.push(format!("#[macro_use] {}", &code[node.byte_range()]));
                        blank(&mut rest, above.start_byte()..node.end_byte());
                    }
                }
                _ => {}
            }
        }
        let has_main = syntax::main_body(root, code).is_some();
        let code = rest[1..rest.len() - 1].to_owned();
        let is_result = code.trim_end().ends_with("(())");
        Some(Self { outer, inner, code, has_main, is_result })
    }

    fn module(&self, at: usize, crates: &str, panics: bool, guard: &str) -> String {
        const RUN: &str = "basis_example";
        let Self { inner, code, .. } = self;
        let ending = "impl ::std::process::Termination";
        let (code, returns, call) = match (self.has_main, self.is_result) {
            (true, _) => (format!("{code}pub(super) fn {RUN}() -> {ending} {{ main() }}"), ending, ""),
            (false, true) => (
                format!("pub(super) fn {RUN}() -> ::std::result::Result<(), impl ::std::fmt::Debug> {{\n{code}}}"),
                "()",
                ".unwrap()",
            ),
            (false, false) => (format!("pub(super) fn {RUN}() {{\n{code}}}"), "()", ""),
        };
        // What has to panic can return nothing.
        let (attribute, returns, end) = if panics { (" #[should_panic]", "()", ";") } else { ("", returns, "") };
        format!(
            "mod example_{at} {{\nmod code {{ {inner}\n{crates}{code}\n}}\n#[test]{attribute} fn example() -> {returns} {{ {guard} code::{RUN}(){call}{end} }}\n}}\n"
        )
    }
}

fn brings_macros(attribute: Node<'_>, code: &str) -> bool {
    attribute.kind() == "attribute_item" && code[attribute.byte_range()].contains("macro_use")
}

fn blank(text: &mut String, range: Range<usize>) {
    let blanks: String = text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    text.replace_range(range, &blanks);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(manifest: &str, code: &str, panics: bool) -> String {
        let manifest = Manifest::read(&format!("[package]\nname = \"a-b\"\n{manifest}")).expect("a manifest");
        let found = [Found { id: "src/lib.rs::doc(f)".to_owned(), code: code.to_owned(), panics }];
        Program::of(&manifest, &found, &|id| format!("let x = {id:?};")).text
    }

    #[test]
    fn what_rustdoc_puts_around_an_example_is_put_around_it() {
        let edition = "edition = \"2021\"\n";
        let check = |code: &str, expected: &[&str]| {
            let text = program(edition, code, false);
            expected.iter().for_each(|part| assert!(text.contains(part), "{part} in {text}"));
            assert!(!syntax::parse(&text).root_node().has_error(), "{text}");
        };
        check(
            "f();\n",
            &["fn basis_example() {\nf();\n}", "{ let x = \"src/lib.rs::doc(f)\"; code::basis_example() }"],
        );
        check("fn main() { f(); }\n", &["mod code { \nfn main() { f(); }\n", "{ main() }"]);
        check("f()?;\nOk::<(), E>(())\n", &["Result<(), impl ::std::fmt::Debug> {\nf()?;", "basis_example().unwrap()"]);
        check("#![allow(x)]\nf();\n", &["mod code { #![allow(x)]\n", "{\n            \nf();"]);
        check("#[macro_use]\nextern crate c;\nf();\n", &["#![allow(unused)]\n#[macro_use] extern crate c;\n"]);
        check("extern crate c;\nf();\n", &["{\nextern crate c;\nf();\n}"]);
    }

    #[test]
    fn what_has_to_panic_returns_nothing() {
        let text = program("edition = \"2021\"\n", "fn main() { f(); }\n", true);
        assert!(text.contains("#[test] #[should_panic] fn example() -> () {"), "{text}");
    }

    #[test]
    fn the_first_edition_names_the_crate() {
        let text = program("", "f();\n", false);
        assert!(
            text.contains("#![allow(unused)]\nextern crate a_b;\nmod example_0 {\nmod code { \nextern crate a_b;\n")
        );
        assert_eq!(program("", "extern crate a_b;\nf();\n", false).matches("extern crate").count(), 2);
    }

    #[test]
    fn what_is_no_code_is_not_in_the_program() {
        assert_eq!(program("edition = \"2021\"\n", "f(;\n}\n", false), "#![allow(unused)]\n");
    }
}
