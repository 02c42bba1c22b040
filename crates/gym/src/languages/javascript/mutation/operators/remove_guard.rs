//! A guard is forgotten: an `if` that only leaves disappears, or what an `if` guards happens always.

use tree_sitter::Node;

use crate::languages::javascript::mutation::rules::remove_statement;
use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Removes `if (…) return` and the like, and makes the condition of other statements without `else` always true.
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
    let is_else = statement.parent().is_some_and(|parent| parent.kind() == "else_clause");
    if is_else || statement.child_by_field_name("alternative").is_some() {
        return None;
    }
    let body = statement.child_by_field_name("consequence")?;
    let last = match body.kind() {
        "statement_block" => body.named_child(u32::try_from(body.named_child_count().checked_sub(1)?).ok()?)?,
        _ => body,
    };
    match last.kind() {
        "return_statement" | "throw_statement" | "continue_statement" => {
            Some(remove_statement(statement, file.source())).filter(|edit| edit.after.is_empty())
        }
        "break_statement" | "comment" => None,
        _ if body.kind() == "statement_block" => {
            let range = statement.start_byte()..body.start_byte();
            Some(Edit { range, after: String::new() })
        }
        _ => Some(Edit::replace(statement, file.text(body))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::javascript::mutation::tests::check;

    #[test]
    fn a_guard_that_leaves_is_removed() {
        check(&RemoveGuard, "if (!a) {\n  return 0;\n}\nreturn b;", &["return b;"]);
        check(&RemoveGuard, "if (!a) throw new E(1);\nreturn b;", &["return b;"]);
    }

    #[test]
    fn a_guarded_body_happens_always() {
        check(&RemoveGuard, "if (a) {\n  g();\n}", &["{\n  g();\n}"]);
        check(&RemoveGuard, "if (a) g();", &["g();"]);
    }

    #[test]
    fn both_branches_stay() {
        check(&RemoveGuard, "if (a) {\n  return 1;\n} else {\n  return 2;\n}", &[]);
    }
}
