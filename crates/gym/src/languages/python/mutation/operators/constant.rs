//! A literal is slightly different: one more, one less, the other truth value, no text.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Changes a literal that is not a default value.
pub(super) struct Constant;

impl Operator for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["integer", "true", "false", "string"], |literal| {
            if is_default(literal) || is_key_of_keyword(literal) { Vec::new() } else { neighbours(file, literal) }
        })
    }
}

/// What a literal is easily confused with; nothing for other nodes.
pub(super) fn neighbours(file: &ParsedFile<'_>, literal: Node<'_>) -> Vec<Edit> {
    match literal.kind() {
        "true" => vec![Edit::replace(literal, "False")],
        "false" => vec![Edit::replace(literal, "True")],
        "integer" => integers(file.text(literal)).into_iter().map(|other| Edit::replace(literal, other)).collect(),
        "string" => emptied(file, literal).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Plain decimal numbers only: other notations are bit patterns.
fn integers(text: &str) -> Vec<String> {
    match text.parse::<i64>() {
        Ok(0) => vec!["1".to_owned()],
        Ok(value) if value < i64::MAX => vec![(value + 1).to_string(), (value - 1).to_string()],
        _ => Vec::new(),
    }
}

/// The same quotes with nothing between them.
fn emptied(file: &ParsedFile<'_>, literal: Node<'_>) -> Option<Edit> {
    let count = u32::try_from(literal.named_child_count()).ok()?;
    let (start, end) = (literal.named_child(0)?, literal.named_child(count.checked_sub(1)?)?);
    let has_text = start.kind() == "string_start" && end.kind() == "string_end" && count > 2;
    has_text.then(|| Edit::replace(literal, format!("{}{}", file.text(start), file.text(end))))
}

fn is_default(literal: Node<'_>) -> bool {
    let Some(parent) = literal.parent() else { return false };
    match parent.kind() {
        "default_parameter" | "typed_default_parameter" => true,
        "unary_operator" => is_default(parent),
        _ => false,
    }
}

/// Text that names an encoding, a mode and the like breaks loudly.
fn is_key_of_keyword(literal: Node<'_>) -> bool {
    literal.kind() == "string" && literal.parent().is_some_and(|parent| parent.kind() == "keyword_argument")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn numbers_move_by_one() {
        check(&Constant, "return a + 7", &["return a + 8", "return a + 6"]);
        check(&Constant, "return 0", &["return 1"]);
        check(&Constant, "return 0xff", &[]);
    }

    #[test]
    fn truth_values_flip() {
        check(&Constant, "return True", &["return False"]);
    }

    #[test]
    fn text_is_emptied_with_its_quotes() {
        check(&Constant, "return r\"é\" + ''", &["return r\"\" + ''"]);
    }

    #[test]
    fn docstrings_messages_and_annotations_stay() {
        check(&Constant, "'''Text 1.'''\nprint('a', 1)\nx: 'T' = b\nlogger.info('c')\nraise A('d')", &[]);
    }
}
