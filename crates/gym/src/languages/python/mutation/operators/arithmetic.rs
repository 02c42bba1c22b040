//! An arithmetic or bitwise sign becomes another one of its group, also in augmented assignments.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps `+` and `-`, `*` and `//`, `<<` and `>>` and so on, and drops a leading minus.
pub(super) struct Arithmetic;

const KINDS: [&str; 3] = ["binary_operator", "augmented_assignment", "unary_operator"];

impl Operator for Arithmetic {
    fn name(&self) -> &'static str {
        "arithmetic"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &KINDS, |node| edits(file, node).unwrap_or_default())
    }
}

fn edits(file: &ParsedFile<'_>, node: Node<'_>) -> Option<Vec<Edit>> {
    if node.kind() == "unary_operator" {
        let is_minus = node.child_by_field_name("operator")?.kind() == "-";
        let argument = node.child_by_field_name("argument")?;
        // `-1` as an index or a marker is the constant operator's business.
        let drops = is_minus && argument.kind() != "integer";
        return Some(if drops { vec![Edit::replace(node, file.text(argument))] } else { Vec::new() });
    }
    if is_sequence(node.child_by_field_name("left")?) || is_sequence(node.child_by_field_name("right")?) {
        return None;
    }
    let sign = node.child_by_field_name("operator")?;
    let (bare, suffix) = match sign.kind().strip_suffix('=') {
        Some(bare) => (bare, "="),
        None => (sign.kind(), ""),
    };
    Some(others(bare).iter().map(|other| Edit::replace(sign, format!("{other}{suffix}"))).collect())
}

/// Text and lists join and repeat; other signs on them only raise.
fn is_sequence(operand: Node<'_>) -> bool {
    let is_part = |field| operand.child_by_field_name(field).is_some_and(is_sequence);
    match operand.kind() {
        "string" | "concatenated_string" | "list" | "tuple" | "list_comprehension" => true,
        "binary_operator" => is_part("left") || is_part("right"),
        _ => false,
    }
}

fn others(sign: &str) -> &'static [&'static str] {
    match sign {
        "+" => &["-"],
        "-" => &["+"],
        "*" => &["+", "//"],
        "/" => &["*", "//"],
        "//" => &["*", "%"],
        "%" => &["//"],
        "**" => &["*"],
        "<<" => &[">>"],
        ">>" => &["<<"],
        "&" => &["|"],
        "|" => &["&"],
        "^" => &["|"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn signs_swap_within_their_group() {
        check(&Arithmetic, "return a + b", &["return a - b"]);
        check(&Arithmetic, "return a * b", &["return a + b", "return a // b"]);
    }

    #[test]
    fn augmented_assignments_swap_too() {
        check(&Arithmetic, "a -= b", &["a += b"]);
    }

    #[test]
    fn a_leading_minus_is_dropped() {
        check(&Arithmetic, "return -a", &["return a"]);
    }

    #[test]
    fn text_is_left_alone() {
        check(&Arithmetic, "return a + '.' + '%s' % b", &[]);
    }
}
