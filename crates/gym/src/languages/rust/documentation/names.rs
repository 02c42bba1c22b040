//! What the examples of a file import, so that their calls can be made elsewhere.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::super::syntax;
use super::examples::examples;

/// The names that the examples of a file import from somewhere, each once, as lines of their own.
pub(in super::super) fn names(source: &str) -> Vec<String> {
    let mut found = BTreeMap::new();
    for example in examples(source) {
        let code = example.code(source);
        let tree = syntax::parse(&code);
        let root = tree.root_node();
        for block in std::iter::once(root).chain(syntax::main_body(root, &code)) {
            for import in block.children(&mut block.walk()).filter(|child| child.kind() == "use_declaration") {
                let tree = import.child_by_field_name("argument");
                tree.into_iter().for_each(|tree| collect(tree, "", &code, &mut found));
            }
        }
    }
    found.into_values().collect()
}

/// Adds what a part of an import brings: by the name that it gets, the import of it alone.
fn collect(node: Node<'_>, before: &str, source: &str, found: &mut BTreeMap<String, String>) {
    let text = |node: Node<'_>| source[node.byte_range()].to_owned();
    let mut add = |name: String, path: &str| {
        found.entry(name).or_insert_with(|| format!("use {before}{path};"));
    };
    match node.kind() {
        "use_list" => node.named_children(&mut node.walk()).for_each(|part| collect(part, before, source, found)),
        "scoped_use_list" => {
            let path = node.child_by_field_name("path").map_or_else(String::new, |path| format!("{}::", text(path)));
            let list = node.child_by_field_name("list");
            list.into_iter().for_each(|list| collect(list, &format!("{before}{path}"), source, found));
        }
        "use_as_clause" => {
            let name = node.child_by_field_name("alias").map(text).unwrap_or_default();
            // Several may have no name.
            add(if name == "_" { text(node) } else { name }, &text(node));
        }
        "use_wildcard" => add(format!("{before}{}", text(node)), &text(node)),
        // A module itself, in a list.
        "self" => {
            let module = before.trim_end_matches("::");
            let name = module.rsplit("::").next().unwrap_or(module).to_owned();
            found.entry(name).or_insert_with(|| format!("use {module};"));
        }
        "scoped_identifier" => {
            let name = node.child_by_field_name("name").map(text).unwrap_or_default();
            add(name, &text(node));
        }
        "identifier" => add(text(node), &text(node)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_imported_once() {
        let source = "/// ```\n/// use a::{f, g as h, m::{self, *}};\n/// use a::f;\n/// ```\nfn f() {}\n\n/// ```\n/// fn main() {\n/// use b::f;\n/// use a::T as _;\n/// }\n/// ```\nfn g() {}\n";
        let expected = ["use a::T as _;", "use a::m::*;", "use a::f;", "use a::g as h;", "use a::m;"];
        assert_eq!(names(source), expected);
    }
}
