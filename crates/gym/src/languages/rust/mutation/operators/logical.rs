//! Conditions are joined in the wrong way, or one of them is forgotten.

use super::binary::parts;
use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps `&&` and `||`, and drops one side.
pub(super) struct Logical;

impl Operator for Logical {
    fn name(&self) -> &'static str {
        "logical"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["binary_expression"], |expression| {
            let Some((left, sign, right)) = parts(expression) else { return Vec::new() };
            let other = match sign {
                "&&" => "||",
                "||" => "&&",
                _ => return Vec::new(),
            };
            let sign = expression.child_by_field_name("operator").expect("it was there");
            vec![
                Edit::replace(sign, other),
                Edit::replace(expression, file.text(left)),
                Edit::replace(expression, file.text(right)),
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn a_side_goes_or_the_sign_changes() {
        check(&Logical, "a > 1 && b > 1", &["a > 1 || b > 1", "a > 1", "b > 1"]);
    }
}
