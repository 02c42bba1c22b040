//! Further calls from one call with literal arguments: each argument a little larger, smaller, empty, turned round.

use tree_sitter::Node;

use crate::languages::neighbours;
use crate::languages::python::syntax::parse;

/// The call with one literal exchanged for a neighbour of the same type, in order of position.
pub fn varied(call: &str) -> Vec<String> {
    neighbours::exchanged(parse(call).root_node(), call, &others)
}

fn others(node: Node, text: &str) -> Vec<String> {
    match node.kind() {
        "integer" => text.parse::<i64>().map_or_else(|_| Vec::new(), |number| integers(number, node)),
        "float" => text.parse::<f64>().map_or_else(|_| Vec::new(), |number| vec![format!("{:?}", number + 0.5)]),
        "true" => vec!["False".into()],
        "false" => vec!["True".into()],
        "string" => neighbours::texts(text),
        "list" => neighbours::rows(node, text),
        _ => Vec::new(),
    }
}

fn integers(number: i64, node: Node) -> Vec<String> {
    let signed = node.parent().is_some_and(|parent| parent.kind() == "unary_operator");
    neighbours::integers(number, signed).iter().map(i64::to_string).collect()
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
