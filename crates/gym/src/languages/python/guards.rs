//! Guards of Python functions: conditions under which a function refuses its input, and how such a function is called from outside.

use super::hollow::parameters;
use super::syntax::{functions, parse};

/// How an `if` statement, as source, refuses, if that is all it does: the class that it raises, empty where a name does not tell, or
/// `returned None` and `returned False`.
pub fn refusal(statement: &str) -> Option<String> {
    let text = statement.trim();
    let syntax = parse(text);
    let root = syntax.root_node();
    let body = root.named_child(0).filter(|it| it.kind() == "if_statement")?.child_by_field_name("consequence")?;
    let last = body.named_child(u32::try_from(body.named_child_count()).ok()?.checked_sub(1)?)?;
    match last.kind() {
        "raise_statement" => {
            let raised = last.named_child(0)?;
            let named = raised.child_by_field_name("function").unwrap_or(raised);
            let name = text[named.byte_range()].rsplit('.').next().unwrap_or_default();
            let is_class =
                name.starts_with(char::is_uppercase) && name.chars().all(|c| c.is_alphanumeric() || c == '_');
            Some(if is_class { name.to_owned() } else { String::new() })
        }
        "return_statement" => match &text[last.byte_range()] {
            "return" | "return None" => Some("returned None".to_owned()),
            "return False" => Some("returned False".to_owned()),
            _ => None,
        },
        _ => None,
    }
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
        let of = |text| refusal(text).unwrap_or_else(|| "nothing".to_owned());
        assert_eq!(of("if '..' in name:\n        raise ValueError(\n            name\n        )\n"), "ValueError");
        assert_eq!(of("if a:\n        raise errors.Bad(a) from None\n"), "Bad");
        assert_eq!(of("if a:\n        raise error\n"), "");
        assert_eq!(of("if not a:\n        return None\n"), "returned None");
        assert_eq!(of("if not a: return False"), "returned False");
        assert_eq!(of("if not a:\n        return 0\n"), "nothing");
        assert_eq!(of("if not a:\n        raise\n"), "nothing");
        assert_eq!(of("for a in b:\n    raise ValueError\n"), "nothing");
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
