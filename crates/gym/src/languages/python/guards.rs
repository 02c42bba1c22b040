//! Guards of Python functions: conditions under which a function refuses its input, and how such a function is called from outside.

use super::hollow::parameters;
use super::syntax::{functions, parse};

/// Whether an `if` statement, as source, only refuses: it ends by raising something or by returning nothing, `None` or `False`.
pub fn refuses(statement: &str) -> bool {
    let syntax = parse(statement.trim());
    let root = syntax.root_node();
    let Some(body) = root.named_child(0).filter(|it| it.kind() == "if_statement") else { return false };
    let body = body.child_by_field_name("consequence");
    let last = body.and_then(|it| it.named_child(u32::try_from(it.named_child_count()).ok()?.checked_sub(1)?));
    last.is_some_and(|last| match last.kind() {
        "raise_statement" => last.named_child_count() > 0,
        "return_statement" => {
            matches!(&statement.trim()[last.byte_range()], "return" | "return None" | "return False")
        }
        _ => false,
    })
}

/// What is called to run a function of a file, `name` or `Class.name`; `None` when that takes an object.
pub fn callee(source: &str, function: &str) -> Option<String> {
    let Some((class, method)) = function.split_once('.') else {
        return parameters(source, function).map(|_| function.to_owned());
    };
    if matches!(method, "__init__" | "__new__" | "__post_init__") {
        return Some(class.to_owned());
    }
    let span = functions(source).into_iter().find(|span| span.qualified() == function)?;
    let text = &source[span.start..span.end];
    let is_bound = text.starts_with("@staticmethod") || text.starts_with("@classmethod");
    is_bound.then(|| function.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_raises_or_gives_nothing() {
        assert!(refuses("if '..' in name:\n        raise ValueError(\n            name\n        )\n"));
        assert!(refuses("if not a:\n        return None\n"));
        assert!(refuses("if not a: return False"));
        assert!(!refuses("if not a:\n        return 0\n"));
        assert!(!refuses("if not a:\n        raise\n"));
        assert!(!refuses("for a in b:\n    raise ValueError\n"));
    }

    #[test]
    fn functions_and_classes_are_called_without_an_object() {
        let source = "def f(a): pass\nclass A:\n    def __init__(self): pass\n    @classmethod\n    def of(cls): pass\n    def g(self): pass\n";
        assert_eq!(callee(source, "f").as_deref(), Some("f"));
        assert_eq!(callee(source, "A.__init__").as_deref(), Some("A"));
        assert_eq!(callee(source, "A.of").as_deref(), Some("A.of"));
        assert_eq!(callee(source, "A.g"), None);
        assert_eq!(callee("def f():\n    def g(): pass\n", "g"), None);
    }
}
