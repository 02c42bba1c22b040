//! `break` and `continue` are confused.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps `continue` and `break`; a `break` of a `while` loop stays, since without it the loop may never end.
pub(super) struct BreakContinue;

impl Operator for BreakContinue {
    fn name(&self) -> &'static str {
        "break_continue"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["break_statement", "continue_statement"], |statement| {
            match (statement.kind(), is_in_for(statement)) {
                ("continue_statement", _) => vec![Edit::replace(statement, "break")],
                (_, true) => vec![Edit::replace(statement, "continue")],
                _ => Vec::new(),
            }
        })
    }
}

fn is_in_for(statement: Node<'_>) -> bool {
    let mut node = statement;
    while let Some(parent) = node.parent() {
        match parent.kind() {
            // In the `else` of a loop, `break` belongs to the loop outside.
            "for_statement" if node.kind() != "else_clause" => return true,
            "while_statement" => return false,
            _ => node = parent,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn the_two_swap_in_a_for_loop() {
        check(&BreakContinue, "for x in a:\n    break", &["for x in a:\n    continue"]);
        check(&BreakContinue, "for x in a:\n    continue", &["for x in a:\n    break"]);
    }

    #[test]
    fn the_only_way_out_stays() {
        check(&BreakContinue, "while True:\n    break", &[]);
    }
}
