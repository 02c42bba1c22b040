//! A literal is slightly different: one more, one less, the other truth value, no text.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Changes a literal that is not a default value.
pub(super) struct Constant;

impl Operator for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["number", "true", "false", "string"], |literal| {
            if is_elsewhere(literal) { Vec::new() } else { neighbours(file, literal) }
        })
    }
}

/// What a literal is easily confused with; nothing for other nodes.
pub(super) fn neighbours(file: &ParsedFile<'_>, literal: Node<'_>) -> Vec<Edit> {
    match literal.kind() {
        "true" => vec![Edit::replace(literal, "false")],
        "false" => vec![Edit::replace(literal, "true")],
        "number" => numbers(file.text(literal)).into_iter().map(|other| Edit::replace(literal, other)).collect(),
        "string" if file.text(literal).len() > 2 => vec![Edit::replace(literal, "''")],
        _ => Vec::new(),
    }
}

/// Plain whole numbers only: other notations are bit patterns.
fn numbers(text: &str) -> Vec<String> {
    match text.parse::<i64>() {
        Ok(0) => vec!["1".to_owned()],
        Ok(value) if value < i64::MAX => vec![(value + 1).to_string(), (value - 1).to_string()],
        _ => Vec::new(),
    }
}

/// Default values have an operator of their own; keys, types and the text behind `typeof` break loudly.
fn is_elsewhere(literal: Node<'_>) -> bool {
    let Some(parent) = literal.parent() else { return false };
    let is_field = |field| parent.child_by_field_name(field).is_some_and(|node| node.id() == literal.id());
    match parent.kind() {
        "assignment_pattern" | "object_assignment_pattern" => is_field("right"),
        "required_parameter" | "optional_parameter" => is_field("value"),
        "pair" | "pair_pattern" => is_field("key"),
        "unary_expression" => is_elsewhere(parent),
        "literal_type" => true,
        "binary_expression" => ["left", "right"].iter().any(|side| {
            let other = parent.child_by_field_name(side).and_then(|node| node.child_by_field_name("operator"));
            literal.kind() == "string" && other.is_some_and(|sign| sign.kind() == "typeof")
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn numbers_move_by_one() {
        check(&Constant, "return a + 7;", &["return a + 8;", "return a + 6;"]);
        check(&Constant, "return 0;", &["return 1;"]);
        check(&Constant, "return 0xff + 1.5;", &[]);
    }

    #[test]
    fn truth_values_flip_and_text_is_emptied() {
        check(&Constant, "return true;", &["return false;"]);
        check(&Constant, "return \"é\" + '';", &["return '' + '';"]);
    }

    #[test]
    fn keys_types_and_messages_stay() {
        check(&Constant, "console.log('a', 1);\nthrow new Error('b');\nreturn typeof a === 'c' ? {'d': a} : b;", &[]);
    }
}
