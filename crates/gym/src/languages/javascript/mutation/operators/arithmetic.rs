//! An arithmetic or bitwise sign becomes another one of its group, also in assignments and in steps by one.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps `+` and `-`, `*` and `/`, `<<` and `>>` and so on, `++` and `--`, and drops a leading minus.
pub(super) struct Arithmetic;

const KINDS: [&str; 4] =
    ["binary_expression", "augmented_assignment_expression", "update_expression", "unary_expression"];

impl Operator for Arithmetic {
    fn name(&self) -> &'static str {
        "arithmetic"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &KINDS, |node| edits(file, node).unwrap_or_default())
    }
}

fn edits(file: &ParsedFile<'_>, node: Node<'_>) -> Option<Vec<Edit>> {
    let sign = node.child_by_field_name("operator")?;
    match node.kind() {
        "unary_expression" => {
            let argument = node.child_by_field_name("argument")?;
            // `-1` as an index or a marker is the constant operator's business.
            let drops = sign.kind() == "-" && argument.kind() != "number";
            return drops.then(|| vec![Edit::replace(node, file.text(argument))]);
        }
        // A loop that counts the other way hangs.
        "update_expression" if node.parent().is_some_and(|parent| parent.kind() == "for_statement") => return None,
        "update_expression" => {
            return Some(vec![Edit::replace(sign, if sign.kind() == "++" { "--" } else { "++" })]);
        }
        _ => {}
    }
    if is_text(node.child_by_field_name("left")?) || is_text(node.child_by_field_name("right")?) {
        return None;
    }
    let (bare, suffix) = match (node.kind(), sign.kind().strip_suffix('=')) {
        ("augmented_assignment_expression", Some(bare)) => (bare, "="),
        _ => (sign.kind(), ""),
    };
    Some(others(bare).iter().map(|other| Edit::replace(sign, format!("{other}{suffix}"))).collect())
}

fn others(sign: &str) -> &'static [&'static str] {
    match sign {
        "+" => &["-"],
        "-" => &["+"],
        "*" => &["/"],
        "/" => &["*"],
        "%" => &["/"],
        "**" => &["*"],
        "<<" => &[">>"],
        ">>" | ">>>" => &["<<"],
        "&" => &["|"],
        "|" => &["&"],
        "^" => &["&"],
        _ => &[],
    }
}

/// Texts are only joined.
fn is_text(side: Node<'_>) -> bool {
    matches!(side.kind(), "string" | "template_string")
        || side.kind() == "binary_expression" && side.child_by_field_name("left").is_some_and(is_text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn signs_swap_within_their_group() {
        check(&Arithmetic, "return a + b * 2;", &["return a - b * 2;", "return a + b / 2;"]);
        check(&Arithmetic, "a += b;", &["a -= b;"]);
        check(&Arithmetic, "return -a;", &["return a;"]);
        check(&Arithmetic, "a++;", &["a--;"]);
    }

    #[test]
    fn joined_text_and_the_steps_of_loops_stay() {
        check(&Arithmetic, "return 'x' + a + b;", &[]);
        check(&Arithmetic, "for (let i = 0; i < a; i++) g(i);", &[]);
    }
}
