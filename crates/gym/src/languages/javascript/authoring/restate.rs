//! The same functions in other words: comparisons are turned round, branches change places, methods are looked up by name, literals are
//! written in another way. A script or a test that recognises code by how it is written takes the restated code for another one.

use tree_sitter::Node;

use super::super::syntax::{parse_as, text_of};
use crate::languages::nodes::rewritten;

/// A file with all of its functions restated; `None` when nothing could be restated.
pub(super) fn restate(path: &str, source: &str) -> Option<String> {
    let tree = parse_as(path, source);
    if tree.root_node().has_error() {
        return None;
    }
    let text = Writer { source }.outside(tree.root_node());
    let is_valid = !parse_as(path, &text).root_node().has_error();
    (text != source && is_valid).then_some(text)
}

struct Writer<'a> {
    source: &'a str,
}

impl Writer<'_> {
    fn text(&self, node: Node) -> &str {
        &self.source[node.byte_range()]
    }

    /// Outside of the bodies of functions nothing changes.
    fn outside(&self, node: Node) -> String {
        match node.kind() {
            "statement_block" => self.inside(node),
            _ => rewritten(self.source, node, &|child| self.outside(child)),
        }
    }

    fn inside(&self, node: Node) -> String {
        self.changed(node).unwrap_or_else(|| rewritten(self.source, node, &|child| self.inside(child)))
    }

    fn changed(&self, node: Node) -> Option<String> {
        match node.kind() {
            // Types, templates and what is imported have rules of their own.
            "type_annotation" | "type_arguments" | "template_string" | "regex" | "import_statement" => {
                Some(self.text(node).to_owned())
            }
            "binary_expression" => self.turned(node),
            "if_statement" => self.other_way_round(node),
            "augmented_assignment_expression" => self.spelled_out(node),
            "return_statement" => self.kept(node),
            "call_expression" => self.called_by_name(node),
            "number" => self.integer(node),
            "string" => self.in_pieces(node),
            _ => None,
        }
    }

    /// `b > a` for `a < b`.
    fn turned(&self, node: Node) -> Option<String> {
        let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
        let turned = match node.child_by_field_name("operator")?.kind() {
            "<" => ">",
            ">" => "<",
            "<=" => ">=",
            ">=" => "<=",
            same @ ("==" | "!=" | "===" | "!==") => same,
            _ => return None,
        };
        let is_plain = |node: Node| {
            matches!(
                node.kind(),
                "identifier" | "member_expression" | "number" | "string" | "null" | "undefined" | "true" | "false"
            )
        };
        (is_plain(left) && is_plain(right)).then(|| format!("{} {turned} {}", self.inside(right), self.inside(left)))
    }

    /// `if (!(a)) { c } else { b }` for `if (a) { b } else { c }`.
    fn other_way_round(&self, node: Node) -> Option<String> {
        let (condition, then) = (node.child_by_field_name("condition")?, node.child_by_field_name("consequence")?);
        let other = node.child_by_field_name("alternative")?.named_child(0)?;
        let is_plain = other.kind() == "statement_block" && then.kind() == "statement_block";
        is_plain.then(|| format!("if (!{}) {} else {}", self.inside(condition), self.inside(other), self.inside(then)))
    }

    /// `a = a + 1` for `a += 1`.
    fn spelled_out(&self, node: Node) -> Option<String> {
        let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
        let operator = self.text(node.child_by_field_name("operator")?).strip_suffix('=')?;
        let is_plain = left.kind() == "identifier" && matches!(operator, "+" | "-" | "*" | "/" | "%");
        is_plain.then(|| format!("{0} = {0} {operator} ({1})", self.text(left), self.inside(right)))
    }

    /// The value is kept before it is returned.
    fn kept(&self, node: Node) -> Option<String> {
        let value = node.named_child(0).filter(|value| value.kind() != "comment")?;
        Some(format!("{{ const kept = {}; return kept; }}", self.inside(value)))
            .filter(|_| !self.source.contains("kept") && value.kind() != "sequence_expression")
    }

    /// `a['b'](c)` for `a.b(c)`.
    fn called_by_name(&self, node: Node) -> Option<String> {
        let callee = node.child_by_field_name("function").filter(|callee| callee.kind() == "member_expression")?;
        let (object, name) = (callee.child_by_field_name("object")?, callee.child_by_field_name("property")?);
        let is_optional = self.text(callee).contains("?.") || self.text(node).contains("?.");
        let is_plain = name.kind() == "property_identifier" && !matches!(object.kind(), "super" | "import");
        let rest = &self.source[callee.end_byte()..node.child_by_field_name("arguments")?.start_byte()];
        let arguments = self.inside(node.child_by_field_name("arguments")?);
        (is_plain && !is_optional).then(|| format!("{}['{}']{rest}{arguments}", self.inside(object), self.text(name)))
    }

    fn integer(&self, node: Node) -> Option<String> {
        let is_name = node
            .parent()
            .is_some_and(|parent| matches!(parent.kind(), "pair" | "method_definition" | "member_expression"));
        let number: u64 = self.text(node).parse().ok().filter(|number| *number < 1 << 53)?;
        (!is_name || self.is_value(node)).then(|| format!("{number:#x}"))
    }

    /// A short plain text in two pieces, where a value stands.
    fn in_pieces(&self, node: Node) -> Option<String> {
        let inner = &self.source[text_of(node)?];
        let parent = node.parent()?;
        let is_value = self.is_value(node)
            || matches!(parent.kind(), "binary_expression" | "return_statement" | "array" | "variable_declarator");
        let is_plain = inner.len() > 1 && inner.is_ascii() && !inner.contains(['\\', '\'', '"']);
        let (first, second) = inner.split_at_checked(1).filter(|_| is_plain && is_value)?;
        Some(format!("('{first}' + '{second}')"))
    }

    /// Whether a node is the value of a pair.
    fn is_value(&self, node: Node) -> bool {
        node.parent().is_some_and(|pair| pair.kind() == "pair" && pair.child_by_field_name("value") == Some(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(statement: &str, expected: &str) {
        let source = |text: &str| format!("function f() {{\n  {text}\n}}\n");
        assert_eq!(restate("a.js", &source(statement)), Some(source(expected)), "{statement}");
    }

    #[test]
    fn each_place_is_said_in_other_words() {
        check("return a < b;", "{ const kept = b > a; return kept; }");
        check("if (a) { b(); } else { c(); }", "if (!(a)) { c(); } else { b(); }");
        check("x += 12;", "x = x + (0xc);");
        check("a.b(c);", "a['b'](c);");
        check("x = {'key': 'abc', 1: 2};", "x = {'key': ('a' + 'bc'), 1: 0x2};");
    }

    #[test]
    fn what_would_change_the_meaning_is_left_alone() {
        for source in [
            "const x = 1 < 2;\n",
            "class A extends B { f() { super.f(); } }\n",
            "function f() { a?.b(); }\n",
            "function f() { 'use strict'; return; }\n",
            "function f() { require('abc'); }\n",
        ] {
            assert_eq!(restate("a.js", source), None, "{source}");
        }
    }
}
