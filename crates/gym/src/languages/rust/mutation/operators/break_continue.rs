//! A loop is left where it should go on, or the other way round.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps `break` and `continue`.
pub(super) struct BreakContinue;

impl Operator for BreakContinue {
    fn name(&self) -> &'static str {
        "break_continue"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["break_expression", "continue_expression"], |leave| match file.text(leave) {
            "break" => vec![Edit::replace(leave, "continue")],
            "continue" => vec![Edit::replace(leave, "break")],
            _ => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn loops_end_or_go_on() {
        check(&BreakContinue, "loop {\n    break;\n}", &["loop {\n    continue;\n}"]);
    }
}
