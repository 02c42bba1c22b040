//! What `use` declarations bring, one by one.

use tree_sitter::Node;

/// One name that is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// What is imported; of everything in a module, the module.
    pub(super) path: String,
    /// The name that it gets: `*` stands for all names of a module, `_` for none.
    pub(super) name: String,
}

impl Import {
    /// The declaration of it alone.
    pub(super) fn line(&self) -> String {
        let Self { path, name } = self;
        match name.as_str() {
            "*" => format!("use {path}::*;"),
            name if path.rsplit("::").next() == Some(name) => format!("use {path};"),
            name => format!("use {path} as {name};"),
        }
    }
}

/// All that a declaration imports.
pub(super) fn imports(declaration: Node<'_>, source: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let tree = declaration.child_by_field_name("argument");
    tree.into_iter().for_each(|tree| collect(tree, "", source, &mut found));
    found
}

fn collect(node: Node<'_>, before: &str, source: &str, found: &mut Vec<Import>) {
    let text = |node: Node<'_>| source[node.byte_range()].to_owned();
    let field = |name| node.child_by_field_name(name).map_or_else(String::new, text);
    let mut add = |path: String, name: String| found.push(Import { path: format!("{before}{path}"), name });
    match node.kind() {
        "use_list" => node.named_children(&mut node.walk()).for_each(|part| collect(part, before, source, found)),
        "scoped_use_list" => {
            let path = node.child_by_field_name("path").map_or_else(String::new, |path| format!("{}::", text(path)));
            let list = node.child_by_field_name("list");
            list.into_iter().for_each(|list| collect(list, &format!("{before}{path}"), source, found));
        }
        "use_as_clause" => add(field("path"), field("alias")),
        "use_wildcard" => {
            let module = format!("{before}{}", text(node).trim_end_matches('*')).trim_end_matches("::").to_owned();
            found.push(Import { path: module, name: "*".to_owned() });
        }
        // A module itself, in a list.
        "self" => {
            let module = before.trim_end_matches("::");
            let name = module.rsplit("::").next().unwrap_or(module).to_owned();
            found.push(Import { path: module.to_owned(), name });
        }
        "scoped_identifier" => add(text(node), field("name")),
        "identifier" | "super" | "crate" => add(text(node), text(node)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax;
    use super::*;

    #[test]
    fn each_name_of_a_declaration_is_an_import_of_its_own() {
        let source = "use a::{f, g as h, m::{self, *}, T as _};\nuse super::*;\nuse crate::b;";
        let tree = syntax::parse(source);
        let root = tree.root_node();
        let mut cursor = root.walk();
        let lines = root.children(&mut cursor).flat_map(|it| imports(it, source)).map(|it| it.line());
        let expected = [
            "use a::f;",
            "use a::g as h;",
            "use a::m;",
            "use a::m::*;",
            "use a::T as _;",
            "use super::*;",
            "use crate::b;",
        ];
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }
}
