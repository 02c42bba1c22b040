//! A check at the beginning is forgotten: `if … { return … }`.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile, own_lines};

/// Removes `if` statements that only leave.
pub(super) struct RemoveGuard;

impl Operator for RemoveGuard {
    fn name(&self) -> &'static str {
        "remove_guard"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["expression_statement"], |statement| {
            let Some(inner) = statement.named_child(0).filter(|it| it.kind() == "if_expression") else {
                return Vec::new();
            };
            let body = inner.child_by_field_name("consequence");
            let last =
                body.and_then(|body| body.named_child(body.named_child_count().checked_sub(1)?.try_into().ok()?));
            let leaves = last.is_some_and(|last| {
                let text = file.text(last);
                ["return", "continue", "break"].iter().any(|word| text.starts_with(word))
            });
            let lines = own_lines(statement, file.source());
            let alone = inner.child_by_field_name("alternative").is_none() && leaves;
            lines.filter(|_| alone).map(|range| Edit { range, after: String::new() }).into_iter().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn checks_that_leave_are_removed() {
        check(&RemoveGuard, "if a > b {\n    return 1;\n}\na", &["a"]);
        check(&RemoveGuard, "if a > b {\n    g();\n}\na", &[]);
    }
}
