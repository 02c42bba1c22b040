//! A step is forgotten: a call whose result nobody uses, an assignment to something that is there already.

use tree_sitter::Node;

use crate::languages::javascript::mutation::rules::{is_message, remove_statement};
use crate::mutation::{Mutation, Operator, ParsedFile};

/// Removes statements that work by their effect.
pub(super) struct RemoveStatement;

impl Operator for RemoveStatement {
    fn name(&self) -> &'static str {
        "remove_statement"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["expression_statement"], |statement| {
            let has_effect = statement.named_child(0).is_some_and(|it| has_effect(file, it));
            has_effect.then(|| remove_statement(statement, file.source())).into_iter().collect()
        })
    }
}

fn has_effect(file: &ParsedFile<'_>, expression: Node<'_>) -> bool {
    match expression.kind() {
        "await_expression" => expression.named_child(0).is_some_and(|it| has_effect(file, it)),
        "call_expression" => {
            !is_message(file, expression)
                && expression.child_by_field_name("function").is_some_and(|it| it.kind() != "super")
        }
        "assignment_expression" | "augmented_assignment_expression" | "update_expression" => true,
        "unary_expression" => expression.child_by_field_name("operator").is_some_and(|it| it.kind() == "delete"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn statements_with_an_effect_are_removed() {
        check(&RemoveStatement, "a.push(b);\nreturn a;", &["return a;"]);
        check(&RemoveStatement, "b = 2;\nawait g(b);", &["await g(b);", "b = 2;"]);
        check(&RemoveStatement, "if (a) g();", &["if (a) ;"]);
    }

    #[test]
    fn messages_declarations_and_super_stay() {
        check(&RemoveStatement, "const c = 1;\nconsole.log(c);\nreturn c;", &[]);
    }
}
