//! A function with other names for its local variables, which nobody outside can see.

use std::collections::BTreeSet;

use tree_sitter::Node;

use crate::languages::python::syntax::parse;

/// Appended to every local name.
const SUFFIX: &str = "_too";
/// In functions with these, names may mean something that is not seen here.
const TOO_CLEVER: [&str; 9] = [
    "function_definition",
    "class_definition",
    "global_statement",
    "nonlocal_statement",
    "import_statement",
    "import_from_statement",
    "match_statement",
    "exec_statement",
    "ERROR",
];
/// Functions that look at names.
const LOOKING: [&str; 6] = ["locals", "vars", "dir", "eval", "exec", "_getframe"];

/// The source with the local variables of its top-level function renamed; `None` where there are none, or it is not safe.
pub(super) fn renamed(source: &str, function: &str) -> Option<String> {
    let syntax = parse(source);
    let body = body(syntax.root_node(), source, function)?;
    let text = |node: Node| &source[node.byte_range()];
    let nodes = below(body);
    let is_unsafe = |node: &Node| {
        TOO_CLEVER.contains(&node.kind()) || node.kind() == "identifier" && LOOKING.contains(&text(*node))
    };
    // `f"{total=}"` shows the name.
    if nodes.iter().any(is_unsafe) || text(body).contains("=}") || source.contains(SUFFIX) {
        return None;
    }
    let names: BTreeSet<&str> = nodes.iter().flat_map(|node| targets(*node)).map(text).collect();
    let taken: BTreeSet<&str> = parameters(body, &nodes).into_iter().map(text).collect();
    let is_use = |node: &&Node| node.kind() == "identifier" && !is_label(**node);
    let uses: Vec<&Node> = nodes.iter().filter(is_use).filter(|node| names.contains(text(**node))).collect();
    let mut out = source.to_owned();
    let ends = uses.into_iter().filter(|node| !taken.contains(text(**node))).map(Node::end_byte);
    let ends: BTreeSet<usize> = ends.collect();
    for end in ends.iter().rev() {
        out.insert_str(*end, SUFFIX);
    }
    (!ends.is_empty()).then_some(out)
}

/// The body of the undecorated function of this name.
fn body<'tree>(root: Node<'tree>, source: &str, function: &str) -> Option<Node<'tree>> {
    let mut cursor = root.walk();
    let is_it = |node: &Node| {
        let name = node.child_by_field_name("name");
        node.kind() == "function_definition" && name.is_some_and(|name| &source[name.byte_range()] == function)
    };
    root.named_children(&mut cursor).find(is_it)?.child_by_field_name("body")
}

fn below(node: Node) -> Vec<Node> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).flat_map(|child| std::iter::once(child).chain(below(child))).collect()
}

/// The names that a statement makes local. Variables of comprehensions live elsewhere, so that a name outside may be another one.
fn targets(node: Node) -> Vec<Node> {
    let field = match node.kind() {
        "assignment" | "augmented_assignment" | "for_statement" => "left",
        "named_expression" => "name",
        _ => return Vec::new(),
    };
    let Some(target) = node.child_by_field_name(field) else { return Vec::new() };
    match target.kind() {
        "identifier" => vec![target],
        "pattern_list" | "tuple_pattern" | "list_pattern" => {
            let mut cursor = target.walk();
            target.named_children(&mut cursor).filter(|part| part.kind() == "identifier").collect()
        }
        _ => Vec::new(),
    }
}

/// Names that callers may use, of the function and of lambdas in it.
fn parameters<'tree>(body: Node<'tree>, nodes: &[Node<'tree>]) -> Vec<Node<'tree>> {
    let own = body.parent().and_then(|function| function.child_by_field_name("parameters"));
    let inner = nodes.iter().filter(|node| node.kind() == "lambda_parameters").copied();
    own.into_iter()
        .chain(inner)
        .flat_map(below)
        .filter(|node| node.kind() == "identifier" && is_parameter(*node))
        .collect()
}

/// The name of a parameter, and not a part of its default or type.
fn is_parameter(node: Node) -> bool {
    let Some(parent) = node.parent() else { return false };
    match parent.kind() {
        "default_parameter" | "typed_default_parameter" => parent.child_by_field_name("name") == Some(node),
        kind => kind.ends_with("parameters") || kind == "typed_parameter" || kind.ends_with("splat_pattern"),
    }
}

/// The name of an attribute or of a keyword argument.
fn is_label(node: Node) -> bool {
    let Some(parent) = node.parent() else { return false };
    let is = |kind: &str, field: &str| parent.kind() == kind && parent.child_by_field_name(field) == Some(node);
    is("attribute", "attribute") || is("keyword_argument", "name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locals_get_other_names_and_nothing_else_does() {
        let source = "total = 1\n\ndef f(items, start=total):\n    total = start\n    for item, other in items:\n        total += item.total * other\n    print(f'{total}', sep=total)\n    return sorted([item for item in items], key=lambda start: start[0]), total\n";
        let expected = "total = 1\n\ndef f(items, start=total):\n    total_too = start\n    for item_too, other_too in items:\n        total_too += item_too.total * other_too\n    print(f'{total_too}', sep=total_too)\n    return sorted([item_too for item_too in items], key=lambda start: start[0]), total_too\n";
        assert_eq!(renamed(source, "f").as_deref(), Some(expected));
    }

    #[test]
    fn functions_in_which_names_may_mean_more_stay_as_they_are() {
        let bodies = [
            "    x = 1\n    return locals()",
            "    global x\n    x = 1",
            "    x = 1\n    def g(): return x\n    return g",
            "    x = 1\n    return f'{x=}'",
            "    import x\n    x = 1",
            "    return a",
            "    a = a + 1\n    return a",
        ];
        for body in bodies {
            assert_eq!(renamed(&format!("def f(a):\n{body}\n"), "f"), None, "{body}");
        }
        assert_eq!(renamed("x = 1\n", "f"), None);
    }
}
