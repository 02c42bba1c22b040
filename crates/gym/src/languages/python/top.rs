//! The statements at the top of a Python file: which names each makes and which it needs.
//!
//! What stands in blocks and conditions there is told apart: its names may or may not be made.

use std::collections::BTreeSet;
use std::ops::Range;

use tree_sitter::Node;

use crate::languages::nodes::visit;
use crate::languages::python::syntax::parse;

/// One statement at the top of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its bytes.
    pub range: Range<usize>,
    /// What it is.
    pub kind: Kind,
    /// The names that it makes.
    pub names: Vec<String>,
    /// The names that it needs; none of an import.
    pub uses: BTreeSet<String>,
}

/// What a statement does with its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Takes them from elsewhere, as they are called there.
    Import,
    /// Takes them from elsewhere and calls one of them otherwise.
    AliasedImport,
    /// Defines a function, a class or a value.
    Definition,
    /// A block, a condition, a call.
    Other,
}

/// All statements at the top of a file, in order.
pub fn statements(source: &str) -> Vec<Statement> {
    let syntax = parse(source);
    let mut cursor = syntax.root_node().walk();
    syntax.root_node().named_children(&mut cursor).map(|node| statement(node, source)).collect()
}

fn statement(node: Node, source: &str) -> Statement {
    let range = node.byte_range();
    match node.kind() {
        "import_statement" | "import_from_statement" => {
            let (names, is_aliased) = imported(node, source);
            let kind = if is_aliased { Kind::AliasedImport } else { Kind::Import };
            Statement { range, kind, names, uses: BTreeSet::new() }
        }
        _ => {
            let names = defined(node, source);
            let kind = if names.is_empty() { Kind::Other } else { Kind::Definition };
            let names = if kind == Kind::Other { made_inside(node, source) } else { names };
            Statement { range, kind, names, uses: used(node, source) }
        }
    }
}

fn defined(node: Node, source: &str) -> Vec<String> {
    let text = |node: Node| source[node.byte_range()].to_owned();
    let definition = match node.kind() {
        "decorated_definition" => node.child_by_field_name("definition"),
        "function_definition" | "class_definition" => Some(node),
        _ => None,
    };
    if let Some(name) = definition.and_then(|it| it.child_by_field_name("name")) {
        return vec![text(name)];
    }
    let assigned = node.named_child(0).filter(|it| node.kind() == "expression_statement" && it.kind() == "assignment");
    assigned.and_then(|it| it.child_by_field_name("left")).map_or_else(Vec::new, |target| targets(target, source))
}

/// The names that a target of an assignment makes.
pub(super) fn targets(target: Node, source: &str) -> Vec<String> {
    let mut cursor = target.walk();
    match target.kind() {
        "identifier" => vec![source[target.byte_range()].to_owned()],
        "pattern_list" | "tuple_pattern" | "list_pattern" | "list_splat_pattern" => {
            target.named_children(&mut cursor).flat_map(|part| targets(part, source)).collect()
        }
        _ => Vec::new(),
    }
}

/// Names that a block or a condition may make.
fn made_inside(node: Node, source: &str) -> Vec<String> {
    let mut names = Vec::new();
    visit(node, &mut |inner| match inner.kind() {
        "import_statement" | "import_from_statement" => names.extend(imported(inner, source).0),
        "function_definition" | "class_definition" => {
            names.extend(inner.child_by_field_name("name").map(|name| source[name.byte_range()].to_owned()));
        }
        "assignment" => names.extend(inner.child_by_field_name("left").into_iter().flat_map(|it| targets(it, source))),
        _ => {}
    });
    names
}

/// The names that an import makes, and whether one of them is a name for something called otherwise.
pub(super) fn imported(node: Node, source: &str) -> (Vec<String>, bool) {
    let text = |node: Node| source[node.byte_range()].to_owned();
    let mut cursor = node.walk();
    let mut is_aliased = false;
    let mut names = Vec::new();
    for part in node.children_by_field_name("name", &mut cursor) {
        if part.kind() == "aliased_import" {
            is_aliased = true;
            names.extend(part.child_by_field_name("alias").map(text));
        } else {
            // `import a.b` makes `a`.
            names.extend(text(part).split('.').next().map(str::to_owned));
        }
    }
    (names, is_aliased)
}

/// The names that code reads or makes, but for those of attributes and keyword arguments.
pub fn used(node: Node, source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    visit(node, &mut |node| {
        if node.kind() == "identifier" && !is_label(node) {
            found.insert(source[node.byte_range()].to_owned());
        }
    });
    found
}

/// Whether an identifier is the name of an attribute or of a keyword argument.
pub(super) fn is_label(node: Node) -> bool {
    let is = |kind: &str, field: &str| {
        node.parent().is_some_and(|it| it.kind() == kind && it.child_by_field_name(field) == Some(node))
    };
    is("attribute", "attribute") || is("keyword_argument", "name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_says_what_it_makes_and_needs() {
        let source = "import a.b, c as d\nfrom x import y\nz, (w, v) = y.q(k=d)\n@d\ndef f(n):\n    return z\nif z:\n    import m\n";
        let all = statements(source);
        let names: Vec<Vec<&str>> = all.iter().map(|it| it.names.iter().map(String::as_str).collect()).collect();
        assert_eq!(names, [vec!["a", "d"], vec!["y"], vec!["z", "w", "v"], vec!["f"], vec!["m"]]);
        use Kind::{AliasedImport, Definition, Import, Other};
        let kinds: Vec<Kind> = all.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [AliasedImport, Import, Definition, Definition, Other]);
        assert_eq!(all[2].uses.iter().map(String::as_str).collect::<Vec<_>>(), ["d", "v", "w", "y", "z"]);
        assert!(all[3].uses.contains("z") && all[3].uses.contains("d"));
    }
}
