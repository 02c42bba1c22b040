//! `??` and `||` are confused: zero and the empty text count as missing, or stop doing so. `?.` is taken for granted.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Uses the other fallback, or none.
pub(super) struct Nullish;

const KINDS: [&str; 3] = ["binary_expression", "augmented_assignment_expression", "optional_chain"];

impl Operator for Nullish {
    fn name(&self) -> &'static str {
        "nullish"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &KINDS, |node| edits(file, node).unwrap_or_default())
    }
}

fn edits(file: &ParsedFile<'_>, node: Node<'_>) -> Option<Vec<Edit>> {
    if node.kind() == "optional_chain" {
        let is_member = node.parent().is_some_and(|parent| parent.kind() == "member_expression");
        return Some(if is_member { vec![Edit::replace(node, ".")] } else { Vec::new() });
    }
    let sign = node.child_by_field_name("operator")?;
    let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
    // The two must not be mixed without parentheses.
    let mixes = |side: Node<'_>| {
        side.child_by_field_name("operator").is_some_and(|sign| matches!(sign.kind(), "&&" | "||" | "??"))
    };
    let is_free = !mixes(left) && !mixes(right) && !node.parent().is_some_and(mixes);
    Some(match sign.kind() {
        "??" if is_free => vec![Edit::replace(sign, "||"), Edit::replace(node, file.text(left))],
        "||" if is_free && !is_condition(left) => vec![Edit::replace(sign, "??")],
        "??=" => vec![Edit::replace(sign, "||="), Edit::replace(sign, "=")],
        "||=" => vec![Edit::replace(sign, "??=")],
        _ => Vec::new(),
    })
}

/// What is true or false is never missing.
fn is_condition(side: Node<'_>) -> bool {
    side.kind() == "unary_expression"
        || side.child_by_field_name("operator").is_some_and(|sign| {
            matches!(sign.kind(), "<" | "<=" | ">" | ">=" | "===" | "!==" | "==" | "!=" | "in" | "instanceof")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn fallbacks_swap() {
        check(&Nullish, "return a ?? 1;", &["return a || 1;", "return a;"]);
        check(&Nullish, "return a || 1;", &["return a ?? 1;"]);
        check(&Nullish, "a ??= b;", &["a ||= b;", "a = b;"]);
    }

    #[test]
    fn conditions_and_mixtures_stay() {
        check(&Nullish, "return a > 1 || b;", &[]);
        check(&Nullish, "return a || (a && b);", &["return a ?? (a && b);"]);
        check(&Nullish, "return a && b || a;", &[]);
    }

    #[test]
    fn a_chain_is_taken_for_granted() {
        check(&Nullish, "return a?.b;", &["return a.b;"]);
    }
}
