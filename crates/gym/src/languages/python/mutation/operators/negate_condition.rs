//! The condition of an `if`, a `while` or a filter is negated as a whole.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Wraps a condition in `not (…)`; comparisons and `not` are left to the operators that know them.
pub(super) struct NegateCondition;

const KINDS: [&str; 5] = ["if_statement", "elif_clause", "while_statement", "conditional_expression", "if_clause"];

impl Operator for NegateCondition {
    fn name(&self) -> &'static str {
        "negate_condition"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &KINDS, |node| {
            let condition = condition(node).filter(|condition| !is_simple(*condition));
            condition
                .map(|condition| Edit::replace(condition, negated(file.text(condition), condition)))
                .into_iter()
                .collect()
        })
    }
}

fn condition(node: Node<'_>) -> Option<Node<'_>> {
    match node.kind() {
        "conditional_expression" => node.named_child(1),
        "if_clause" => node.named_child(0),
        _ => node.child_by_field_name("condition"),
    }
}

fn is_simple(condition: Node<'_>) -> bool {
    condition.kind() == "not_operator"
        || (condition.kind() == "comparison_operator" && condition.named_child_count() == 2)
}

fn negated(text: &str, condition: Node<'_>) -> String {
    match condition.kind() {
        "identifier" | "call" | "attribute" | "subscript" | "parenthesized_expression" => format!("not {text}"),
        _ => format!("not ({text})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn conditions_of_all_kinds_are_negated() {
        check(&NegateCondition, "if a and b:\n    return 1", &["if not (a and b):\n    return 1"]);
        check(&NegateCondition, "return 1 if a else 2", &["return 1 if not a else 2"]);
        check(&NegateCondition, "return [x for x in a if b(x)]", &["return [x for x in a if not b(x)]"]);
    }

    #[test]
    fn a_comparison_is_left_to_its_own_operator() {
        check(&NegateCondition, "if a == b:\n    return 1", &[]);
    }
}
