//! Files in which one function is written in another way and does the same, stands once more without being called, or leaves a mark.

use tree_sitter::Node;

use super::super::syntax::{definition, functions, is_function, parse};
use super::at_top;
use crate::mutation::Definition;

/// Rewrites of a function at the top of a file.
pub(super) fn rewrites(source: &str, function: &str) -> Vec<String> {
    [behind_helper(source, function), shifted(source, function)].into_iter().flatten().collect()
}

/// What is called only calls the function.
fn behind_helper(source: &str, function: &str) -> Option<String> {
    at_top(source, function)?;
    let tree = parse(source);
    let node = defined(tree.root_node(), None, source, function)?;
    let text = |node: Node| &source[node.byte_range()];
    if node.kind().ends_with("_declaration") {
        // Both are there from the beginning of the file.
        let name = node.child_by_field_name("name")?;
        let helper = format!(
            "{}{function}_body{}",
            &source[node.start_byte()..name.start_byte()],
            &source[name.end_byte()..node.end_byte()]
        );
        let outer = format!("function {function}(...all) {{\n  return {function}_body.apply(this, all);\n}}");
        let line = if source.ends_with('\n') { "" } else { "\n" };
        return Some(format!(
            "{}{outer}{}{line}\n{helper}\n",
            &source[..node.start_byte()],
            &source[node.end_byte()..]
        ));
    }
    let value = value(node)?;
    Some(format!(
        "{}((body) => function (...all) {{ return body.apply(this, all); }})({}){}",
        &source[..value.start_byte()],
        text(value),
        &source[value.end_byte()..]
    ))
}

/// Other lines and another constant beside it.
fn shifted(source: &str, function: &str) -> Option<String> {
    let span = at_top(source, function)?;
    let start = source[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let line = if source.ends_with('\n') { "" } else { "\n" };
    Some(format!(
        "{}// Moved down by two lines.\n// The behaviour is the same.\n{}{line}\nconst markerOf{} = [0, 1, 2];\n",
        &source[..start],
        &source[start..],
        function.replace(|letter: char| !letter.is_alphanumeric(), "_")
    ))
}

/// A file with a function of another one inside of a function that nobody calls.
pub(super) fn idle(own: &str, other: &str, function: &str) -> Option<String> {
    let span = functions(other).into_iter().find(|span| span.qualified() == function)?;
    let tree = parse(other);
    let node = defined(tree.root_node(), span.class.as_deref(), other, &span.name)?;
    let text = &other[node.byte_range()];
    let inner = match node.kind() {
        "method_definition" if text.contains("super") || text.contains('#') => return None,
        "method_definition" => {
            format!("({{ {} }})", text.trim_start_matches("static ").trim_start_matches("async static "))
        }
        kind if kind.ends_with("_declaration") => text.to_owned(),
        _ => format!("({})", &other[value(node)?.byte_range()]),
    };
    let line = if own.ends_with('\n') { "" } else { "\n" };
    let name = span.name.replace(|letter: char| !letter.is_alphanumeric(), "_");
    Some(format!("{own}{line}\nfunction {name}_of_before() {{\n  {inner}\n}}\n"))
}

/// A file in which a function makes an empty file when it is entered.
pub(super) fn marked(source: &str, function: &str, path: &str) -> Option<String> {
    let span = functions(source).into_iter().find(|span| span.qualified() == function)?;
    let tree = parse(source);
    let node = defined(tree.root_node(), span.class.as_deref(), source, &span.name)?;
    let body = value(node).unwrap_or(node).child_by_field_name("body")?;
    let mark = format!("(process.getBuiltinModule ?? require)('fs').writeFileSync('{path}', '')");
    Some(match body.kind() {
        "statement_block" => {
            let at = body.start_byte() + 1;
            format!("{} {mark};{}", &source[..at], &source[at..])
        }
        _ => format!(
            "{}({mark}, {}){}",
            &source[..body.start_byte()],
            &source[body.byte_range()],
            &source[body.end_byte()..]
        ),
    })
}

/// The node that defines a function of a class or of none.
fn defined<'tree>(node: Node<'tree>, class: Option<&str>, source: &str, name: &str) -> Option<Node<'tree>> {
    let found = |node: Node<'tree>, around: Option<&str>| {
        matches!(definition(node, source), Some(Definition::Function(own)) if own == name) && around == class
    };
    search(node, None, source, &found)
}

fn search<'tree>(
    node: Node<'tree>,
    around: Option<&str>,
    source: &str,
    found: &dyn Fn(Node<'tree>, Option<&str>) -> bool,
) -> Option<Node<'tree>> {
    if found(node, around) {
        return Some(node);
    }
    let inner = match definition(node, source) {
        Some(Definition::Function(_)) => None,
        Some(Definition::Class(name)) => Some(name),
        None => around,
    };
    node.named_children(&mut node.walk()).find_map(|child| search(child, inner, source, found))
}

/// The function that a variable, a property or a target gets.
fn value(node: Node) -> Option<Node> {
    ["value", "right"].iter().filter_map(|field| node.child_by_field_name(field)).find(|value| is_function(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
exports.half = function half(n) {
  if (n < 0) return -half(-n);
  return Math.floor(n / 2);
};
const twice = (n) => n * 2;
function both(n) { return [exports.half(n), twice(n)]; }
class A { get(k) { return k; } }
module.exports.both = both;
";

    #[test]
    fn each_kind_of_function_goes_behind_a_helper() {
        let changed = |function: &str| behind_helper(SOURCE, function).expect("it is there");
        assert!(changed("half").contains(
            "exports.half = ((body) => function (...all) { return body.apply(this, all); })(function half(n) {"
        ));
        assert!(changed("twice").contains("const twice = ((body) => function"));
        let both = changed("both");
        assert!(both.contains("function both(...all) {\n  return both_body.apply(this, all);\n}"), "{both}");
        assert!(both.ends_with("\nfunction both_body(n) { return [exports.half(n), twice(n)]; }\n"), "{both}");
        assert_eq!(behind_helper(SOURCE, "get"), None);
    }

    #[test]
    fn the_function_of_the_other_file_stands_where_nothing_calls_it() {
        let with = |function: &str| idle("x();", SOURCE, function).expect("it is there");
        assert!(with("twice").ends_with("function twice_of_before() {\n  ((n) => n * 2)\n}\n"));
        assert!(with("A.get").ends_with("({ get(k) { return k; } })\n}\n"));
        assert!(with("both").contains("  function both(n) {"));
    }

    #[test]
    fn a_function_leaves_its_mark() {
        let mark = "(process.getBuiltinModule ?? require)('fs').writeFileSync('/m', '')";
        let with = |function: &str| marked(SOURCE, function, "/m").expect("it is there");
        assert!(with("twice").contains(&format!("(n) => ({mark}, n * 2);")));
        assert!(with("A.get").contains(&format!("get(k) {{ {mark}; return k; }}")));
        assert!(with("half").contains(&format!("half(n) {{ {mark};")));
    }
}
