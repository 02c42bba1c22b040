//! A bound is taken in or left out: `<` and `<=`, `>` and `>=`.

use super::binary::replace_sign;
use crate::mutation::{Mutation, Operator, ParsedFile};

/// Moves a bound by one.
pub(super) struct RelationalBoundary;

impl Operator for RelationalBoundary {
    fn name(&self) -> &'static str {
        "relational_boundary"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        replace_sign(file, self.name(), &["binary_expression"], |sign| {
            Some(match sign {
                "<" => "<=",
                "<=" => "<",
                ">" => ">=",
                ">=" => ">",
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
    fn bounds_move() {
        check(&RelationalBoundary, "a < b", &["a <= b"]);
        check(&RelationalBoundary, "a >= b", &["a > b"]);
        check(&RelationalBoundary, "a + b", &[]);
    }
}
