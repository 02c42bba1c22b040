//! What of Python's syntax is never touched by a mutation, and which definitions are around it.

use tree_sitter::Node;

use crate::mutation::{Definition, Edit, ParsedFile, Rules, own_lines};

/// The rules of Python.
pub(super) struct Python;

impl Rules for Python {
    fn grammar(&self) -> tree_sitter::Language {
        tree_sitter_python::LANGUAGE.into()
    }

    fn is_exempt(&self, path: &str) -> bool {
        is_exempt(path)
    }

    fn definition<'source>(&self, file: &ParsedFile<'source>, node: Node<'_>) -> Option<Definition<'source>> {
        match node.kind() {
            "function_definition" => Some(Definition::Function(name_of(file, node))),
            "class_definition" => Some(Definition::Class(name_of(file, node))),
            _ => None,
        }
    }

    /// Text for people, types, and code that exists only for display.
    fn is_protected(&self, file: &ParsedFile<'_>, node: Node<'_>) -> bool {
        match node.kind() {
            "decorator" | "type" | "type_parameter" | "import_statement" | "import_from_statement" => true,
            "future_import_statement" | "global_statement" | "nonlocal_statement" | "comment" => true,
            "raise_statement" => true,
            "function_definition" => matches!(name_of(file, node), "__repr__" | "__str__" | "__format__"),
            "expression_statement" => is_bare_text(node),
            "if_statement" => condition_mentions(file, node, &["TYPE_CHECKING", "__name__"]),
            "assignment" => is_metadata(file, node),
            "call" => is_message(file, node),
            // Edits inside of replacement fields depend on the quotes around them.
            "string" => has_child(node, "interpolation"),
            _ => false,
        }
    }
}

fn is_bare_text(statement: Node<'_>) -> bool {
    let only = statement.named_child(0).filter(|_| statement.named_child_count() == 1);
    only.is_some_and(|child| matches!(child.kind(), "string" | "concatenated_string" | "ellipsis"))
}

fn condition_mentions(file: &ParsedFile<'_>, statement: Node<'_>, words: &[&str]) -> bool {
    let condition = statement.child_by_field_name("condition").map_or("", |node| file.text(node));
    words.iter().any(|word| condition.contains(word))
}

fn is_metadata(file: &ParsedFile<'_>, assignment: Node<'_>) -> bool {
    let target = assignment.child_by_field_name("left").map_or("", |node| file.text(node));
    matches!(target, "__all__" | "__version__" | "__slots__" | "version" | "VERSION")
}

/// `print(…)`, `logger.info(…)`, `warnings.warn(…)` and the like.
pub(super) fn is_message(file: &ParsedFile<'_>, call: Node<'_>) -> bool {
    let callee = call.child_by_field_name("function").map_or("", |node| file.text(node));
    let (object, method) = callee.rsplit_once('.').unwrap_or(("", callee));
    let object = object.trim_start_matches("self.").trim_start_matches('_').to_ascii_lowercase();
    matches!(object.as_str(), "log" | "logger" | "logging" | "warnings") || (object.is_empty() && method == "print")
}

fn name_of<'source>(file: &ParsedFile<'source>, definition: Node<'_>) -> &'source str {
    definition.child_by_field_name("name").map_or("", |node| file.text(node))
}

fn has_child(node: Node<'_>, kind: &str) -> bool {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).any(|child| child.kind() == kind)
}

/// Tests and files that describe the package instead of being part of it.
fn is_exempt(path: &str) -> bool {
    let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
    let in_tests = directories.split('/').any(|part| matches!(part, "tests" | "test" | "testing" | "docs"));
    let is_test = name.starts_with("test_") || name.ends_with("_test.py");
    let is_metadata = matches!(name, "conftest.py" | "setup.py" | "_version.py" | "version.py" | "__about__.py");
    !name.ends_with(".py") || in_tests || is_test || is_metadata
}

/// Removes the statement together with its lines, or leaves `pass` where a statement has to stand.
pub(super) fn remove_statement(statement: Node<'_>, source: &str) -> Edit {
    match own_lines(statement, source) {
        Some(range) if has_sibling(statement) => Edit { range, after: String::new() },
        _ => Edit::replace(statement, "pass"),
    }
}

/// Whether the block holds another statement.
fn has_sibling(statement: Node<'_>) -> bool {
    let Some(block) = statement.parent().filter(|parent| parent.kind() == "block") else { return false };
    let mut cursor = block.walk();
    block.named_children(&mut cursor).any(|other| other.id() != statement.id() && other.kind() != "comment")
}
