//! A method that does nearly the same: `Math.min` and `Math.max`, `shift` and `pop`, the first and the last item.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Calls the sibling instead.
pub(super) struct SimilarMethod;

const METHODS: [(&str, &str); 24] = [
    ("min", "max"),
    ("floor", "ceil"),
    ("round", "floor"),
    ("trunc", "round"),
    ("trimStart", "trimEnd"),
    ("trim", "trimStart"),
    ("padStart", "padEnd"),
    ("startsWith", "endsWith"),
    ("indexOf", "lastIndexOf"),
    ("findIndex", "findLastIndex"),
    ("find", "findLast"),
    ("some", "every"),
    ("map", "flatMap"),
    ("forEach", "map"),
    ("push", "unshift"),
    ("pop", "shift"),
    ("toUpperCase", "toLowerCase"),
    ("keys", "values"),
    ("entries", "values"),
    ("slice", "splice"),
    ("replaceAll", "replace"),
    ("add", "delete"),
    ("reduce", "reduceRight"),
    ("charCodeAt", "codePointAt"),
];

impl Operator for SimilarMethod {
    fn name(&self) -> &'static str {
        "similar_method"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["call_expression"], |call| edits(file, call).unwrap_or_default())
    }
}

fn edits(file: &ParsedFile<'_>, call: Node<'_>) -> Option<Vec<Edit>> {
    let callee = call.child_by_field_name("function").filter(|callee| callee.kind() == "member_expression")?;
    let name = callee.child_by_field_name("property")?;
    let own = file.text(name);
    let siblings = METHODS.iter().filter_map(|(left, right)| match () {
        () if *left == own => Some(*right),
        () if *right == own => Some(*left),
        () => None,
    });
    Some(siblings.map(|sibling| Edit::replace(name, sibling)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn methods_have_siblings() {
        check(&SimilarMethod, "return Math.min(a, b);", &["return Math.max(a, b);"]);
        check(&SimilarMethod, "return a.shift();", &["return a.pop();"]);
    }

    #[test]
    fn functions_without_an_object_stay() {
        check(&SimilarMethod, "return min(a, b);", &[]);
    }
}
