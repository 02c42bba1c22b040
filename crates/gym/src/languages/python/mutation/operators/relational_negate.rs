//! A comparison becomes its opposite: `==` and `!=`, `in` and `not in`, `is` and `is not`, `<` and `>=`.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Turns a comparison into its opposite.
pub(super) struct RelationalNegate;

impl Operator for RelationalNegate {
    fn name(&self) -> &'static str {
        "relational_negate"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["comparison_operator"], |comparison| {
            let mut cursor = comparison.walk();
            let operators = comparison.children_by_field_name("operators", &mut cursor);
            operators.filter_map(|sign| Some(Edit::replace(sign, opposite(sign.kind())?))).collect()
        })
    }
}

fn opposite(sign: &str) -> Option<&'static str> {
    Some(match sign {
        "==" => "!=",
        "!=" => "==",
        "in" => "not in",
        "not in" => "in",
        "is" => "is not",
        "is not" => "is",
        "<" => ">=",
        "<=" => ">",
        ">" => "<=",
        ">=" => "<",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn every_comparison_has_an_opposite() {
        check(&RelationalNegate, "return a == b", &["return a != b"]);
        check(&RelationalNegate, "return a not in b", &["return a in b"]);
        check(&RelationalNegate, "return a is None", &["return a is not None"]);
        check(&RelationalNegate, "return a is not None", &["return a is None"]);
        check(&RelationalNegate, "return a >= b", &["return a < b"]);
    }
}
