//! A function at the top of a file without what it does: whoever still gets its values has them from elsewhere.

use tree_sitter::Node;

use crate::languages::python::syntax::parse;

/// The file with the body of a function at its top replaced by one that raises; `None` when there is no such function.
pub fn hollow(source: &str, function: &str) -> Option<String> {
    let syntax = parse(source);
    let body = at_top(syntax.root_node(), source, function)?.child_by_field_name("body")?;
    let mut text = source.to_owned();
    text.replace_range(body.byte_range(), "raise NotImplementedError");
    Some(text)
}

/// The names of the parameters of a function at the top of a file, in order; a star before what takes the rest.
pub fn parameters(source: &str, function: &str) -> Option<Vec<String>> {
    let syntax = parse(source);
    let list = at_top(syntax.root_node(), source, function)?.child_by_field_name("parameters")?;
    let mut cursor = list.walk();
    let named = |node: Node| {
        let inner = node.child_by_field_name("name").or_else(|| node.named_child(0)).unwrap_or(node);
        let name = if node.kind() == "identifier" || node.kind().ends_with("splat_pattern") { node } else { inner };
        source[name.byte_range()].to_owned()
    };
    Some(list.named_children(&mut cursor).filter(|it| it.kind() != "comment").map(named).collect())
}

/// The definition, without its decorators.
fn at_top<'tree>(root: Node<'tree>, source: &str, function: &str) -> Option<Node<'tree>> {
    let mut cursor = root.walk();
    let definitions = root.named_children(&mut cursor).filter_map(|node| match node.kind() {
        "decorated_definition" => node.child_by_field_name("definition"),
        _ => Some(node),
    });
    let is_it = |node: &Node| {
        let name = node.child_by_field_name("name");
        node.kind() == "function_definition" && name.is_some_and(|name| &source[name.byte_range()] == function)
    };
    definitions.filter(is_it).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_loses_its_body_and_nothing_else() {
        let source = "@cached\ndef f(a, b=1):\n    'Doc.'\n    return a\n\nx = 2\n";
        let expected = "@cached\ndef f(a, b=1):\n    raise NotImplementedError\n\nx = 2\n";
        assert_eq!(hollow(source, "f").as_deref(), Some(expected));
        assert_eq!(hollow("def f(): return 1\n", "f").as_deref(), Some("def f(): raise NotImplementedError\n"));
        assert_eq!(hollow("class A:\n    def f(self): pass\n", "f"), None);
    }

    #[test]
    fn parameters_are_named_in_order() {
        let source = "def f(a, b: int, c=1, d: int = 2, *rest, e, **named): pass\n";
        let names = parameters(source, "f").expect("it is there");
        assert_eq!(names, ["a", "b", "c", "d", "*rest", "e", "**named"]);
    }
}
