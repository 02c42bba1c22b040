//! A step is forgotten: a call whose result nobody uses.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile, own_lines};

/// Removes statements that are only a call.
pub(super) struct RemoveCall;

impl Operator for RemoveCall {
    fn name(&self) -> &'static str {
        "remove_call"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["expression_statement"], |statement| {
            let is_call = statement.named_child(0).is_some_and(|it| it.kind() == "call_expression");
            let lines = own_lines(statement, file.source());
            lines.filter(|_| is_call).map(|range| Edit { range, after: String::new() }).into_iter().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn calls_without_a_use_are_removed() {
        check(&RemoveCall, "v.push(a);\na", &["a"]);
        check(&RemoveCall, "let x = v.pop();\na", &[]);
    }
}
