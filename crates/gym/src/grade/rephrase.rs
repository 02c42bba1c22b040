//! Small changes of wording that keep what Python code does, such as a programmer might choose: `high < value` for `value > high`,
//! a name for a value before it is returned. Unlike [`super::restate`] they touch one place and look natural.
//!
//! Each holds for numbers, texts and containers of the standard library. Whether it holds in a given program is for execution to show.

use std::ops::Range;

use tree_sitter::{Node, Parser};

use crate::languages::python::syntax::is_valid;

/// The name that a returned value gets.
const NAME: &str = "result";

/// One edit of the text.
type Edit = (Range<usize>, String);

/// The file with one place in the given lines, counted from 0, in other words; all ways, in order of position.
pub fn rephrased(source: &str, lines: Range<usize>) -> Vec<String> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).expect("the grammar fits the parser's version");
    let Some(syntax) = parser.parse(source, None).filter(|syntax| !syntax.root_node().has_error()) else {
        return Vec::new();
    };
    let mut edits = Vec::new();
    visit(syntax.root_node(), false, &mut |node| {
        if lines.contains(&node.start_position().row) && lines.contains(&node.end_position().row) {
            edits.extend(Writer { source }.edits(node));
        }
    });
    let apply = |(range, text): Edit| format!("{}{text}{}", &source[..range.start], &source[range.end..]);
    edits.into_iter().map(apply).filter(|text| is_valid(text)).collect()
}

/// Every node inside a function, but for what has rules of its own.
fn visit<'tree>(node: Node<'tree>, inside: bool, see: &mut dyn FnMut(Node<'tree>)) {
    if matches!(node.kind(), "type" | "decorator" | "parameters" | "case_pattern" | "string" | "assert_statement") {
        return;
    }
    if inside {
        see(node);
    }
    let inside = inside || node.kind() == "function_definition";
    let mut cursor = node.walk();
    for child in node.named_children(&mut cursor) {
        visit(child, inside, see);
    }
}

struct Writer<'a> {
    source: &'a str,
}

impl Writer<'_> {
    fn text(&self, node: Node) -> &str {
        &self.source[node.byte_range()]
    }

    fn edits(&self, node: Node) -> Vec<Edit> {
        let edits = match node.kind() {
            "comparison_operator" => vec![self.turned(node), self.denied(node)],
            "binary_operator" => vec![self.commuted(node)],
            "conditional_expression" => vec![self.other_way_round(node)],
            "augmented_assignment" => vec![self.spelled_out(node)],
            "assignment" => vec![self.augmented(node)],
            "slice" => vec![self.with_start(node)],
            "return_statement" => vec![self.named(node)],
            _ => Vec::new(),
        };
        edits.into_iter().flatten().map(|text| (node.byte_range(), text)).collect()
    }

    /// `high < value` for `value > high`.
    fn turned(&self, node: Node) -> Option<String> {
        let (left, operator, right) = self.comparison(node)?;
        let turned = match operator {
            "<" => ">",
            ">" => "<",
            "<=" => ">=",
            ">=" => "<=",
            "==" | "!=" => operator,
            _ => return None,
        };
        // The order of two calls may matter.
        let may_act = |side: Node| self.text(side).contains('(');
        let is_plain = |side: Node| !matches!(side.kind(), "lambda" | "conditional_expression" | "boolean_operator");
        (!(may_act(left) && may_act(right)) && is_plain(left) && is_plain(right))
            .then(|| format!("{} {turned} {}", self.text(right), self.text(left)))
    }

    /// `not a == b` for `a != b`.
    fn denied(&self, node: Node) -> Option<String> {
        let (left, operator, right) = self.comparison(node)?;
        let opposite = match operator {
            "==" => "!=",
            "!=" => "==",
            "is not" => "is",
            "is" => "is not",
            "not in" => "in",
            "in" => "not in",
            _ => return None,
        };
        // Elsewhere `not` binds less than what stands around it.
        let is_condition = matches!(
            node.parent()?.kind(),
            "if_statement" | "elif_clause" | "while_statement" | "return_statement" | "parenthesized_expression"
        );
        is_condition.then(|| format!("not {} {opposite} {}", self.text(left), self.text(right)))
    }

    fn comparison<'tree>(&self, node: Node<'tree>) -> Option<(Node<'tree>, &'tree str, Node<'tree>)> {
        let plain = node.named_child_count() == 2;
        plain.then_some((node.named_child(0)?, node.child(1)?.kind(), node.named_child(1)?))
    }

    /// `1 + a` for `a + 1`. Only with a number, for texts and lists do not commute.
    fn commuted(&self, node: Node) -> Option<String> {
        let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
        let operator = node.child_by_field_name("operator")?.kind();
        let is_number = |side: Node| matches!(side.kind(), "integer" | "float");
        let is_atom =
            |side: Node| matches!(side.kind(), "identifier" | "integer" | "float" | "call" | "subscript" | "attribute");
        // Inside a longer chain the other operands would be taken apart.
        let is_whole = node.parent().is_none_or(|parent| !parent.kind().ends_with("_operator"));
        (matches!(operator, "+" | "*")
            && is_whole
            && is_number(left) != is_number(right)
            && is_atom(left)
            && is_atom(right))
        .then(|| format!("{} {operator} {}", self.text(right), self.text(left)))
    }

    /// `b if not c else a` for `a if c else b`.
    fn other_way_round(&self, node: Node) -> Option<String> {
        let [then, condition, other] = [0, 1, 2].map(|at| node.named_child(at));
        let (then, condition, other) = (self.text(then?), condition?, other?);
        if other.kind() == "conditional_expression" || other.kind() == "lambda" {
            return None;
        }
        let (other, condition_text) = (self.text(other), self.text(condition));
        let denied = match condition.kind() {
            "boolean_operator" | "conditional_expression" | "lambda" | "named_expression" => {
                format!("not ({condition_text})")
            }
            _ => format!("not {condition_text}"),
        };
        Some(format!("{other} if {denied} else {then}"))
    }

    /// `a = a + 1` for `a += 1`. Only with a number, for lists are changed in place.
    fn spelled_out(&self, node: Node) -> Option<String> {
        let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
        let operator = node.child_by_field_name("operator")?.kind().strip_suffix('=')?;
        let plain = left.kind() == "identifier" && matches!(right.kind(), "integer" | "float");
        let left = self.text(left);
        plain.then(|| format!("{left} = {left} {operator} {}", self.text(right)))
    }

    /// `a += 1` for `a = a + 1`.
    fn augmented(&self, node: Node) -> Option<String> {
        let (left, sum) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
        let (first, second) = (sum.child_by_field_name("left")?, sum.child_by_field_name("right")?);
        let operator = sum.child_by_field_name("operator")?.kind();
        let plain = sum.kind() == "binary_operator"
            && left.kind() == "identifier"
            && self.text(first) == self.text(left)
            && matches!(second.kind(), "integer" | "float")
            && matches!(operator, "+" | "-" | "*" | "//");
        plain.then(|| format!("{} {operator}= {}", self.text(left), self.text(second)))
    }

    /// `[0:n]` for `[:n]`.
    fn with_start(&self, node: Node) -> Option<String> {
        let text = self.text(node);
        (text.starts_with(':') && text.matches(':').count() == 1 && text.len() > 1).then(|| format!("0{text}"))
    }

    /// The value gets a name before it is returned.
    fn named(&self, node: Node) -> Option<String> {
        let value = node.named_child(0)?;
        let line = self.source[..node.start_byte()].rsplit('\n').next()?;
        let worth = !matches!(value.kind(), "identifier" | "integer" | "none" | "true" | "false" | "string");
        (worth && line.trim().is_empty() && !self.source.contains(NAME) && value.kind() != "expression_list")
            .then(|| format!("{NAME} = {}\n{line}return {NAME}", self.text(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All ways to say the only line of a function in other words.
    fn check(line: &str, expected: &[&str]) {
        let source = |line: &str| format!("def f(a, b, c):\n    {line}\n");
        let expected: Vec<String> = expected.iter().map(|line| source(line)).collect();
        assert_eq!(rephrased(&source(line), 1..2), expected, "{line}");
    }

    #[test]
    fn each_place_is_said_in_other_words() {
        check("if a < b: pass", &["if b > a: pass"]);
        check("if a == len(b): pass", &["if len(b) == a: pass", "if not a != len(b): pass"]);
        check("if a is not None: pass", &["if not a is None: pass"]);
        check("a = b + 1", &["a = 1 + b"]);
        check("a = a * 2", &["a *= 2", "a = 2 * a"]);
        check("a -= 1", &["a = a - 1"]);
        check("a = b if c else 0", &["a = 0 if not c else b"]);
        check("return b[:a]", &["result = b[:a]\n    return result", "return b[0:a]"]);
    }

    #[test]
    fn what_would_change_the_meaning_is_left_alone() {
        for line in ["a += b", "a = b + c", "a = b + 1 - c", "f(a) < f(b)", "a = b == c < 1", "return a", "a = b[::2]"]
        {
            check(line, &[]);
        }
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        assert!(rephrased("X = 1 < 2\n\ndef f(a):\n    return a < 1\n", 0..1).is_empty());
    }

    #[test]
    fn other_words_behave_the_same() {
        let source = "def f(a, b):\n    a += 1\n    b = b * 2\n    if a == b: return [a][:1]\n    c = a if a < b else b + 1\n    return c * 3\n";
        let all = rephrased(source, 0..6);
        assert!(all.len() >= 8, "{}", all.len());
        let check = "import sys\ntexts = sys.stdin.read().split('\\0')\ndef run(text):\n    names = {}\n    exec(text, names)\n    return [names['f'](a, b) for a in range(-3, 9) for b in (-1, 0, 2, 2.5)]\nassert all(run(text) == run(texts[0]) for text in texts), texts\n";
        let mut child = std::process::Command::new("python3")
            .args(["-c", check])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("this machine has python3");
        let texts: Vec<&str> = std::iter::once(source).chain(all.iter().map(String::as_str)).collect();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), texts.join("\0").as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
}
