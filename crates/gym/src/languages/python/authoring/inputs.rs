//! Further calls from one call with literal arguments: each argument a little larger, smaller, empty, turned round.

use tree_sitter::Node;

use crate::languages::neighbours;
use crate::languages::python::syntax::parse;

/// The call with one literal exchanged for a neighbour of the same type, in order of position.
pub fn varied(call: &str) -> Vec<String> {
    neighbours::exchanged(parse(call).root_node(), call, &others)
}

/// What code that takes input from elsewhere has to expect: nothing, far too much, ways out of a folder, markup, and other types.
const HOSTILE: [&str; 22] = [
    "''",
    "' '",
    "'..'",
    "'../x'",
    "'/x'",
    "'a/../../x'",
    "'a//b'",
    "'<b>'",
    "'a b'",
    "'\\x00'",
    "'\\n'",
    "'-1'",
    "'é'",
    "'a:b'",
    "-1",
    "0",
    "1000000000",
    "1.5",
    "None",
    "True",
    "[]",
    "{}",
];

/// The call with each of its arguments exchanged for what nobody should hand in.
pub fn hostile(call: &str) -> Vec<String> {
    let syntax = parse(call);
    let Some(arguments) = crate::languages::nodes::first(syntax.root_node(), "argument_list") else {
        return Vec::new();
    };
    let mut cursor = arguments.walk();
    let given = arguments.named_children(&mut cursor).map(|it| match it.kind() {
        "keyword_argument" => it.child_by_field_name("value").unwrap_or(it),
        _ => it,
    });
    let long = format!("'{}'", "x".repeat(400));
    let values: Vec<&str> = HOSTILE.into_iter().chain([long.as_str()]).collect();
    let places: Vec<std::ops::Range<usize>> = given.map(|it| it.byte_range()).collect();
    let with =
        |place: &std::ops::Range<usize>, value: &&str| format!("{}{value}{}", &call[..place.start], &call[place.end..]);
    places.iter().flat_map(|place| values.iter().map(move |value| with(place, value))).collect()
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
    fn every_argument_becomes_what_nobody_should_hand_in() {
        let found = hostile("f(1, key=[2])");
        assert_eq!(found.len(), 2 * (HOSTILE.len() + 1));
        assert!(found.contains(&"f('../x', key=[2])".to_owned()) && found.contains(&"f(1, key=None)".to_owned()));
        assert!(hostile("f()").is_empty());
    }

    #[test]
    fn every_literal_has_neighbours_of_its_type() {
        assert_eq!(varied("f2(1, 40)"), ["f2(2, 40)", "f2(0, 40)", "f2(1, 41)", "f2(1, 39)"]);
        assert_eq!(varied("f(-1, True)"), ["f(-2, True)", "f(-0, True)", "f(-1, False)"]);
        assert_eq!(varied("f('aB')"), ["f('')", "f('B')", "f('Ba')", "f('Ab')", "f('aBaB')"]);
        assert_eq!(varied("f([x, y])"), ["f([])", "f([x])", "f([y, x])", "f([x, y, x, y])"]);
        assert!(varied("f(None, 'it\\'s')").is_empty());
    }
}
