//! A method or function that does nearly the same: `min` and `max`, `lstrip` and `rstrip`, the first and the last item.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Calls the sibling instead.
pub(super) struct SimilarMethod;

const METHODS: [(&str, &str); 20] = [
    ("lstrip", "rstrip"),
    ("strip", "lstrip"),
    ("find", "rfind"),
    ("index", "rindex"),
    ("split", "rsplit"),
    ("partition", "rpartition"),
    ("upper", "lower"),
    ("isupper", "islower"),
    ("startswith", "endswith"),
    ("removeprefix", "removesuffix"),
    ("ljust", "rjust"),
    ("append", "extend"),
    ("keys", "values"),
    ("popleft", "pop"),
    ("appendleft", "append"),
    ("add", "discard"),
    ("union", "intersection"),
    ("issubset", "issuperset"),
    ("floor", "ceil"),
    ("get", "setdefault"),
];

const FUNCTIONS: [(&str, &str); 4] = [("min", "max"), ("any", "all"), ("floor", "ceil"), ("takewhile", "dropwhile")];

impl Operator for SimilarMethod {
    fn name(&self) -> &'static str {
        "similar_method"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["call", "subscript"], |node| edits(file, node).unwrap_or_default())
    }
}

fn edits(file: &ParsedFile<'_>, node: Node<'_>) -> Option<Vec<Edit>> {
    if node.kind() == "subscript" {
        let index = node.child_by_field_name("subscript")?;
        let other_end = match file.text(index) {
            "0" => "-1",
            "-1" => "0",
            _ => return None,
        };
        return Some(vec![Edit::replace(index, other_end)]);
    }
    let callee = node.child_by_field_name("function")?;
    let (name, table) = match callee.kind() {
        "identifier" => (callee, &FUNCTIONS[..]),
        "attribute" => (callee.child_by_field_name("attribute")?, &METHODS[..]),
        _ => return None,
    };
    Some(siblings(file.text(name), table).map(|sibling| Edit::replace(name, sibling)).collect())
}

fn siblings<'table>(name: &str, table: &'table [(&str, &str)]) -> impl Iterator<Item = &'table str> {
    table.iter().filter_map(move |(left, right)| match () {
        () if *left == name => Some(*right),
        () if *right == name => Some(*left),
        () => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn functions_and_methods_have_siblings() {
        check(&SimilarMethod, "return min(a, b)", &["return max(a, b)"]);
        check(&SimilarMethod, "return a.rstrip(b)", &["return a.lstrip(b)"]);
    }

    #[test]
    fn a_method_that_only_shares_a_name_with_a_function_stays() {
        check(&SimilarMethod, "return a.min()", &[]);
    }

    #[test]
    fn first_and_last_swap() {
        check(&SimilarMethod, "return a[0]", &["return a[-1]"]);
        check(&SimilarMethod, "return a[-1]", &["return a[0]"]);
    }
}
