//! The operands of `-`, `/` or `%` in the wrong order.

use super::binary::parts;
use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps operands whose order matters.
pub(super) struct SwapOperands;

impl Operator for SwapOperands {
    fn name(&self) -> &'static str {
        "swap_operands"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["binary_expression"], |expression| match parts(expression) {
            Some((left, sign @ ("-" | "/" | "%"), right)) if file.text(left) != file.text(right) => {
                let grouped = |text: &str, plain: bool| if plain { text.to_owned() } else { format!("({text})") };
                let is_plain = |kind: &str| kind != "binary_expression" && kind != "type_cast_expression";
                let (one, other) = (file.text(left), file.text(right));
                let after = format!(
                    "{} {sign} {}",
                    grouped(other, is_plain(right.kind())),
                    grouped(one, is_plain(left.kind()))
                );
                vec![Edit::replace(expression, after)]
            }
            _ => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn the_order_changes_where_it_matters() {
        check(&SwapOperands, "a - b", &["b - a"]);
        check(&SwapOperands, "a + b", &[]);
    }
}
