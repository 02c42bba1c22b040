//! What of Rust's syntax is never touched by a mutation, and which definitions are around it.

use tree_sitter::Node;

use crate::languages::rust::syntax::owner;
use crate::mutation::{Definition, ParsedFile, Rules};

/// The rules of Rust.
pub(super) struct Rust;

impl Rules for Rust {
    fn grammar(&self) -> tree_sitter::Language {
        tree_sitter_rust::LANGUAGE.into()
    }

    /// Tests, examples, and scripts that run at build time.
    fn is_exempt(&self, path: &str) -> bool {
        let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
        let aside = |part: &str| matches!(part, "tests" | "benches" | "examples" | "target");
        let is_test = matches!(name, "build.rs" | "tests.rs" | "test.rs");
        !name.ends_with(".rs") || is_test || directories.split('/').any(aside)
    }

    fn definition<'source>(&self, file: &ParsedFile<'source>, node: Node<'_>) -> Option<Definition<'source>> {
        match node.kind() {
            "function_item" => Some(Definition::Function(name_of(file, node))),
            "impl_item" | "trait_item" => Some(Definition::Class(owner(node, file.source())?)),
            _ => None,
        }
    }

    /// Types, patterns, tokens of macros, code that only tests have, unsafe code, and code that exists only for display.
    fn is_protected(&self, file: &ParsedFile<'_>, node: Node<'_>) -> bool {
        match node.kind() {
            "attribute_item" | "inner_attribute_item" | "macro_invocation" | "macro_definition" | "use_declaration" => {
                true
            }
            "unsafe_block" | "line_comment" | "block_comment" | "lifetime" | "where_clause" | "parameters" => true,
            "type_arguments" | "type_parameters" | "array_type" | "const_item" | "static_item" => true,
            "impl_item" => node.child_by_field_name("trait").is_some_and(|name| is_display(file.text(name))),
            "mod_item" | "function_item" => is_for_tests(file, node) || name_of(file, node) == "main",
            kind => kind.ends_with("_pattern") || kind.ends_with("_type"),
        }
    }
}

fn is_display(name: &str) -> bool {
    let plain = name.split('<').next().unwrap_or(name);
    matches!(plain.rsplit("::").next(), Some("Debug" | "Display"))
}

/// Whether an attribute above an item mentions tests.
fn is_for_tests(file: &ParsedFile<'_>, item: Node<'_>) -> bool {
    let above = std::iter::successors(item.prev_sibling(), Node::prev_sibling);
    let mut own = above.take_while(|node| matches!(node.kind(), "attribute_item" | "line_comment" | "block_comment"));
    own.any(|node| {
        node.kind() == "attribute_item"
            && file.text(node).split(|c: char| !c.is_alphanumeric()).any(|word| word == "test")
    })
}

fn name_of<'source>(file: &ParsedFile<'source>, item: Node<'_>) -> &'source str {
    item.child_by_field_name("name").map_or("", |node| file.text(node))
}
