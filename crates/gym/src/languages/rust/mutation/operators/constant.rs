//! A number that is off by one, a truth value that is wrong, a text that is empty.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Changes literals a little.
pub(super) struct Constant;

impl Operator for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["integer_literal", "boolean_literal", "string_literal"], |literal| {
            let text = file.text(literal);
            let others = match literal.kind() {
                "boolean_literal" => vec![if text == "true" { "false".to_owned() } else { "true".to_owned() }],
                "string_literal" if text.len() > 2 => vec!["\"\"".to_owned()],
                "integer_literal" => neighbours(text),
                _ => Vec::new(),
            };
            others.into_iter().map(|other| Edit::replace(literal, other)).collect()
        })
    }
}

/// One more and one less, with the type that was written.
fn neighbours(text: &str) -> Vec<String> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, kind) = text.split_at(end);
    // Digits in groups and other bases stand for what should not be off by one.
    let Some(number) = digits.parse::<u64>().ok().filter(|_| kind.is_empty() || kind.starts_with(['i', 'u'])) else {
        return Vec::new();
    };
    let less = number.checked_sub(1);
    [number.checked_add(1), less].into_iter().flatten().map(|other| format!("{other}{kind}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn literals_change_a_little() {
        check(&Constant, "a + 1u8", &["a + 2u8", "a + 0u8"]);
        check(&Constant, "g(true)", &["g(false)"]);
        check(&Constant, "g(\"x\")", &["g(\"\")"]);
        check(&Constant, "0xff", &[]);
    }
}
