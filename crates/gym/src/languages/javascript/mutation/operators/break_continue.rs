//! A loop goes on where it should end, or ends where it should go on.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps `break` and `continue` inside loops.
pub(super) struct BreakContinue;

impl Operator for BreakContinue {
    fn name(&self) -> &'static str {
        "break_continue"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["break_statement", "continue_statement"], |statement| {
            let around = std::iter::successors(statement.parent(), |node| node.parent());
            let nearest = around.map(|node| node.kind()).find(|kind| {
                matches!(*kind, "for_statement" | "for_in_statement" | "while_statement" | "do_statement")
                    || *kind == "switch_statement"
            });
            // `break` of a `switch` ends a case, and endless loops only end by it.
            let is_bounded = matches!(nearest, Some("for_statement" | "for_in_statement"));
            let other = if statement.kind() == "break_statement" { "continue" } else { "break" };
            let word = statement.child(0).filter(|_| is_bounded);
            word.map(|word| Edit::replace(word, other)).into_iter().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn leaving_and_going_on_swap() {
        check(&BreakContinue, "for (const x of a) { if (x) break; }", &["for (const x of a) { if (x) continue; }"]);
    }

    #[test]
    fn endless_loops_and_cases_stay() {
        check(&BreakContinue, "while (true) { if (a) break; }\nswitch (a) { case 1: break; }", &[]);
    }
}
