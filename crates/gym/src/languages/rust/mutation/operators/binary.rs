//! What operators on binary expressions share.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, ParsedFile};

/// Puts another sign in the place of the sign of every expression of the `kinds`, as `other` says.
pub(super) fn replace_sign(
    file: &ParsedFile<'_>,
    name: &'static str,
    kinds: &[&str],
    other: impl Fn(&str) -> Option<&'static str>,
) -> Vec<Mutation> {
    file.mutations_of(name, kinds, |expression| {
        let sign = expression.child_by_field_name("operator");
        sign.and_then(|sign| Some(Edit::replace(sign, other(sign.kind())?))).into_iter().collect()
    })
}

/// The two operands and the sign.
pub(super) fn parts<'tree>(expression: Node<'tree>) -> Option<(Node<'tree>, &'tree str, Node<'tree>)> {
    let part = |name| expression.child_by_field_name(name);
    Some((part("left")?, part("operator")?.kind(), part("right")?))
}
