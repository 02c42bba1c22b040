//! The operands of a subtraction, division or remainder change places.

use super::swap_arguments::swapped;
use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps the operands where the order matters.
pub(super) struct SwapOperands;

impl Operator for SwapOperands {
    fn name(&self) -> &'static str {
        "swap_operands"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["binary_operator"], |node| {
            let edit = || -> Option<Edit> {
                let sign = node.child_by_field_name("operator")?.kind();
                let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
                let is_format = matches!(left.kind(), "string" | "concatenated_string");
                let has_order = matches!(sign, "-" | "/" | "//" | "%") && !is_format;
                if has_order { swapped(file, left, right) } else { None }
            };
            edit().into_iter().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn ordered_operands_swap() {
        check(&SwapOperands, "return a - b", &["return b - a"]);
        check(&SwapOperands, "return a + b", &[]);
        check(&SwapOperands, "return '%s' % b", &[]);
    }
}
