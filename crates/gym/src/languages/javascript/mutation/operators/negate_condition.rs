//! The condition of an `if`, a loop or a `? :` is negated as a whole, or loses its `!`.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Wraps a condition in `!(…)` or takes the `!` away; comparisons are left to the operators that know them.
pub(super) struct NegateCondition;

const KINDS: [&str; 4] = ["if_statement", "while_statement", "ternary_expression", "unary_expression"];
/// These need no parentheses behind a `!`.
const TIGHT: [&str; 4] = ["identifier", "call_expression", "member_expression", "subscript_expression"];

impl Operator for NegateCondition {
    fn name(&self) -> &'static str {
        "negate_condition"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &KINDS, |node| edit(file, node).into_iter().collect())
    }
}

fn edit(file: &ParsedFile<'_>, node: Node<'_>) -> Option<Edit> {
    if node.kind() == "unary_expression" {
        let is_not = node.child_by_field_name("operator")?.kind() == "!";
        let argument = node.child_by_field_name("argument")?;
        let is_double = node.parent().is_some_and(|parent| parent.kind() == "unary_expression")
            || argument.kind() == "unary_expression";
        return (is_not && !is_double).then(|| Edit::replace(node, file.text(argument)));
    }
    let condition = node.child_by_field_name("condition")?;
    let condition = match condition.kind() {
        "parenthesized_expression" => condition.named_child(0)?,
        _ => condition,
    };
    match condition.kind() {
        kind if TIGHT.contains(&kind) => Some(Edit::replace(condition, format!("!{}", file.text(condition)))),
        "binary_expression" if is_connected(condition) => {
            Some(Edit::replace(condition, format!("!({})", file.text(condition))))
        }
        _ => None,
    }
}

fn is_connected(condition: Node<'_>) -> bool {
    let sign = condition.child_by_field_name("operator").map_or("", |sign| sign.kind());
    matches!(sign, "&&" | "||" | "in" | "instanceof")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn conditions_of_all_kinds_are_negated() {
        check(&NegateCondition, "if (a && b) {\n  g();\n}", &["if (!(a && b)) {\n  g();\n}"]);
        check(&NegateCondition, "return a ? 1 : 2;", &["return !a ? 1 : 2;"]);
        check(&NegateCondition, "while (b(a)) g();", &["while (!b(a)) g();"]);
    }

    #[test]
    fn a_negation_is_forgotten() {
        check(&NegateCondition, "if (!a) g();", &["if (a) g();"]);
        check(&NegateCondition, "return !!a;", &[]);
    }

    #[test]
    fn a_comparison_is_left_to_its_own_operator() {
        check(&NegateCondition, "if (a === b) g();", &[]);
    }
}
