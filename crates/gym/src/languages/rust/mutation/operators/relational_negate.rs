//! A comparison becomes its opposite: `==` and `!=`, `<` and `>=`.

use super::binary::replace_sign;
use crate::mutation::{Mutation, Operator, ParsedFile};

/// Turns a comparison into its opposite.
pub(super) struct RelationalNegate;

impl Operator for RelationalNegate {
    fn name(&self) -> &'static str {
        "relational_negate"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        replace_sign(file, self.name(), &["binary_expression"], |sign| {
            Some(match sign {
                "==" => "!=",
                "!=" => "==",
                "<" => ">=",
                "<=" => ">",
                ">" => "<=",
                ">=" => "<",
                _ => return None,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn every_comparison_has_an_opposite() {
        check(&RelationalNegate, "a == b", &["a != b"]);
        check(&RelationalNegate, "a < b", &["a >= b"]);
    }
}
