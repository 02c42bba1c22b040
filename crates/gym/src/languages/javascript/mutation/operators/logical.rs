//! `&&` becomes `||` and back, or one side is forgotten.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps the connective of two conditions, or keeps one side only.
pub(super) struct Logical;

impl Operator for Logical {
    fn name(&self) -> &'static str {
        "logical"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["binary_expression"], |node| edits(file, node).unwrap_or_default())
    }
}

fn edits(file: &ParsedFile<'_>, node: Node<'_>) -> Option<Vec<Edit>> {
    let sign = node.child_by_field_name("operator")?;
    let other = match sign.kind() {
        "&&" => "||",
        "||" => "&&",
        _ => return None,
    };
    let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
    let mut edits = vec![Edit::replace(sign, other)];
    // The second side often is a value instead of a condition; without it the first one is one.
    edits.push(Edit::replace(node, file.text(left)));
    if is_condition(right) {
        edits.push(Edit::replace(node, file.text(right)));
    }
    Some(edits)
}

fn is_condition(side: Node<'_>) -> bool {
    matches!(side.kind(), "binary_expression" | "unary_expression" | "call_expression" | "parenthesized_expression")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn connectives_swap_and_sides_are_forgotten() {
        check(&Logical, "return a > 1 && !b;", &["return a > 1 || !b;", "return a > 1;", "return !b;"]);
        check(&Logical, "return a || b;", &["return a && b;", "return a;"]);
    }
}
