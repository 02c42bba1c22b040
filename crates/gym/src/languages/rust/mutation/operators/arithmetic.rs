//! The wrong sign in arithmetic, of numbers or of bits.

use super::binary::replace_sign;
use crate::mutation::{Mutation, Operator, ParsedFile};

/// Swaps signs within their group.
pub(super) struct Arithmetic;

impl Operator for Arithmetic {
    fn name(&self) -> &'static str {
        "arithmetic"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        replace_sign(file, self.name(), &["binary_expression", "compound_assignment_expr"], |sign| {
            Some(match sign {
                "+" => "-",
                "-" => "+",
                "*" => "/",
                "/" => "*",
                "%" => "/",
                "<<" => ">>",
                ">>" => "<<",
                "&" => "|",
                "|" => "&",
                "^" => "|",
                "+=" => "-=",
                "-=" => "+=",
                "*=" => "/=",
                "/=" => "*=",
                "|=" => "&=",
                "&=" => "|=",
                _ => return None,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn signs_change_within_their_group() {
        check(&Arithmetic, "a + b", &["a - b"]);
        check(&Arithmetic, "a += b;\na", &["a -= b;\na"]);
        check(&Arithmetic, "a << b", &["a >> b"]);
    }
}
