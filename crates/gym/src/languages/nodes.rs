//! Ways through a syntax tree that do not depend on its grammar.

use tree_sitter::Node;

/// Shows a node and all named ones below it, each before those in it.
pub(super) fn visit<'tree>(node: Node<'tree>, see: &mut dyn FnMut(Node<'tree>)) {
    see(node);
    node.named_children(&mut node.walk()).for_each(|child| visit(child, see));
}

/// The same with what has no name, such as operators and brackets.
pub(super) fn visit_all<'tree>(node: Node<'tree>, see: &mut dyn FnMut(Node<'tree>)) {
    see(node);
    node.children(&mut node.walk()).for_each(|child| visit_all(child, see));
}

/// What `see` says first of a node or a named one below it, in the order of [`visit`].
pub(super) fn find(node: Node, see: &mut dyn FnMut(Node) -> Option<String>) -> Option<String> {
    see(node).or_else(|| node.named_children(&mut node.walk()).find_map(|child| find(child, see)))
}

/// The first node of a kind, in the order of [`visit`].
pub(super) fn first<'tree>(node: Node<'tree>, kind: &str) -> Option<Node<'tree>> {
    if node.kind() == kind {
        return Some(node);
    }
    let mut cursor = node.walk();
    let children: Vec<Node> = node.named_children(&mut cursor).collect();
    children.into_iter().find_map(|child| first(child, kind))
}

/// A node with its children rewritten and everything between them as it is.
pub(super) fn rewritten(source: &str, node: Node, write: &dyn Fn(Node) -> String) -> String {
    let mut cursor = node.walk();
    let mut text = String::new();
    let mut last = node.start_byte();
    for child in node.children(&mut cursor) {
        text.push_str(&source[last..child.start_byte()]);
        text.push_str(&write(child));
        last = child.end_byte();
    }
    text + &source[last..node.end_byte()]
}
