//! A function gives back a default instead of what it found.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Returns an empty value of the kind that the expression seems to have, or `undefined`.
pub(super) struct ReturnDefault;

impl Operator for ReturnDefault {
    fn name(&self) -> &'static str {
        "return_default"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["return_statement"], |statement| {
            let value = statement.named_child(0).filter(|value| !is_literal(*value));
            value.map(|value| Edit::replace(value, default_of(value))).into_iter().collect()
        })
    }
}

fn is_literal(value: Node<'_>) -> bool {
    matches!(value.kind(), "null" | "undefined" | "number" | "string" | "true" | "false" | "comment")
        || (matches!(value.kind(), "array" | "object") && value.named_child_count() == 0)
}

fn default_of(value: Node<'_>) -> &'static str {
    let sign = value.child_by_field_name("operator").map_or("", |sign| sign.kind());
    match (value.kind(), sign) {
        ("array", _) => "[]",
        ("object", _) => "({})",
        ("template_string", _) => "''",
        (_, "===" | "!==" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "!" | "in" | "instanceof") => "false",
        ("binary_expression", "-" | "*" | "/" | "%" | "**" | "+") => "0",
        _ => "undefined",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn the_default_fits_the_expression() {
        check(&ReturnDefault, "return a + b;", &["return 0;"]);
        check(&ReturnDefault, "return [a];", &["return [];"]);
        check(&ReturnDefault, "return a > b;", &["return false;"]);
        check(&ReturnDefault, "return a;", &["return undefined;"]);
    }

    #[test]
    fn literals_stay() {
        check(&ReturnDefault, "if (a) return;\nreturn 0;", &[]);
    }
}
