//! `<` becomes `<=`, `>` becomes `>=`, and back: the classical mistake at a boundary.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Moves the boundary of an ordering comparison by one.
pub(super) struct RelationalBoundary;

impl Operator for RelationalBoundary {
    fn name(&self) -> &'static str {
        "relational_boundary"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["comparison_operator"], |comparison| {
            let mut cursor = comparison.walk();
            let operators = comparison.children_by_field_name("operators", &mut cursor);
            operators.filter_map(|sign| Some(Edit::replace(sign, neighbour(sign.kind())?))).collect()
        })
    }
}

fn neighbour(sign: &str) -> Option<&'static str> {
    Some(match sign {
        "<" => "<=",
        "<=" => "<",
        ">" => ">=",
        ">=" => ">",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn every_sign_of_a_chain_moves() {
        check(&RelationalBoundary, "return 0 < a <= b", &["return 0 <= a <= b", "return 0 < a < b"]);
    }

    #[test]
    fn equality_has_no_boundary() {
        check(&RelationalBoundary, "return a == b or a in b", &[]);
    }
}
