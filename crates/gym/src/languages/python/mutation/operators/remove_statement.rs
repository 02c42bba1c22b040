//! A statement is forgotten: an update, a call for its effect, an assignment to a name that has a value already.

use tree_sitter::Node;

use crate::languages::python::mutation::rules::{is_message, remove_statement};
use crate::mutation::{Mutation, Operator, ParsedFile};

/// Removes a statement whose absence the rest of the function does not notice at once.
pub(super) struct RemoveStatement;

impl Operator for RemoveStatement {
    fn name(&self) -> &'static str {
        "remove_statement"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["expression_statement"], |statement| {
            let removable = statement.named_child(0).is_some_and(|inner| is_removable(file, inner));
            if removable { vec![remove_statement(statement, file.source())] } else { Vec::new() }
        })
    }
}

fn is_removable(file: &ParsedFile<'_>, inner: Node<'_>) -> bool {
    match inner.kind() {
        "augmented_assignment" => true,
        "call" => !is_message(file, inner),
        "assignment" => {
            let target = inner.child_by_field_name("left");
            let has_value = inner.child_by_field_name("right").is_some();
            has_value && target.is_some_and(|target| target.kind() != "identifier" || is_known(file, target))
        }
        _ => false,
    }
}

/// Whether the name occurs earlier in its function; otherwise its absence only raises.
fn is_known(file: &ParsedFile<'_>, target: Node<'_>) -> bool {
    let mut function = target;
    while function.kind() != "function_definition" {
        let Some(parent) = function.parent() else { return false };
        function = parent;
    }
    occurs_before(file, function, target)
}

fn occurs_before(file: &ParsedFile<'_>, node: Node<'_>, target: Node<'_>) -> bool {
    if node.start_byte() >= target.start_byte() {
        return false;
    }
    if node.kind() == "identifier" && file.text(node) == file.text(target) {
        return true;
    }
    let mut cursor = node.walk();
    node.named_children(&mut cursor).any(|child| occurs_before(file, child, target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn updates_and_effects_go_with_their_line() {
        check(&RemoveStatement, "a += 1\nb.sort()\nreturn a", &["b.sort()\nreturn a", "a += 1\nreturn a"]);
    }

    #[test]
    fn a_lonely_statement_leaves_pass() {
        check(&RemoveStatement, "for x in a:\n    b.append(x)", &["for x in a:\n    pass"]);
        check(&RemoveStatement, "a += 1; return a", &["pass; return a"]);
    }

    #[test]
    fn first_assignments_and_messages_stay() {
        check(&RemoveStatement, "x = 1\nprint(x)\nlogger.info(x)", &[]);
        check(&RemoveStatement, "x = 1\nx = a", &["x = 1"]);
    }
}
