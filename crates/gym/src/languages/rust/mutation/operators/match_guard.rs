//! A case that is not told apart any more: its guard always holds, or the case is forgotten.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};
use tree_sitter::Node;

/// Drops guards of arms, and arms where another one takes everything.
pub(super) struct MatchGuard;

impl Operator for MatchGuard {
    fn name(&self) -> &'static str {
        "match_guard"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["match_arm"], |arm| {
            let Some(pattern) = arm.child_by_field_name("pattern") else { return Vec::new() };
            let guard = pattern.child_by_field_name("condition");
            let mut edits: Vec<Edit> = guard.map(|guard| Edit::replace(guard, "true")).into_iter().collect();
            if has_wildcard_after(arm, file) {
                edits.push(Edit::replace(arm, ""));
            }
            edits
        })
    }
}

/// Whether a later arm takes everything.
fn has_wildcard_after(arm: Node<'_>, file: &ParsedFile<'_>) -> bool {
    let later = std::iter::successors(arm.next_named_sibling(), Node::next_named_sibling);
    let mut patterns = later.filter_map(|arm| arm.child_by_field_name("pattern"));
    patterns.any(|pattern| file.text(pattern) == "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn guards_hold_and_arms_go() {
        check(
            &MatchGuard,
            "match a {\n    0 if b > 1 => 1,\n    _ => 2,\n}",
            &["match a {\n    0 if true => 1,\n    _ => 2,\n}", "match a {\n    \n    _ => 2,\n}"],
        );
    }
}
