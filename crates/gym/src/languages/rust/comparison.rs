//! The comparison that decides a Rust test, and another value in the place of what it expects.

use std::ops::Range;

use tree_sitter::Node;

use super::{documentation, symptom, syntax};
use crate::languages::Comparison;

/// The comparison of the test with these modules and this name: its last assertion that stands in no condition and no loop.
pub(super) fn comparison(source: &str, test: &[&str]) -> Option<Comparison> {
    if let [name] = test
        && name.starts_with("doc(")
    {
        return documentation::comparison(source, name);
    }
    let path = test.join("::");
    let found = syntax::tests(source).into_iter().find(|it| it.path == path)?;
    let tree = syntax::parse(source);
    let body = tree.root_node().descendant_for_byte_range(found.body - 1, found.body)?.parent()?;
    let function = body.parent()?;
    let name = function.child_by_field_name("name")?.byte_range();
    let (decisive, others) = last_assertion(body, source)?;
    let start = source[found.whole.start..].find(|letter: char| !letter.is_whitespace())? + found.whole.start;
    let column = start - found.whole.start;
    Some(Comparison { start, end: function.end_byte(), column, name, decisive, others })
}

/// What is changed in the last assertion of a block, and what it may become.
pub(super) fn last_assertion(block: Node, source: &str) -> Option<(Range<usize>, Vec<String>)> {
    let mut cursor = block.walk();
    let statements: Vec<Node> = block.named_children(&mut cursor).collect();
    statements.into_iter().rev().find_map(|it| decisive(it, source))
}

/// What is changed in an assertion, and what it may become.
fn decisive(statement: Node, source: &str) -> Option<(Range<usize>, Vec<String>)> {
    let call = match statement.kind() {
        "expression_statement" => statement.named_child(0)?,
        _ => statement,
    };
    let name = call.child_by_field_name("macro").filter(|_| call.kind() == "macro_invocation")?;
    match &source[name.byte_range()] {
        "assert_eq" => {
            let literals = literals(call, source);
            // What is expected usually stands last, and has no call in it.
            let literal = literals
                .into_iter()
                .rev()
                .find_map(|node| Some((node.byte_range(), others(&source[node.byte_range()])?)));
            literal.or_else(|| Some((name.byte_range(), vec!["assert_ne".to_owned()])))
        }
        "assert" => {
            let arguments = symptom::arguments(call, source)?;
            let [condition] = arguments.as_slice() else { return None };
            let tokens = call.child(call.child_count().checked_sub(1)?)?;
            let inner = tokens.start_byte() + 1..tokens.end_byte() - 1;
            Some((inner, vec![format!("!({condition})")]))
        }
        _ => None,
    }
}

/// Literals of the arguments that call nothing.
fn literals<'tree>(call: Node<'tree>, source: &str) -> Vec<Node<'tree>> {
    let mut cursor = call.walk();
    let Some(tokens) = call.children(&mut cursor).find(|child| child.kind() == "token_tree") else { return Vec::new() };
    let mut cursor = tokens.walk();
    let mut arguments: Vec<Vec<Node<'tree>>> = vec![Vec::new()];
    for node in tokens.children(&mut cursor) {
        match &source[node.byte_range()] {
            "," => arguments.push(Vec::new()),
            _ => arguments.last_mut().expect("it begins with one").push(node),
        }
    }
    // A message is no part of the comparison.
    arguments.truncate(2);
    let is_function = |node: &Node| {
        node.kind() == "identifier" && source[node.byte_range()].starts_with(|letter: char| letter.is_lowercase())
    };
    let calls = |argument: &Vec<Node<'tree>>| {
        argument.windows(2).any(|pair| is_function(&pair[0]) && pair[1].kind() == "token_tree")
    };
    let mut found = Vec::new();
    arguments.iter().filter(|argument| !calls(argument)).flatten().for_each(|node| collect(*node, &mut found));
    found
}

fn collect<'tree>(node: Node<'tree>, found: &mut Vec<Node<'tree>>) {
    match node.kind() {
        kind if kind.ends_with("_literal") => found.push(node),
        "token_tree" => node.children(&mut node.walk()).for_each(|child| collect(child, found)),
        _ => {}
    }
}

/// Other values of the same type.
fn others(literal: &str) -> Option<Vec<String>> {
    match literal {
        "true" => return Some(vec!["false".to_owned()]),
        "false" => return Some(vec!["true".to_owned()]),
        _ => {}
    }
    if let Some(text) = literal.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return Some(["x", " ", "0"].map(|end| format!("\"{text}{end}\"")).into());
    }
    let end = literal.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(literal.len());
    let (digits, kind) = literal.split_at(end);
    let number: u64 = digits.parse().ok()?;
    // More than it would not be a value of every type.
    let near = [number.checked_sub(1), number.checked_sub(2), number.checked_add(1).filter(|other| *other < 128)];
    let found: Vec<String> = near.into_iter().flatten().map(|other| format!("{other}{kind}")).collect();
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(assertion: &str) -> Option<String> {
        let source = format!("mod tests {{\n    #[test]\n    fn a() {{\n        {assertion}\n    }}\n}}\n");
        let comparison = comparison(&source, &["tests", "a"])?;
        Some(
            comparison.copy(&source, "a_b", comparison.others.first()).split_whitespace().collect::<Vec<_>>().join(" "),
        )
    }

    #[test]
    fn a_copy_expects_another_value_of_the_same_type() {
        let body = |text: &str| Some(format!("#[test] fn a_b() {{ {text} }}"));
        assert_eq!(copy("assert_eq!(add(1, 2), 3u8);"), body("assert_eq!(add(1, 2), 2u8);"));
        assert_eq!(copy("assert_eq!(\"ab\", f(1), \"no {}\", 1);"), body("assert_eq!(\"abx\", f(1), \"no {}\", 1);"));
        assert_eq!(copy("assert_eq!(f(1), Some(vec![1, 4]));"), body("assert_eq!(f(1), Some(vec![1, 3]));"));
        assert_eq!(copy("assert_eq!(f(1), g(2));"), body("assert_ne!(f(1), g(2));"));
        assert_eq!(copy("assert!(f(1));"), body("assert!(!(f(1)));"));
        assert_eq!(copy("if x { assert!(f(1)); }"), None);
    }

    #[test]
    fn an_honest_copy_is_the_test_under_another_name() {
        let source = "#[test]\nfn a() {\n    assert_eq!(f(1), 2);\n}\n";
        let comparison = comparison(source, &["a"]).expect("it compares");
        assert_eq!(comparison.copy(source, "a_c", None), "\n\n#[test]\nfn a_c() {\n    assert_eq!(f(1), 2);\n}");
    }
}
