//! The wrong one of two methods that are easily mixed up.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Calls the counterpart of a method, or leaves out a step that only changes the order.
pub(super) struct SimilarMethod;

impl Operator for SimilarMethod {
    fn name(&self) -> &'static str {
        "similar_method"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["call_expression"], |call| {
            let Some(callee) = call.child_by_field_name("function").filter(|it| it.kind() == "field_expression") else {
                return Vec::new();
            };
            let (Some(field), Some(value)) = (callee.child_by_field_name("field"), callee.child_by_field_name("value"))
            else {
                return Vec::new();
            };
            let name = file.text(field);
            let mut edits: Vec<Edit> = counterpart(name).map(|other| Edit::replace(field, other)).into_iter().collect();
            if matches!(name, "rev" | "abs" | "trim") {
                edits.push(Edit::replace(call, file.text(value)));
            }
            edits
        })
    }
}

const PAIRS: [(&str, &str); 33] = [
    ("all", "any"),
    ("ceil", "floor"),
    ("checked_add", "checked_sub"),
    ("chars", "bytes"),
    ("copied", "cloned"),
    ("ends_with", "starts_with"),
    ("find", "rfind"),
    ("first", "last"),
    ("get_or_insert", "insert"),
    ("is_alphabetic", "is_alphanumeric"),
    ("is_ascii_alphabetic", "is_ascii_alphanumeric"),
    ("is_ascii_digit", "is_ascii_hexdigit"),
    ("is_ascii_lowercase", "is_ascii_uppercase"),
    ("is_err", "is_ok"),
    ("is_lowercase", "is_uppercase"),
    ("is_none", "is_some"),
    ("max", "min"),
    ("next", "next_back"),
    ("pop_back", "pop_front"),
    ("position", "rposition"),
    ("push_back", "push_front"),
    ("saturating_add", "saturating_sub"),
    ("skip", "take"),
    ("skip_while", "take_while"),
    ("split", "rsplit"),
    ("split_once", "rsplit_once"),
    ("splitn", "rsplitn"),
    ("strip_prefix", "strip_suffix"),
    ("to_ascii_lowercase", "to_ascii_uppercase"),
    ("to_lowercase", "to_uppercase"),
    ("trim_end", "trim_start"),
    ("trim_end_matches", "trim_start_matches"),
    ("wrapping_add", "wrapping_sub"),
];

fn counterpart(name: &str) -> Option<&'static str> {
    PAIRS.iter().find_map(|(one, other)| match name {
        name if name == *one => Some(*other),
        name if name == *other => Some(*one),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn methods_have_counterparts() {
        check(&SimilarMethod, "a.max(b)", &["a.min(b)"]);
        check(&SimilarMethod, "a.iter().rev()", &["a.iter()"]);
        check(&SimilarMethod, "max(a, b)", &[]);
    }
}
