//! The same functions in other words: comparisons are turned round, branches change places, literals are written in another way. A
//! script or a test that recognises code by how it is written takes the restated code for another one.
//!
//! Only what keeps its type and its order of evaluation is restated; whether it compiles and does the same is for execution to show.

use tree_sitter::Node;

use super::super::syntax;
use crate::languages::nodes::rewritten;

/// A file with all of its functions restated; `None` when nothing could be restated.
pub(super) fn restate(source: &str) -> Option<String> {
    let tree = syntax::parse(source);
    if tree.root_node().has_error() {
        return None;
    }
    let text = Writer { source }.outside(tree.root_node());
    (text != source).then_some(text)
}

struct Writer<'a> {
    source: &'a str,
}

impl Writer<'_> {
    fn text(&self, node: Node) -> &str {
        &self.source[node.byte_range()]
    }

    /// Outside of functions, and in those that may run while compiling, nothing changes.
    fn outside(&self, node: Node) -> String {
        match node.kind() {
            "function_item" => self.function(node),
            _ => rewritten(self.source, node, &|child| self.outside(child)),
        }
    }

    fn function(&self, node: Node) -> String {
        let body = node.child_by_field_name("body");
        let head = body.map_or("", |body| &self.source[node.start_byte()..body.start_byte()]);
        if head.starts_with("const ") || head.contains(" const ") {
            return self.text(node).to_owned();
        }
        rewritten(self.source, node, &|child| {
            if Some(child) == body { self.inside(child) } else { self.text(child).to_owned() }
        })
    }

    fn inside(&self, node: Node) -> String {
        self.changed(node).unwrap_or_else(|| rewritten(self.source, node, &|child| self.inside(child)))
    }

    fn changed(&self, node: Node) -> Option<String> {
        match node.kind() {
            // What a macro makes of its tokens cannot be seen; types and patterns have rules of their own.
            "macro_invocation" | "const_item" | "static_item" | "attribute_item" | "match_pattern"
            | "type_arguments" | "array_type" | "const_block" => Some(self.text(node).to_owned()),
            "binary_expression" => self.turned(node),
            "if_expression" => self.other_way_round(node),
            "compound_assignment_expr" => self.spelled_out(node),
            "integer_literal" => self.integer(node),
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
            "==" => "==",
            "!=" => "!=",
            _ => return None,
        };
        let is_plain = |node: Node| {
            matches!(
                node.kind(),
                "identifier" | "field_expression" | "self" | "unary_expression" | "parenthesized_expression"
            ) || node.kind().ends_with("_literal")
        };
        (is_plain(left) && is_plain(right)).then(|| format!("{} {turned} {}", self.inside(right), self.inside(left)))
    }

    /// `if !(a) { c } else { b }` for `if a { b } else { c }`.
    fn other_way_round(&self, node: Node) -> Option<String> {
        let (condition, then) = (node.child_by_field_name("condition")?, node.child_by_field_name("consequence")?);
        let other = node.child_by_field_name("alternative")?.named_child(0)?;
        let is_plain = other.kind() == "block" && !matches!(condition.kind(), "let_condition" | "let_chain");
        is_plain.then(|| format!("if !({}) {} else {}", self.inside(condition), self.inside(other), self.inside(then)))
    }

    /// `a = a + 1` for `a += 1`. Only with a number, for other values may move.
    fn spelled_out(&self, node: Node) -> Option<String> {
        let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
        let operator = self.text(node.child_by_field_name("operator")?).strip_suffix('=')?;
        let is_plain = left.kind() == "identifier" && right.kind() == "integer_literal";
        is_plain.then(|| format!("{0} = {0} {operator} {1}", self.text(left), self.inside(right)))
    }

    fn integer(&self, node: Node) -> Option<String> {
        // `pair.0` is a name.
        let is_name = node.parent().is_some_and(|parent| parent.kind() == "field_expression");
        let number: u64 = self.text(node).parse().ok().filter(|_| !is_name)?;
        Some(format!("{number:#x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(statement: &str, expected: &str) {
        let source = |text: &str| format!("fn f() {{\n    {text}\n}}\n");
        assert_eq!(restate(&source(statement)), Some(source(expected)), "{statement}");
    }

    #[test]
    fn each_place_is_said_in_other_words() {
        check("a < b", "b > a");
        check("if a { 1 } else { x }", "if !(a) { x } else { 0x1 }");
        check("total += 12;", "total = total + 0xc;");
        check("if let Some(x) = y { x } else { 3 }", "if let Some(x) = y { x } else { 0x3 }");
        check("pair.0 == 1", "0x1 == pair.0");
    }

    #[test]
    fn what_cannot_be_seen_or_runs_while_compiling_is_left_alone() {
        assert_eq!(restate("fn f() { println!(\"{}\", 1 < 2); }\nconst A: u8 = 3;\n"), None);
        assert_eq!(restate("pub const fn f() -> u8 { 3 }\n"), None);
        assert_eq!(restate("fn f() { g(a)? == h(b); }\n"), None);
    }
}
