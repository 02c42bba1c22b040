//! Off by one: in the bounds of a slice, in an index, in the arguments of `range`.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Moves a bound by one to either side.
pub(super) struct SliceBounds;

impl Operator for SliceBounds {
    fn name(&self) -> &'static str {
        "slice_bounds"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["slice", "subscript", "call"], |node| {
            bounds(file, node).into_iter().flat_map(|bound| moved(file, bound)).collect()
        })
    }
}

fn bounds<'tree>(file: &ParsedFile<'_>, node: Node<'tree>) -> Vec<Node<'tree>> {
    let mut cursor = node.walk();
    match node.kind() {
        "slice" => node.named_children(&mut cursor).collect(),
        // A plain name as an index is often a key; a sum is a position.
        "subscript" => node
            .children_by_field_name("subscript", &mut cursor)
            .filter(|index| index.kind() == "binary_operator")
            .collect(),
        _ if node.child_by_field_name("function").is_some_and(|callee| file.text(callee) == "range") => {
            let Some(arguments) = node.child_by_field_name("arguments") else { return Vec::new() };
            let mut cursor = arguments.walk();
            arguments.named_children(&mut cursor).take(2).collect()
        }
        _ => Vec::new(),
    }
}

/// The bound plus one and minus one; literals belong to the constant operator.
fn moved(file: &ParsedFile<'_>, bound: Node<'_>) -> Vec<Edit> {
    let text = file.text(bound);
    let is_sum = bound.kind() == "binary_operator"
        && bound.child_by_field_name("operator").is_some_and(|sign| matches!(sign.kind(), "+" | "-"));
    match bound.kind() {
        "binary_operator" if is_sum => match text.strip_suffix(" + 1").or_else(|| text.strip_suffix(" - 1")) {
            Some(shorter) => vec![Edit::replace(bound, shorter)],
            None => vec![Edit::replace(bound, format!("{text} + 1")), Edit::replace(bound, format!("{text} - 1"))],
        },
        "identifier" | "call" | "attribute" | "subscript" | "binary_operator" => {
            vec![Edit::replace(bound, format!("{text} + 1")), Edit::replace(bound, format!("{text} - 1"))]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn slice_bounds_move() {
        check(&SliceBounds, "return a[1:b]", &["return a[1:b + 1]", "return a[1:b - 1]"]);
    }

    #[test]
    fn computed_indexes_lose_their_one() {
        check(&SliceBounds, "return a[b - 1]", &["return a[b]"]);
        check(&SliceBounds, "return a[b]", &[]);
    }

    #[test]
    fn ranges_move() {
        check(&SliceBounds, "return range(len(a))", &["return range(len(a) + 1)", "return range(len(a) - 1)"]);
    }
}
