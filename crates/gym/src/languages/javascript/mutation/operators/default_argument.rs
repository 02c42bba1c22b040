//! The default value of a parameter or of a taken property is slightly different.

use tree_sitter::Node;

use super::constant::neighbours;
use crate::mutation::{Mutation, Operator, ParsedFile};

/// Changes a literal default.
pub(super) struct DefaultArgument;

const KINDS: [&str; 4] =
    ["assignment_pattern", "object_assignment_pattern", "required_parameter", "optional_parameter"];

impl Operator for DefaultArgument {
    fn name(&self) -> &'static str {
        "default_argument"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &KINDS, |parameter| {
            let value = parameter.child_by_field_name("right").or_else(|| parameter.child_by_field_name("value"));
            value.map(unsigned).map(|literal| neighbours(file, literal)).unwrap_or_default()
        })
    }
}

/// The number behind a sign, or the node itself.
fn unsigned(value: Node<'_>) -> Node<'_> {
    match value.kind() {
        "unary_expression" => value.child_by_field_name("argument").unwrap_or(value),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn literal_defaults_change() {
        check(
            &DefaultArgument,
            "const g = (x, y = 2) => x;",
            &["const g = (x, y = 3) => x;", "const g = (x, y = 1) => x;"],
        );
        check(&DefaultArgument, "const {x = true} = a;", &["const {x = false} = a;"]);
        check(&DefaultArgument, "const g = (x, y = {}) => x;", &[]);
    }
}
