//! What of the syntax is never touched by a mutation, and which definitions are around it.

use tree_sitter::Node;

use crate::languages::javascript::language::{is_protected_path, is_script};
use crate::languages::javascript::syntax;
use crate::mutation::{Definition, Edit, ParsedFile, Rules, own_lines};

/// The rules of one grammar, named by a path that has it.
struct Grammar(&'static str);

/// The rules of the file at a path.
pub(super) fn of(path: &str) -> &'static dyn Rules {
    match path.rsplit('.').next() {
        Some("ts" | "mts" | "cts") => &Grammar("a.ts"),
        Some("tsx") => &Grammar("a.tsx"),
        _ => &Grammar("a.js"),
    }
}

impl Rules for Grammar {
    fn grammar(&self) -> tree_sitter::Language {
        syntax::grammar(self.0)
    }

    fn is_exempt(&self, path: &str) -> bool {
        is_exempt(path)
    }

    fn definition<'source>(&self, file: &ParsedFile<'source>, node: Node<'_>) -> Option<Definition<'source>> {
        syntax::definition(node, file.source())
    }

    /// Text for people, types, and code that exists only for display.
    fn is_protected(&self, file: &ParsedFile<'_>, node: Node<'_>) -> bool {
        match node.kind() {
            "import_statement" | "throw_statement" | "comment" | "decorator" | "hash_bang_line" | "regex" => true,
            "export_statement" => node.child_by_field_name("source").is_some(),
            "type_annotation" | "type_arguments" | "type_parameters" | "interface_declaration" => true,
            "type_alias_declaration" | "ambient_declaration" => true,
            kind if kind.ends_with("_type") => true,
            "method_definition" | "pair" => is_for_display(file, node),
            "expression_statement" => is_bare_text(node),
            "if_statement" => condition_mentions(file, node, &["NODE_ENV", "require.main"]),
            "call_expression" => is_message(file, node) || is_import(file, node),
            _ => false,
        }
    }
}

/// `'use strict'` and the like.
fn is_bare_text(statement: Node<'_>) -> bool {
    statement.named_child(0).is_some_and(|child| child.kind() == "string")
}

fn is_for_display(file: &ParsedFile<'_>, node: Node<'_>) -> bool {
    let name = node.child_by_field_name("name").or_else(|| node.child_by_field_name("key"));
    name.map(|name| file.text(name)).is_some_and(|name| name.contains("toStringTag") || name.contains("inspect"))
}

fn condition_mentions(file: &ParsedFile<'_>, statement: Node<'_>, words: &[&str]) -> bool {
    let condition = statement.child_by_field_name("condition").map_or("", |node| file.text(node));
    words.iter().any(|word| condition.contains(word))
}

/// `console.log(…)`, `debug(…)`, `process.emitWarning(…)` and the like.
pub(super) fn is_message(file: &ParsedFile<'_>, call: Node<'_>) -> bool {
    let callee = call.child_by_field_name("function").map_or("", |node| file.text(node));
    let (object, method) = callee.rsplit_once('.').unwrap_or(("", callee));
    let object = object.trim_start_matches("this.").trim_start_matches(['_', '#']).to_ascii_lowercase();
    matches!(object.as_str(), "console" | "log" | "logger") || matches!(method, "emitWarning" | "debuglog" | "debug")
}

/// `require('…')`, `import('…')`.
fn is_import(file: &ParsedFile<'_>, call: Node<'_>) -> bool {
    call.child_by_field_name("function").is_some_and(|callee| matches!(file.text(callee), "require" | "import"))
}

/// Tests, configuration, what tools have written, and what is only shown.
fn is_exempt(path: &str) -> bool {
    let in_docs = path.split('/').any(|part| {
        matches!(part, "docs" | "examples" | "example" | "benchmark" | "benchmarks" | "bench" | "dist" | "build")
            || matches!(part, "scripts" | "website" | "demo" | "coverage" | "vendor")
    });
    in_docs || !is_script(path) || is_protected_path(path)
}

/// Removes the statement together with its lines, or leaves an empty one where a statement has to stand.
pub(super) fn remove_statement(statement: Node<'_>, source: &str) -> Edit {
    let in_block = statement.parent().is_some_and(|parent| {
        matches!(parent.kind(), "statement_block" | "switch_case" | "switch_default" | "class_static_block")
    });
    match own_lines(statement, source) {
        Some(range) if in_block => Edit { range, after: String::new() },
        _ => Edit::replace(statement, ";"),
    }
}
