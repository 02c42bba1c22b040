//! A comparison says the opposite: `===` for `!==`, `<` for `>=`; a key is missed instead of found.

use super::swap_sign;
use crate::mutation::{Mutation, Operator, ParsedFile};

/// Negates a comparison by its sign.
pub(super) struct RelationalNegate;

impl Operator for RelationalNegate {
    fn name(&self) -> &'static str {
        "relational_negate"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        swap_sign(file, self.name(), |sign| match sign {
            "===" => &["!=="],
            "!==" => &["==="],
            "==" => &["!="],
            "!=" => &["=="],
            "<" => &[">="],
            ">=" => &["<"],
            ">" => &["<="],
            "<=" => &[">"],
            _ => &[],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn every_comparison_has_an_opposite() {
        check(&RelationalNegate, "return a === 1;", &["return a !== 1;"]);
        check(&RelationalNegate, "return a < b;", &["return a >= b;"]);
        check(&RelationalNegate, "return a + b;", &[]);
    }
}
