//! Two neighbouring arguments of a call change places.

use tree_sitter::Node;

use crate::languages::javascript::syntax::is_function;
use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps arguments that differ.
pub(super) struct SwapArguments;

/// Where the order does not matter.
const EXEMPT: [&str; 4] = ["Math.min", "Math.max", "Object.is", "Math.hypot"];

impl Operator for SwapArguments {
    fn name(&self) -> &'static str {
        "swap_arguments"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["call_expression", "new_expression"], |call| {
            edits(file, call).unwrap_or_default()
        })
    }
}

fn edits(file: &ParsedFile<'_>, call: Node<'_>) -> Option<Vec<Edit>> {
    let arguments = call.child_by_field_name("arguments").filter(|node| node.kind() == "arguments")?;
    let callee = call.child_by_field_name("function").or_else(|| call.child_by_field_name("constructor"))?;
    if EXEMPT.contains(&file.text(callee)) {
        return None;
    }
    let mut cursor = arguments.walk();
    let swappable = |node: &Node<'_>| !is_function(*node) && !matches!(node.kind(), "spread_element" | "comment");
    let values: Vec<Node<'_>> = arguments.named_children(&mut cursor).take_while(swappable).collect();
    Some(values.windows(2).filter_map(|pair| swapped(file, pair[0], pair[1])).collect())
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
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn neighbours_that_differ_swap() {
        check(&SwapArguments, "return g(a, b, b);", &["return g(b, a, b);"]);
    }

    #[test]
    fn callbacks_and_symmetric_calls_stay() {
        check(&SwapArguments, "return a.reduce((x, y) => x, 0) + Math.max(a, b);", &[]);
    }
}
