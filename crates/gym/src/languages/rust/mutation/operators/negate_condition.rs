//! A condition is taken for its opposite.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Negates conditions of `if` and `while`, and drops `!`.
pub(super) struct NegateCondition;

impl Operator for NegateCondition {
    fn name(&self) -> &'static str {
        "negate_condition"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["if_expression", "while_expression", "unary_expression"], |node| {
            if node.kind() == "unary_expression" {
                let text = file.text(node);
                return text.strip_prefix('!').map(|rest| Edit::replace(node, rest)).into_iter().collect();
            }
            let condition = node.child_by_field_name("condition");
            // What is compared is negated elsewhere; a pattern has no opposite.
            let plain =
                condition.filter(|it| matches!(it.kind(), "call_expression" | "identifier" | "field_expression"));
            plain.map(|condition| Edit::replace(condition, format!("!{}", file.text(condition)))).into_iter().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn conditions_without_a_comparison_are_negated() {
        check(&NegateCondition, "if is(a) { b } else { a }", &["if !is(a) { b } else { a }"]);
        check(&NegateCondition, "if !is(a) { b } else { a }", &["if is(a) { b } else { a }"]);
        check(&NegateCondition, "if let Some(x) = a { b } else { a }", &[]);
    }
}
