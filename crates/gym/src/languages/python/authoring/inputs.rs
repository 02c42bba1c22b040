//! Further calls from one call with literal arguments: each argument a little larger, smaller, empty, turned round.

use tree_sitter::{Node, Parser};

use crate::languages::neighbours;

/// The call with one literal exchanged for a neighbour of the same type, in order of position.
pub fn varied(call: &str) -> Vec<String> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).expect("the grammar fits the parser's version");
    let Some(syntax) = parser.parse(call, None) else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    visit(syntax.root_node(), &mut |node| {
        for other in others(node, &call[node.byte_range()]) {
            let text = format!("{}{other}{}", &call[..node.start_byte()], &call[node.end_byte()..]);
            if text != call && !found.contains(&text) {
                found.push(text);
            }
        }
    });
    found
}

fn visit<'tree>(node: Node<'tree>, see: &mut dyn FnMut(Node<'tree>)) {
    see(node);
    let mut cursor = node.walk();
    for child in node.named_children(&mut cursor) {
        visit(child, see);
    }
}

fn others(node: Node, text: &str) -> Vec<String> {
    match node.kind() {
        "integer" => text.parse::<i64>().map_or_else(|_| Vec::new(), |number| integers(number, node)),
        "float" => text.parse::<f64>().map_or_else(|_| Vec::new(), |number| vec![format!("{:?}", number + 0.5)]),
        "true" => vec!["False".into()],
        "false" => vec!["True".into()],
        "string" => neighbours::texts(text),
        "list" => rows(node, text),
        _ => Vec::new(),
    }
}

fn integers(number: i64, node: Node) -> Vec<String> {
    let signed = node.parent().is_some_and(|parent| parent.kind() == "unary_operator");
    neighbours::integers(number, signed).iter().map(i64::to_string).collect()
}

fn rows(node: Node, text: &str) -> Vec<String> {
    let elements: Vec<&str> = (0..node.named_child_count())
        .filter_map(|at| node.named_child(at as u32))
        .map(|child| &text[child.start_byte() - node.start_byte()..child.end_byte() - node.start_byte()])
        .collect();
    neighbours::rows(&elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_literal_has_neighbours_of_its_type() {
        assert_eq!(varied("f2(1, 40)"), ["f2(2, 40)", "f2(0, 40)", "f2(1, 41)", "f2(1, 39)"]);
        assert_eq!(varied("f(-1, True)"), ["f(-2, True)", "f(-0, True)", "f(-1, False)"]);
        assert_eq!(varied("f('aB')"), ["f('')", "f('B')", "f('Ba')", "f('Ab')", "f('aBaB')"]);
        assert_eq!(varied("f([x, y])"), ["f([])", "f([x])", "f([y, x])", "f([x, y, x, y])"]);
        assert!(varied("f(None, 'it\\'s')").is_empty());
    }
}
