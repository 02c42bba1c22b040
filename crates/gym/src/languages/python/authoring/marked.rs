//! A file in which a function leaves a mark when it is entered: shows whether a script runs it at all, in whichever process.

use tree_sitter::Node;

use crate::languages::python::syntax::parse;

/// The source with a first statement in the functions of this name, `name` or `Class.name`, that makes an empty file at an absolute
/// path; `None` when there is no such function.
pub(super) fn marked(source: &str, function: &str, path: &str) -> Option<String> {
    let syntax = parse(source);
    let mut bodies = Vec::new();
    collect(syntax.root_node(), None, source, function, &mut bodies);
    let mut out = source.to_owned();
    // Names of the function may hide builtins.
    let statement = format!("__import__('io').open('{path}', 'w').close()");
    for body in bodies.iter().rev() {
        let first = body.named_child(0)?;
        let docstring = first.kind() == "expression_statement" && first.named_child(0)?.kind() == "string";
        let line = source[..body.start_byte()].rsplit('\n').next().unwrap_or_default();
        let at = body.start_byte();
        match (docstring, line.trim().is_empty()) {
            (true, _) => out.insert_str(first.end_byte(), &format!("; {statement}")),
            (false, true) => out.insert_str(at, &format!("{statement}\n{line}")),
            (false, false) => out.insert_str(at, &format!("{statement}; ")),
        }
    }
    (!bodies.is_empty()).then_some(out)
}

/// Bodies in the order of the text; one inside another comes after it.
fn collect<'tree>(node: Node<'tree>, class: Option<&str>, source: &str, wanted: &str, bodies: &mut Vec<Node<'tree>>) {
    let mut cursor = node.walk();
    for child in node.named_children(&mut cursor) {
        let name = child.child_by_field_name("name").map_or("", |name| &source[name.byte_range()]);
        match child.kind() {
            "class_definition" => collect(child, Some(name), source, wanted, bodies),
            "function_definition" => {
                let qualified = class.map_or(name.to_owned(), |class| format!("{class}.{name}"));
                bodies.extend(child.child_by_field_name("body").filter(|_| qualified == wanted));
                collect(child, None, source, wanted, bodies);
            }
            _ => collect(child, class, source, wanted, bodies),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "__import__('io').open('/repo/m', 'w').close()";

    fn check(source: &str, function: &str, expected: &str) {
        let expected = expected.replace("MARK", MARK);
        assert_eq!(marked(source, function, "/repo/m").as_deref(), Some(expected.as_str()));
    }

    #[test]
    fn the_mark_is_the_first_statement_of_the_function() {
        check("def f(x):\n    if x:\n        return 1\n", "f", "def f(x):\n    MARK\n    if x:\n        return 1\n");
        check("def f(x): return x\n", "f", "def f(x): MARK; return x\n");
        check(
            "class C:\n    def f(self):\n        'Text.'\n        return 1\ndef f(): pass\n",
            "C.f",
            "class C:\n    def f(self):\n        'Text.'; MARK\n        return 1\ndef f(): pass\n",
        );
        assert_eq!(marked("def f(): pass\n", "g", "/repo/m"), None);
    }
}
