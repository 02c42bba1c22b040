//! Statements of a function that can become a function of their own, with what they need and what they give.
//!
//! Names decide: what was bound before and is read inside goes in, what is bound inside and read afterwards comes out. Where a name may mean
//! more than that, or control may leave in the middle, nothing is proposed.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use super::top::{is_label, targets};
use crate::languages::nodes::{find, visit, visit_all};
use crate::languages::python::syntax::parse;

/// Inputs and results beyond which nobody would make a function of it.
const MOST_INPUTS: usize = 5;
const MOST_RESULTS: usize = 3;
/// Lines that are worth a function.
const FEWEST_LINES: usize = 3;
const MOST_LINES: usize = 25;
/// Where control may leave, or names may mean something that is not seen here.
const REFUSED: [&str; 16] = [
    "return_statement",
    "yield",
    "await",
    "global_statement",
    "nonlocal_statement",
    "delete_statement",
    "function_definition",
    "class_definition",
    "lambda",
    "import_statement",
    "import_from_statement",
    "named_expression",
    "match_statement",
    "exec_statement",
    "ERROR",
    "comment",
];
/// Functions that look at names or at the class around them.
const LOOKING: [&str; 7] = ["locals", "vars", "dir", "eval", "exec", "super", "__class__"];

/// A part of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its whole lines, in bytes.
    pub lines: Range<usize>,
    /// What it needs, in the order in which it reads them.
    pub inputs: Vec<String>,
    /// What it gives, in the order in which it makes them.
    pub results: Vec<String>,
}

/// All parts of a function, `name` or `Class.name`.
pub fn parts(source: &str, function: &str) -> Vec<Part> {
    let syntax = parse(source);
    let Some(definition) = definition(syntax.root_node(), source, function) else { return Vec::new() };
    let Some(body) = definition.child_by_field_name("body") else { return Vec::new() };
    let is_odd =
        |node: Node| matches!(node.kind(), "global_statement" | "nonlocal_statement" | "ERROR").then(String::new);
    if body.start_position().row == definition.start_position().row || find(body, &mut |node| is_odd(node)).is_some() {
        return Vec::new();
    }
    let mut cursor = body.walk();
    let statements: Vec<Node> = body.named_children(&mut cursor).collect();
    let given = parameters(definition, source);
    let starts = 0..statements.len();
    let runs = starts.flat_map(|start| (start + 1..=statements.len()).map(move |end| start..end));
    runs.filter_map(|run| part(source, &statements, run, &given)).collect()
}

fn part(source: &str, statements: &[Node], run: Range<usize>, given: &BTreeSet<String>) -> Option<Part> {
    let inside = &statements[run.clone()];
    let (first, last) = (inside.first()?, inside.last()?);
    let start = source[..first.start_byte()].rfind('\n')? + 1;
    let end = last.end_byte() + source[last.end_byte()..].find('\n')? + 1;
    let text = &source[start..end];
    let count = text.lines().filter(|line| !line.trim().is_empty()).count();
    let is_whole = run.len() == statements.len();
    let is_odd = text.contains("\"\"\"") || text.contains("'''") || text.contains('\\') || text.contains('\t');
    if is_whole || is_odd || !(FEWEST_LINES..=MOST_LINES).contains(&count) {
        return None;
    }
    // Something else on the same line, or a docstring.
    let is_alone =
        source[start..first.start_byte()].trim().is_empty() && source[last.end_byte()..end].trim().is_empty();
    if !is_alone || inside.iter().any(|node| is_refused(*node, source)) {
        return None;
    }
    let before: BTreeSet<String> =
        statements[..run.start].iter().flat_map(|node| bound(*node, source)).chain(given.iter().cloned()).collect();
    let (inputs, definite) = inputs(inside, source, &before)?;
    let after: BTreeSet<String> =
        statements[run.end..].iter().flat_map(|node| reads(*node, source)).map(|(name, _)| name).collect();
    let mut results = Vec::new();
    for name in inside.iter().flat_map(|node| bound(*node, source)) {
        if after.contains(&name) && !results.contains(&name) {
            // What is only sometimes bound would be missing at the end.
            if !definite.contains(&name) && !inputs.contains(&name) {
                return None;
            }
            results.push(name);
        }
    }
    let fits = (1..=MOST_RESULTS).contains(&results.len()) && inputs.len() <= MOST_INPUTS;
    fits.then_some(Part { lines: start..end, inputs, results })
}

/// What goes in, and what is surely bound at the end. What is bound inside only sometimes goes in as well, if it was bound before.
fn inputs(inside: &[Node], source: &str, before: &BTreeSet<String>) -> Option<(Vec<String>, BTreeSet<String>)> {
    let (mut inputs, mut definite) = (Vec::new(), BTreeSet::new());
    for node in inside {
        for (name, is_inner) in reads(*node, source) {
            let is_input = before.contains(&name) && !definite.contains(&name);
            // The variable of a comprehension that is called like one of the function.
            if is_inner && before.contains(&name) {
                return None;
            }
            if is_input && !inputs.contains(&name) {
                inputs.push(name);
            }
        }
        let assignment =
            node.named_child(0).filter(|it| node.kind() == "expression_statement" && it.kind() == "assignment");
        definite.extend(
            assignment.and_then(|it| it.child_by_field_name("left")).into_iter().flat_map(|it| targets(it, source)),
        );
        for name in bound(*node, source) {
            if before.contains(&name) && !definite.contains(&name) && !inputs.contains(&name) {
                inputs.push(name);
            }
        }
    }
    Some((inputs, definite))
}

/// The file with the part as a function of its own above the definition around it, and called where it stood.
pub fn extracted(source: &str, function: &str, part: &Part, name: &str) -> Option<String> {
    let syntax = parse(source);
    let definition = definition(syntax.root_node(), source, function)?;
    let around = std::iter::successors(Some(definition), Node::parent).take_while(|it| it.kind() != "module").last()?;
    let lines = &source[part.lines.clone()];
    let first = lines.lines().find(|line| !line.trim().is_empty())?;
    let indent = &first[..first.len() - first.trim_start().len()];
    let body: String = lines.lines().map(|line| format!("{}\n", replaced(line, indent))).collect();
    let (inputs, results) = (part.inputs.join(", "), part.results.join(", "));
    let own = format!("def {name}({inputs}):\n{body}    return {results}\n\n\n");
    let mut text = source.to_owned();
    text.replace_range(part.lines.clone(), &format!("{indent}{results} = {name}({inputs})\n"));
    text.insert_str(around.start_byte(), &own);
    Some(text)
}

fn replaced(line: &str, indent: &str) -> String {
    line.strip_prefix(indent).map_or_else(|| line.trim().to_owned(), |rest| format!("    {rest}"))
}

/// The words of code, without comments and line breaks.
pub fn words(source: &str) -> Vec<String> {
    let mut words = Vec::new();
    visit_all(parse(source).root_node(), &mut |node| {
        let is_text = node.kind() == "string";
        let is_part = node.parent().is_some_and(|it| matches!(it.kind(), "string" | "string_content"));
        if (is_text || node.child_count() == 0 && !is_part) && node.kind() != "comment" {
            words.push(source[node.byte_range()].trim().to_owned());
        }
    });
    words.retain(|word| !word.is_empty());
    words
}

fn is_refused(node: Node, source: &str) -> bool {
    let is_text = node.kind() == "expression_statement" && node.named_child(0).is_some_and(|it| it.kind() == "string");
    let refused = find(node, &mut |inner| {
        let is_looking = inner.kind() == "identifier" && LOOKING.contains(&&source[inner.byte_range()]);
        let leaves = matches!(inner.kind(), "break_statement" | "continue_statement") && !is_in_loop(inner, node);
        (REFUSED.contains(&inner.kind()) || is_looking || leaves).then(String::new)
    });
    is_text || refused.is_some()
}

fn is_in_loop(inner: Node, outermost: Node) -> bool {
    let mut around = std::iter::successors(Some(inner), Node::parent);
    let inside: Vec<Node> = around.by_ref().take_while(|it| *it != outermost).chain([outermost]).collect();
    inside.iter().any(|it| matches!(it.kind(), "for_statement" | "while_statement"))
}

/// Names that a statement binds, however deep; those of comprehensions live elsewhere.
fn bound(node: Node, source: &str) -> Vec<String> {
    let mut names = Vec::new();
    visit(node, &mut |inner| {
        let field = match inner.kind() {
            "assignment" | "augmented_assignment" | "for_statement" => "left",
            "named_expression" | "function_definition" | "class_definition" => "name",
            "as_pattern" => "alias",
            "import_statement" | "import_from_statement" => return names.extend(super::top::imported(inner, source).0),
            _ => return,
        };
        let Some(target) = inner.child_by_field_name(field) else { return };
        let target =
            if target.kind() == "as_pattern_target" { target.named_child(0).unwrap_or(target) } else { target };
        names.extend(targets(target, source));
    });
    names
}

/// Names that a statement reads, in order, and whether each is the variable of a comprehension.
fn reads(node: Node, source: &str) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    visit(node, &mut |inner| {
        if inner.kind() == "identifier" && !is_label(inner) && !is_target(inner) {
            names.push((source[inner.byte_range()].to_owned(), is_inner(inner)));
        }
    });
    names
}

/// Whether an identifier is only bound where it stands.
fn is_target(node: Node) -> bool {
    let mut child = node;
    while let Some(parent) = child.parent() {
        match parent.kind() {
            "pattern_list" | "tuple_pattern" | "list_pattern" => child = parent,
            "assignment" | "for_statement" => return parent.child_by_field_name("left") == Some(child),
            _ => return false,
        }
    }
    false
}

fn is_inner(node: Node) -> bool {
    let around = std::iter::successors(node.parent(), Node::parent);
    around.take_while(|it| !it.kind().ends_with("statement")).any(|it| {
        it.kind() == "for_in_clause"
            && it
                .child_by_field_name("left")
                .is_some_and(|left| left.start_byte() <= node.start_byte() && node.end_byte() <= left.end_byte())
    })
}

fn parameters(definition: Node, source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Some(list) = definition.child_by_field_name("parameters") {
        visit(list, &mut |node| {
            if node.kind() == "identifier" {
                names.insert(source[node.byte_range()].to_owned());
            }
        });
    }
    names
}

/// The definition of `name` or `Class.name`.
fn definition<'tree>(root: Node<'tree>, source: &str, function: &str) -> Option<Node<'tree>> {
    let mut scope = root;
    let mut found = None;
    for wanted in function.split('.') {
        let mut cursor = scope.walk();
        let children =
            scope.named_children(&mut cursor).map(|node| node.child_by_field_name("definition").unwrap_or(node));
        let is_it = |node: &Node| {
            let name = node.child_by_field_name("name");
            node.kind().ends_with("_definition") && name.is_some_and(|name| &source[name.byte_range()] == wanted)
        };
        let own = children.filter(is_it).last()?;
        found = Some(own);
        scope = own.child_by_field_name("body")?;
    }
    found.filter(|node| node.kind() == "function_definition")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
LIMIT = 3


class A:
    def total(self, values, start):
        \"\"\"Doc.\"\"\"
        total = start
        for value in values:
            if value > LIMIT:
                total += self.scale(value)
        seen = [x for x in values]
        return total, seen
";

    #[test]
    fn a_part_says_what_goes_in_and_what_comes_out() {
        let found = parts(SOURCE, "A.total");
        let texts: Vec<(&str, String, String)> = found
            .iter()
            .map(|it| {
                (
                    SOURCE[it.lines.clone()].trim().lines().next().expect("a line"),
                    it.inputs.join(" "),
                    it.results.join(" "),
                )
            })
            .collect();
        let own = |first, inputs: &str, results: &str| (first, inputs.to_owned(), results.to_owned());
        assert_eq!(
            texts,
            [
                own("total = start", "start values self", "total"),
                own("total = start", "start values self", "total seen"),
                own("for value in values:", "values total self", "total"),
                own("for value in values:", "values total self", "total seen"),
            ]
        );
    }

    #[test]
    fn a_part_becomes_a_function_above_what_it_stood_in() {
        let part = &parts(SOURCE, "A.total")[2];
        let text = extracted(SOURCE, "A.total", part, "scaled").expect("it is there");
        let expected = "def scaled(values, total, self):\n    for value in values:\n        if value > LIMIT:\n            total += self.scale(value)\n    return total\n\n\nclass A:";
        assert!(text.contains(expected), "{text}");
        assert!(
            text.contains("        total = start\n        total = scaled(values, total, self)\n        seen ="),
            "{text}"
        );
    }

    #[test]
    fn what_leaves_or_may_mean_more_is_no_part() {
        for body in [
            "    if a:\n        return 1\n    b = a\n    c = b",
            "    b = locals()\n    c = a\n    d = b",
            "    b = lambda: a\n    c = 2\n    d = 3",
            "    if a:\n        b = 1\n    c = 2\n    d = 3",
        ] {
            let source = format!("def f(a):\n    e = a\n{body}\n    return b, e\n");
            let found = parts(&source, "f");
            let whole = found.iter().find(|it| source[it.lines.clone()].trim_end() == body);
            assert_eq!(whole, None, "{body}");
        }
    }

    #[test]
    fn words_do_not_depend_on_line_breaks() {
        assert_eq!(words("a = f('x y', # c\n  1)"), words("a = f('x y', 1)"));
        assert_eq!(words("a"), ["a"]);
    }
}
