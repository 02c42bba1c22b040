//! `and` and `or` change places, one side of them is forgotten, or a `not` is.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Confuses or drops a connective.
pub(super) struct Logical;

impl Operator for Logical {
    fn name(&self) -> &'static str {
        "logical"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["boolean_operator", "not_operator"], |node| {
            edits(file, node).unwrap_or_default()
        })
    }
}

fn edits(file: &ParsedFile<'_>, node: Node<'_>) -> Option<Vec<Edit>> {
    if node.kind() == "not_operator" {
        return Some(vec![Edit::replace(node, file.text(node.child_by_field_name("argument")?))]);
    }
    let sign = node.child_by_field_name("operator")?;
    let swapped = if sign.kind() == "and" { "or" } else { "and" };
    let left = file.text(node.child_by_field_name("left")?);
    let right = file.text(node.child_by_field_name("right")?);
    Some(vec![Edit::replace(sign, swapped), Edit::replace(node, left), Edit::replace(node, right)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn connectives_swap_and_lose_a_side() {
        check(&Logical, "return a and b", &["return a or b", "return a", "return b"]);
    }

    #[test]
    fn not_is_dropped() {
        check(&Logical, "return not a", &["return a"]);
    }
}
