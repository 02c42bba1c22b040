//! Two neighbouring positional arguments of a call change places.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps arguments that differ.
pub(super) struct SwapArguments;

/// Where the order does not matter or a swap only raises.
const EXEMPT: [&str; 9] = ["min", "max", "isinstance", "issubclass", "getattr", "setattr", "hasattr", "super", "cast"];

impl Operator for SwapArguments {
    fn name(&self) -> &'static str {
        "swap_arguments"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["call"], |call| edits(file, call).unwrap_or_default())
    }
}

fn edits(file: &ParsedFile<'_>, call: Node<'_>) -> Option<Vec<Edit>> {
    let arguments = call.child_by_field_name("arguments").filter(|node| node.kind() == "argument_list")?;
    if EXEMPT.contains(&file.text(call.child_by_field_name("function")?)) {
        return None;
    }
    let mut cursor = arguments.walk();
    let positional: Vec<Node<'_>> = arguments.named_children(&mut cursor).take_while(is_positional).collect();
    Some(positional.windows(2).filter_map(|pair| swapped(file, pair[0], pair[1])).collect())
}

fn is_positional(argument: &Node<'_>) -> bool {
    !matches!(argument.kind(), "keyword_argument" | "list_splat" | "dictionary_splat" | "comment")
}

/// The two nodes in each other's place, with what stands between them; `None` if that changes nothing.
pub(super) fn swapped(file: &ParsedFile<'_>, left: Node<'_>, right: Node<'_>) -> Option<Edit> {
    let (first, second) = (file.text(left), file.text(right));
    let between = &file.source()[left.end_byte()..right.start_byte()];
    let range = left.start_byte()..right.end_byte();
    (first != second).then(|| Edit { range, after: format!("{second}{between}{first}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn neighbours_that_differ_swap() {
        check(&SwapArguments, "return g(a, b, b)", &["return g(b, a, b)"]);
    }

    #[test]
    fn keywords_and_symmetric_calls_stay() {
        check(&SwapArguments, "return g(a, k=b) + max(a, b)", &[]);
    }
}
