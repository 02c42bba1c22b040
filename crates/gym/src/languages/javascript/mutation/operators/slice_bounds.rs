//! Off by one: in the bounds of a slice, in an index, in the length that a loop ends at.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Moves a bound by one to either side.
pub(super) struct SliceBounds;

/// Methods whose first two arguments are positions.
const METHODS: [&str; 8] = ["slice", "substring", "substr", "subarray", "splice", "charAt", "charCodeAt", "at"];

impl Operator for SliceBounds {
    fn name(&self) -> &'static str {
        "slice_bounds"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["call_expression", "subscript_expression"], |node| {
            bounds(file, node).into_iter().flat_map(|bound| moved(file, bound)).collect()
        })
    }
}

fn bounds<'tree>(file: &ParsedFile<'_>, node: Node<'tree>) -> Vec<Node<'tree>> {
    // A plain name as an index is often a key; a sum is a position.
    if node.kind() == "subscript_expression" {
        return node
            .child_by_field_name("index")
            .filter(|index| index.kind() == "binary_expression")
            .into_iter()
            .collect();
    }
    let property = node.child_by_field_name("function").and_then(|callee| callee.child_by_field_name("property"));
    let takes_positions = property.is_some_and(|name| METHODS.contains(&file.text(name)));
    let Some(arguments) = node.child_by_field_name("arguments").filter(|_| takes_positions) else { return Vec::new() };
    let mut cursor = arguments.walk();
    arguments.named_children(&mut cursor).take(2).collect()
}

/// The bound plus one and minus one; literals belong to the constant operator.
fn moved(file: &ParsedFile<'_>, bound: Node<'_>) -> Vec<Edit> {
    let text = file.text(bound);
    let sign = bound.child_by_field_name("operator").map_or("", |sign| sign.kind());
    let shorter = text.strip_suffix(" + 1").or_else(|| text.strip_suffix(" - 1"));
    match (bound.kind(), shorter) {
        ("binary_expression", Some(shorter)) => vec![Edit::replace(bound, shorter)],
        ("binary_expression", None) if !matches!(sign, "+" | "-") => Vec::new(),
        ("binary_expression" | "identifier" | "call_expression" | "member_expression", _) => {
            vec![Edit::replace(bound, format!("{text} + 1")), Edit::replace(bound, format!("{text} - 1"))]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn slice_bounds_move() {
        check(&SliceBounds, "return a.slice(1, b);", &["return a.slice(1, b + 1);", "return a.slice(1, b - 1);"]);
    }

    #[test]
    fn computed_indexes_lose_their_one() {
        check(&SliceBounds, "return a[b - 1];", &["return a[b];"]);
        check(&SliceBounds, "return a[b];", &[]);
    }
}
