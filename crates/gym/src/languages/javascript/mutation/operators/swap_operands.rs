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
        file.mutations_of(self.name(), &["binary_expression"], |node| {
            let edit = || -> Option<Edit> {
                let has_order = matches!(node.child_by_field_name("operator")?.kind(), "-" | "/" | "%");
                let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
                // `a - b - c` would regroup.
                let is_tight = |kind: &str| kind != "binary_expression";
                if has_order && is_tight(left.kind()) && is_tight(right.kind()) {
                    swapped(file, left, right)
                } else {
                    None
                }
            };
            edit().into_iter().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn ordered_operands_swap() {
        check(&SwapOperands, "return a - b;", &["return b - a;"]);
        check(&SwapOperands, "return a + b;", &[]);
    }
}
