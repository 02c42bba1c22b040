//! The same functions in other words: text, syntax and bytecode all differ, behaviour does not.
//!
//! Operators become calls of `operator`, values are kept before they are returned, literals are written in another way. A script or a test that
//! recognises code by how it is written takes the restated code for another one. What cannot be restated safely stays as it is.

use tree_sitter::Node;

use crate::languages::nodes::rewritten;
use crate::languages::python::syntax::{is_valid, parse};

/// The name under which restated code reaches the standard operators.
const OPERATORS: &str = "_how";

/// A file with all of its functions restated; `None` when nothing could be restated.
pub(super) fn restate(source: &str) -> Option<String> {
    // Code that looks at its own names or frames may notice.
    if ["locals(", "vars()", "_getframe", "getsource", "__code__", "_kept", "_held", OPERATORS]
        .iter()
        .any(|it| source.contains(it))
    {
        return None;
    }
    let syntax = parse(source);
    let root = syntax.root_node();
    let writer = Writer { source };
    let at = first_statement(root).start_byte();
    let mut text = String::new();
    let mut cursor = root.walk();
    let mut last = 0;
    for child in root.named_children(&mut cursor) {
        text.push_str(&source[last..child.start_byte()]);
        if child.start_byte() == at {
            text.push_str(&format!("import operator as {OPERATORS}\n"));
        }
        text.push_str(&writer.outside(child));
        last = child.end_byte();
    }
    text.push_str(&source[last..]);
    let body = text.replacen(&format!("import operator as {OPERATORS}\n"), "", 1);
    (body != source && is_valid(&text)).then_some(text)
}

/// The first statement before which an import may stand.
fn first_statement(root: Node) -> Node {
    let mut cursor = root.walk();
    let may_precede = |node: &Node| {
        let is_text = node.named_child(0).is_some_and(|it| matches!(it.kind(), "string" | "concatenated_string"));
        matches!(node.kind(), "comment" | "future_import_statement") || node.kind() == "expression_statement" && is_text
    };
    root.named_children(&mut cursor).find(|node| !may_precede(node)).unwrap_or(root)
}

struct Writer<'a> {
    source: &'a str,
}

impl Writer<'_> {
    fn text(&self, node: Node) -> &str {
        &self.source[node.byte_range()]
    }

    /// Outside of functions nothing changes.
    fn outside(&self, node: Node) -> String {
        match node.kind() {
            "function_definition" => self.inside(node),
            "class_definition" | "block" | "decorated_definition" | "if_statement" | "try_statement" => {
                rewritten(self.source, node, &|child| self.outside(child))
            }
            _ => self.text(node).to_owned(),
        }
    }

    fn inside(&self, node: Node) -> String {
        self.changed(node).unwrap_or_else(|| rewritten(self.source, node, &|child| self.inside(child)))
    }

    /// The restated node, or `None` when only its children may be restated.
    fn changed(&self, node: Node) -> Option<String> {
        match node.kind() {
            // Annotations, patterns, decorators and texts with expressions in them have rules of their own.
            "type" | "case_pattern" | "decorator" | "global_statement" | "nonlocal_statement" => {
                Some(self.text(node).to_owned())
            }
            "string" => Some(self.string(node).unwrap_or_else(|| self.text(node).to_owned())),
            "concatenated_string" => Some(self.text(node).to_owned()),
            "comparison_operator" => self.comparison(node),
            "binary_operator" => self.binary(node),
            "boolean_operator" => self.boolean(node),
            "not_operator" => Some(format!("{OPERATORS}.not_({})", self.inside(node.child_by_field_name("argument")?))),
            "augmented_assignment" => self.augmented(node),
            "return_statement" => {
                let value = node.named_child(0)?;
                Some(format!("_kept = {}; return _kept", self.inside(value)))
            }
            "integer" => self.integer(node),
            "true" => Some("(not 0)".into()),
            "false" => Some("(not 1)".into()),
            "argument_list" => Some(self.arguments(node)),
            "attribute" => self.attribute(node),
            _ => None,
        }
    }

    fn comparison(&self, node: Node) -> Option<String> {
        let name = match (node.named_child_count(), node.child(1)?.kind()) {
            (2, "<") => "lt",
            (2, "<=") => "le",
            (2, ">") => "gt",
            (2, ">=") => "ge",
            (2, "==") => "eq",
            (2, "!=") => "ne",
            (2, "is") => "is_",
            (2, "is not") => "is_not",
            _ => return None,
        };
        Some(self.call(name, node.named_child(0)?, node.named_child(1)?))
    }

    fn binary(&self, node: Node) -> Option<String> {
        let name = match node.child_by_field_name("operator")?.kind() {
            "+" => "add",
            "-" => "sub",
            "*" => "mul",
            "/" => "truediv",
            "//" => "floordiv",
            "%" => "mod",
            "**" => "pow",
            "@" => "matmul",
            "&" => "and_",
            "|" => "or_",
            "^" => "xor",
            "<<" => "lshift",
            ">>" => "rshift",
            _ => return None,
        };
        Some(self.call(name, node.child_by_field_name("left")?, node.child_by_field_name("right")?))
    }

    fn augmented(&self, node: Node) -> Option<String> {
        let name = match node.child_by_field_name("operator")?.kind() {
            "+=" => "iadd",
            "-=" => "isub",
            "*=" => "imul",
            "/=" => "itruediv",
            "//=" => "ifloordiv",
            "%=" => "imod",
            _ => return None,
        };
        let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
        // Anything but a plain name would be evaluated twice.
        (left.kind() == "identifier").then(|| format!("{} = {}", self.text(left), self.call(name, left, right)))
    }

    fn call(&self, name: &str, left: Node, right: Node) -> String {
        format!("{OPERATORS}.{name}(({}), ({}))", self.inside(left), self.inside(right))
    }

    /// `a and b` as a choice of `b` where `a` holds. Inside comprehensions and lambdas a name cannot be kept safely.
    fn boolean(&self, node: Node) -> Option<String> {
        let around = std::iter::successors(node.parent(), Node::parent);
        let within = around.take_while(|it| it.kind() != "function_definition");
        if within.into_iter().any(|it| {
            it.kind().contains("comprehension")
                || matches!(
                    it.kind(),
                    "generator_expression" | "lambda" | "class_definition" | "parameters" | "named_expression"
                )
        }) {
            return None;
        }
        let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
        let (left, right) = (self.inside(left), self.inside(right));
        Some(match node.child_by_field_name("operator")?.kind() {
            "and" => format!("(({right}) if (_held := ({left})) else _held)"),
            _ => format!("(_held if (_held := ({left})) else ({right}))"),
        })
    }

    fn integer(&self, node: Node) -> Option<String> {
        let number: u64 = self.text(node).parse().ok()?;
        Some(format!("{number:#x}"))
    }

    /// A short plain text in two pieces.
    fn string(&self, node: Node) -> Option<String> {
        let text = self.text(node);
        let is_statement = node.parent().is_some_and(|parent| parent.kind() == "expression_statement");
        let quote = text.chars().next().filter(|it| matches!(it, '\'' | '"'))?;
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        if is_statement || inner.len() < 2 || !inner.is_ascii() || inner.contains(['\\', '\n', '\'', '"']) {
            return None;
        }
        let (first, second) = inner.split_at(1);
        Some(format!("({quote}{first}{quote} {quote}{second}{quote})"))
    }

    /// Positional arguments in parentheses.
    fn arguments(&self, node: Node) -> String {
        rewritten(self.source, node, &|child| match child.kind() {
            "identifier" | "attribute" | "subscript" | "call" | "list" | "tuple" => format!("({})", self.inside(child)),
            _ => self.inside(child),
        })
    }

    /// A method that is called, looked up by name.
    fn attribute(&self, node: Node) -> Option<String> {
        let call =
            node.parent().filter(|it| it.kind() == "call" && it.child_by_field_name("function") == Some(node))?;
        let (object, name) = (node.child_by_field_name("object")?, self.text(node.child_by_field_name("attribute")?));
        if name.starts_with("__") || name.len() < 2 || self.source.contains("def getattr") || call.has_error() {
            return None;
        }
        let (first, second) = name.split_at(1);
        Some(format!("getattr({}, '{first}' '{second}')", self.inside(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#""""A module."""
from __future__ import annotations

import os

LIMIT = 2 + 3


class Counter:
    """Counts."""

    def __init__(self, start: int = 0):
        self.value = start

    def up(self, by=1):
        self.value += by
        return self.value


def clamp(value, low, high=9):
    """Return value between the bounds."""
    if value < low or not high:
        return low
    if value > high and True: return high
    total = 0
    for i in range(3):
        total += i
        if i == 1:
            continue
    names = [n for n in "a,bc".split(",") if n and n != "a"]
    return value + total - total if names else f"{value + 1}"


def numbers(count):
    """Yield."""
    for n in range(count):
        yield n * 2
"#;

    #[test]
    fn restated_code_behaves_the_same_and_shares_no_bytecode() {
        let restated = restate(SOURCE).expect("there is much to restate");
        let check = r#"
import sys
def codes(code):
    inner = [value for value in code.co_consts if hasattr(value, "co_code")]
    return {c.co_code for c in inner if c.co_name in ("clamp", "numbers")} | {c for v in inner for c in codes(v)}
texts = sys.stdin.read().split("\0")
results = []
for text in texts:
    names = {"__name__": "m"}
    exec(compile(text, "m.py", "exec"), names)
    counter = names["Counter"](3)
    values = [names["clamp"](v, 1, h) for v in (0, 1, 5, 9, 12) for h in (0, 4, 9)]
    results.append((values, list(names["numbers"](4)), counter.up(), counter.up(5), names["clamp"].__doc__, names["LIMIT"]))
assert results[0] == results[1], results
assert not codes(compile(texts[0], "m", "exec")) & codes(compile(texts[1], "m", "exec"))
"#;
        let mut child = std::process::Command::new("python3")
            .args(["-c", check])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("this machine has python3");
        let text = format!("{SOURCE}\0{restated}");
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{restated}");
    }

    #[test]
    fn code_that_looks_at_itself_is_left_alone() {
        assert_eq!(restate("def f(a):\n    return locals()\n"), None);
        assert_eq!(restate("X = 1\n"), None);
    }
}
