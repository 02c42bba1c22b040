//! `<` becomes `<=`, `>` becomes `>=`, and back: the classical mistake at a boundary.

use super::swap_sign;
use crate::mutation::{Mutation, Operator, ParsedFile};

/// Moves the boundary of an ordering comparison by one.
pub(super) struct RelationalBoundary;

impl Operator for RelationalBoundary {
    fn name(&self) -> &'static str {
        "relational_boundary"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        swap_sign(file, self.name(), |sign| match sign {
            "<" => &["<="],
            "<=" => &["<"],
            ">" => &[">="],
            ">=" => &[">"],
            _ => &[],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn ordering_comparisons_move() {
        check(&RelationalBoundary, "return a < 1 || b >= 2;", &["return a <= 1 || b >= 2;", "return a < 1 || b > 2;"]);
    }

    #[test]
    fn equality_has_no_boundary() {
        check(&RelationalBoundary, "return a === b;", &[]);
    }
}
