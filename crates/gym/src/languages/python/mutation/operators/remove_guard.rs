//! A guard is forgotten: an `if` that only leaves disappears, or what an `if` guards happens always.

use tree_sitter::Node;

use crate::languages::python::mutation::rules::remove_statement;
use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Removes `if …: return` and the like, and unwraps other statements with `if` and no `else`.
pub(super) struct RemoveGuard;

impl Operator for RemoveGuard {
    fn name(&self) -> &'static str {
        "remove_guard"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["if_statement"], |statement| edit(file, statement).into_iter().collect())
    }
}

fn edit(file: &ParsedFile<'_>, statement: Node<'_>) -> Option<Edit> {
    if statement.child_by_field_name("alternative").is_some() {
        return None;
    }
    let body = statement.child_by_field_name("consequence")?;
    let count = u32::try_from(body.named_child_count()).ok()?;
    let last = body.named_child(count.checked_sub(1)?)?;
    match last.kind() {
        "return_statement" | "raise_statement" | "continue_statement" => {
            Some(remove_statement(statement, file.source())).filter(|edit| edit.after.is_empty())
        }
        "break_statement" | "comment" => None,
        _ => unwrapped(file, statement, body),
    }
}

/// The body in the place of the whole statement, one level further left.
fn unwrapped(file: &ParsedFile<'_>, statement: Node<'_>, body: Node<'_>) -> Option<Edit> {
    let depth = body.start_position().column.checked_sub(statement.start_position().column)?;
    let on_own_line = body.start_position().row > statement.start_position().row;
    let text = file.text(body);
    if !on_own_line || text.contains("\"\"\"") || text.contains("'''") || text.contains('\\') {
        return None;
    }
    let mut lines = text.lines();
    let mut after = lines.next()?.to_owned();
    for line in lines {
        after.push('\n');
        // Blank lines and comments may stand further left than the block.
        after.push_str(line.get(depth..).filter(|_| line[..depth].trim().is_empty()).unwrap_or(line.trim_start()));
    }
    Some(Edit::replace(statement, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn a_guard_that_leaves_is_removed() {
        check(&RemoveGuard, "if not a:\n    return 0\nreturn b", &["return b"]);
        check(&RemoveGuard, "if not a:\n    raise E(1)\nreturn b", &["return b"]);
    }

    #[test]
    fn a_guarded_body_is_unwrapped() {
        check(
            &RemoveGuard,
            "if a:\n    if b:\n        a += 1\n    b = 2\nreturn a",
            &["if b:\n    a += 1\nb = 2\nreturn a", "if a:\n    a += 1\n    b = 2\nreturn a"],
        );
    }

    #[test]
    fn both_branches_or_a_last_statement_stay() {
        check(&RemoveGuard, "if a:\n    return 1\nelse:\n    return 2", &[]);
        check(&RemoveGuard, "if a:\n    return 1", &[]);
    }
}
