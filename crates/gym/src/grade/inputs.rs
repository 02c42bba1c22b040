//! Further calls from one call with literal arguments: each argument a little larger, smaller, empty, turned round.

use tree_sitter::{Node, Parser};

/// The call with one literal exchanged for a neighbour of the same type, in order of position.
pub fn varied(call: &str) -> Vec<String> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).expect("the grammar fits the parser's version");
    let Some(syntax) = parser.parse(call, None) else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    visit(syntax.root_node(), &mut |node| {
        for other in neighbours(node, &call[node.byte_range()]) {
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

fn neighbours(node: Node, text: &str) -> Vec<String> {
    match node.kind() {
        "integer" => text.parse::<i64>().map_or_else(|_| Vec::new(), |number| integers(number, node)),
        "float" => text.parse::<f64>().map_or_else(|_| Vec::new(), |number| vec![format!("{:?}", number + 0.5)]),
        "true" => vec!["False".into()],
        "false" => vec!["True".into()],
        "string" => texts(text),
        "list" => rows(node, text),
        _ => Vec::new(),
    }
}

fn integers(number: i64, node: Node) -> Vec<String> {
    // `--3` is a number, too, but nobody writes it.
    let signed = node.parent().is_some_and(|parent| parent.kind() == "unary_operator");
    let below = if number > 0 || !signed { number.saturating_sub(1) } else { 0 };
    vec![number.saturating_add(1).to_string(), below.to_string()]
}

fn texts(text: &str) -> Vec<String> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let inner = quote.and_then(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    let Some((quote, inner)) = quote.zip(inner).filter(|(_, inner)| !inner.contains(['\\', '\n', '\'', '"'])) else {
        return Vec::new();
    };
    let turned: String = inner.chars().rev().collect();
    let shorter: String = inner.chars().skip(1).collect();
    let swapped: String =
        inner.chars().map(|c| if c.is_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() }).collect();
    [String::new(), shorter, turned, swapped, inner.repeat(2)].map(|inner| format!("{quote}{inner}{quote}")).to_vec()
}

fn rows(node: Node, text: &str) -> Vec<String> {
    let elements: Vec<&str> = (0..node.named_child_count())
        .filter_map(|at| node.named_child(at as u32))
        .map(|child| &text[child.start_byte() - node.start_byte()..child.end_byte() - node.start_byte()])
        .collect();
    let row = |elements: Vec<&str>| format!("[{}]", elements.join(", "));
    match elements.len() {
        0 => Vec::new(),
        count => vec![
            "[]".into(),
            row(elements[..count - 1].to_vec()),
            row(elements.iter().rev().copied().collect()),
            row(elements.repeat(2)),
        ],
    }
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
