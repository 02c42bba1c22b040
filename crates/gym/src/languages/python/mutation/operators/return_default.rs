//! A function gives back a default instead of what it found.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Returns an empty value of the kind that the expression seems to have, or `None`.
pub(super) struct ReturnDefault;

impl Operator for ReturnDefault {
    fn name(&self) -> &'static str {
        "return_default"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["return_statement"], |statement| {
            let value = statement.named_child(0).filter(|value| !is_literal(*value));
            value.map(|value| Edit::replace(value, default_of(file, value))).into_iter().collect()
        })
    }
}

fn is_literal(value: Node<'_>) -> bool {
    matches!(value.kind(), "none" | "integer" | "float" | "string" | "true" | "false" | "comment")
        || (matches!(value.kind(), "list" | "dictionary" | "tuple") && value.named_child_count() == 0)
}

fn default_of(file: &ParsedFile<'_>, value: Node<'_>) -> &'static str {
    match value.kind() {
        "list" | "list_comprehension" => "[]",
        "dictionary" | "dictionary_comprehension" => "{}",
        "concatenated_string" => "''",
        "comparison_operator" | "not_operator" => "False",
        "binary_operator" => "0",
        "call" => match value.child_by_field_name("function").map_or("", |callee| file.text(callee)) {
            "len" | "sum" | "int" | "min" | "max" | "abs" | "round" => "0",
            "list" | "sorted" => "[]",
            "str" => "''",
            "any" | "all" | "bool" => "False",
            _ => "None",
        },
        _ => "None",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn the_default_fits_the_expression() {
        check(&ReturnDefault, "return a + b", &["return 0"]);
        check(&ReturnDefault, "return [a]", &["return []"]);
        check(&ReturnDefault, "return sorted(a)", &["return []"]);
        check(&ReturnDefault, "return a", &["return None"]);
    }

    #[test]
    fn literals_stay() {
        check(&ReturnDefault, "if a:\n    return\nreturn 0", &[]);
    }
}
