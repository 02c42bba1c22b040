//! The call that a failing test is about, as source that can be evaluated alone: found by the place of the failure in the test file.
//!
//! Names that the test itself defines with `const` are replaced by what they stand for; a call that needs any other name of the test
//! has no such source.

use tree_sitter::{Node, Point};

use super::suite::declaration;
use super::syntax::{is_function, parse};

/// How often a name may stand for another one.
const DEEPEST: usize = 6;
/// Runners whose modules only work inside themselves, as imports name them.
const RUNNERS: [&str; 4] = ["'vitest'", "\"vitest\"", "'@jest/globals'", "\"@jest/globals\""];
/// Longer calls are not worth quoting.
const LONGEST: usize = 200;

/// What an assertion at a place compares, or else the call at that place. Both numbers count from 1, the column in UTF-16 units.
pub(super) fn at(source: &str, line: usize, column: usize) -> Option<String> {
    let tree = parse(source);
    let row = line.checked_sub(1)?;
    let before = source.lines().nth(row)?;
    let bytes = bytes_of(before, column.checked_sub(1)?)?;
    let point = Point { row, column: bytes };
    let node = tree.root_node().descendant_for_point_range(point, point)?;
    let call = called_at(node)?;
    let subject = match expectation(call, source) {
        Some(expectation) => expectation.subject,
        None if is_assertion(call, source) => first_argument(call)?,
        None => call,
    };
    if declaration(subject, source).is_some() || !holds_a_call(subject) {
        return None;
    }
    let text = one_line(&written(subject, subject, source, 0)?)?;
    (text.len() <= LONGEST).then_some(text)
}

/// Calls of a function in a file that need no variable of what is around them, as source in one line, in order of appearance.
pub(super) fn calls_of(source: &str, function: &str) -> Vec<String> {
    let tree = parse(source);
    let mut found = Vec::new();
    collect_calls(tree.root_node(), function, source, &mut found);
    found
}

fn collect_calls(node: Node, function: &str, source: &str, found: &mut Vec<String>) {
    let callee = node.child_by_field_name("function").filter(|_| node.kind() == "call_expression");
    let name = callee.map(|callee| callee.child_by_field_name("property").unwrap_or(callee));
    if name.is_some_and(|name| &source[name.byte_range()] == function) {
        found.extend(written(node, node, source, 0).and_then(|text| one_line(&text)).filter(|it| it.len() <= LONGEST));
    }
    node.named_children(&mut node.walk()).for_each(|child| collect_calls(child, function, source, found));
}

fn bytes_of(line: &str, units: usize) -> Option<usize> {
    let mut seen = 0;
    let end = line.char_indices().find(|(_, letter)| {
        let here = seen >= units;
        seen += letter.len_utf16();
        here
    });
    end.map(|(at, _)| at)
}

/// The innermost call whose callee holds a node, or that is waited for there.
fn called_at(node: Node) -> Option<Node> {
    let mut inner = node;
    for outer in std::iter::successors(Some(node), Node::parent) {
        let callee = outer.child_by_field_name("function").or_else(|| outer.child_by_field_name("constructor"));
        match outer.kind() {
            "call_expression" | "new_expression" if callee == Some(inner) || outer == node => return Some(outer),
            "new_expression" if inner == node => return Some(outer),
            "await_expression" if inner == node => {
                return outer.named_child(0).filter(|it| it.kind() == "call_expression");
            }
            "statement_block" | "program" => return None,
            _ => inner = outer,
        }
    }
    None
}

/// `assert(…)`, `assert.equal(…)`, `t.assert.equal(…)`, `strictEqual(…)`.
pub(super) fn is_assertion(call: Node, source: &str) -> bool {
    let callee = call.child_by_field_name("function").map_or("", |callee| &source[callee.byte_range()]);
    let (object, name) = callee.rsplit_once('.').unwrap_or(("", callee));
    let is_known = matches!(
        name,
        "ok" | "equal" | "strictEqual" | "deepEqual" | "deepStrictEqual" | "notEqual" | "notStrictEqual"
    ) || matches!(name, "notDeepEqual" | "notDeepStrictEqual" | "is" | "match" | "doesNotMatch");
    callee == "assert" || (is_known && (object.is_empty() || object.contains("assert") || object == "t"))
}

/// `expect(subject).matcher(…)`, perhaps with `.not` or `.resolves` in between.
pub(super) struct Expectation<'tree> {
    /// What is expected of something.
    pub(super) subject: Node<'tree>,
    /// The call `expect(…)`.
    pub(super) expect: Node<'tree>,
    /// The name of the matcher.
    pub(super) matcher: Node<'tree>,
    /// Whether nothing stands between the two.
    pub(super) is_plain: bool,
}

/// The expectation that a call is, or is a part of.
pub(super) fn expectation<'tree>(call: Node<'tree>, source: &str) -> Option<Expectation<'tree>> {
    let text = |node: Node| &source[node.byte_range()];
    let callee = call.child_by_field_name("function")?;
    if text(callee) == "expect" {
        let whole = std::iter::successors(call.parent(), Node::parent)
            .take_while(|node| matches!(node.kind(), "member_expression" | "call_expression"))
            .find(|node| node.kind() == "call_expression")?;
        return expectation(whole, source);
    }
    let matcher = callee.child_by_field_name("property")?;
    let mut inner = callee.child_by_field_name("object")?;
    let is_plain = inner.kind() == "call_expression";
    while inner.kind() == "member_expression" {
        inner = inner.child_by_field_name("object")?;
    }
    let is_expect = inner.child_by_field_name("function").is_some_and(|it| text(it) == "expect");
    let subject = first_argument(inner).filter(|_| is_expect)?;
    Some(Expectation { subject, expect: inner, matcher, is_plain })
}

pub(super) fn first_argument(call: Node) -> Option<Node> {
    call.child_by_field_name("arguments")?.named_child(0)
}

fn holds_a_call(node: Node) -> bool {
    matches!(node.kind(), "call_expression" | "new_expression")
        || !is_function(node) && node.named_children(&mut node.walk()).any(holds_a_call)
        || node.kind() == "identifier"
}

/// The source of a node inside `whole`, with what its names stand for.
fn written(node: Node, whole: Node, source: &str, depth: usize) -> Option<String> {
    if depth > DEEPEST {
        return None;
    }
    if matches!(node.kind(), "identifier" | "shorthand_property_identifier") {
        let name = &source[node.byte_range()];
        return match binding(node, whole, source) {
            Binding::Outside => Some(name.to_owned()),
            Binding::Other => None,
            Binding::Constant(value) if node.kind() == "identifier" => {
                let text = written(value, value, source, depth + 1)?;
                Some(if is_tight(value.kind()) { text } else { format!("({text})") })
            }
            Binding::Constant(value) => Some(format!("{name}: {}", written(value, value, source, depth + 1)?)),
        };
    }
    let mut text = String::new();
    let mut end = node.start_byte();
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        text.push_str(&source[end..child.start_byte()]);
        text.push_str(&written(child, whole, source, depth)?);
        end = child.end_byte();
    }
    text.push_str(&source[end..node.end_byte()]);
    Some(text)
}

fn is_tight(kind: &str) -> bool {
    matches!(
        kind,
        "identifier" | "number" | "string" | "template_string" | "true" | "false" | "null" | "array" | "object"
    ) || matches!(kind, "call_expression" | "member_expression" | "subscript_expression" | "undefined" | "regex")
}

/// What a name stands for.
enum Binding<'tree> {
    /// Something of the module or of the language, or of the expression itself.
    Outside,
    /// A constant of the test.
    Constant(Node<'tree>),
    /// Something of the test that has no fixed source.
    Other,
}

fn binding<'tree>(name: Node<'tree>, whole: Node<'tree>, source: &str) -> Binding<'tree> {
    let word = &source[name.byte_range()];
    let mut inner = name;
    for scope in std::iter::successors(name.parent(), Node::parent) {
        let is_inside = whole.start_byte() <= scope.start_byte() && scope.end_byte() <= whole.end_byte();
        let found = match scope.kind() {
            "program" => return Binding::Outside,
            "statement_block" | "switch_case" => declared(scope, word, source),
            "for_statement" | "for_in_statement" | "catch_clause" => {
                let head = ["left", "initializer", "parameter"].iter().filter_map(|it| scope.child_by_field_name(it));
                head.filter(|node| *node != inner).any(|node| mentions(node, word, source)).then_some(Binding::Other)
            }
            _ => {
                let parameters = ["parameters", "parameter"].iter().filter_map(|it| scope.child_by_field_name(it));
                let mut parameters = parameters.filter(|node| *node != inner);
                parameters.any(|node| mentions(node, word, source)).then_some(Binding::Other)
            }
        };
        match found {
            Some(_) if is_inside => return Binding::Outside,
            Some(binding) => return binding,
            None => inner = scope,
        }
    }
    Binding::Outside
}

/// The declaration of a name directly in a block.
fn declared<'tree>(block: Node<'tree>, word: &str, source: &str) -> Option<Binding<'tree>> {
    let mut cursor = block.walk();
    let statements: Vec<Node> = block.named_children(&mut cursor).collect();
    for statement in statements {
        let is_constant = statement.kind() == "lexical_declaration"
            && statement.child_by_field_name("kind").is_some_and(|kind| kind.kind() == "const");
        match statement.kind() {
            "lexical_declaration" | "variable_declaration" => {
                let mut cursor = statement.walk();
                for declarator in statement.named_children(&mut cursor) {
                    let Some(target) = declarator.child_by_field_name("name") else { continue };
                    let value = declarator.child_by_field_name("value").filter(|_| is_constant);
                    match value.filter(|_| target.kind() == "identifier" && &source[target.byte_range()] == word) {
                        Some(value) => return Some(Binding::Constant(value)),
                        None if mentions(target, word, source) => return Some(Binding::Other),
                        None => {}
                    }
                }
            }
            "function_declaration" | "class_declaration" | "generator_function_declaration" => {
                let own = statement.child_by_field_name("name");
                if own.is_some_and(|own| &source[own.byte_range()] == word) {
                    return Some(Binding::Other);
                }
            }
            _ => {}
        }
    }
    None
}

fn mentions(node: Node, word: &str, source: &str) -> bool {
    let is_name = matches!(node.kind(), "identifier" | "shorthand_property_identifier_pattern");
    (is_name && &source[node.byte_range()] == word)
        || node.named_children(&mut node.walk()).any(|child| mentions(child, word, source))
}

/// Text in one line, if its line breaks mean nothing.
fn one_line(text: &str) -> Option<String> {
    let means_something = text.contains(['`', '\\']) || text.contains("//") || text.contains("/*");
    if text.contains('\n') && means_something {
        return None;
    }
    Some(text.lines().map(str::trim).collect::<Vec<_>>().join(" "))
}

/// A test file without everything that does something: what its calls need to be evaluated alone.
pub(super) fn names_only(source: &str) -> String {
    let tree = parse(source);
    let root = tree.root_node();
    let mut cursor = root.walk();
    let kept = root.named_children(&mut cursor).filter(|node| {
        let kind = node.kind();
        let text = &source[node.byte_range()];
        let of_runner = || RUNNERS.iter().any(|name| text.contains(name));
        kind.ends_with("_declaration") || kind == "import_alias" || kind == "import_statement" && !of_runner()
    });
    kept.map(|node| format!("{}\n", &source[node.byte_range()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The subject at the `^` of the second text, below the first line of which it stands.
    fn subject(body: &str, marker: &str) -> Option<String> {
        let source = format!("import test from 'node:test';\ntest('t', async t => {{\n{body}\n}});\n");
        let at_byte = source.find(marker).expect("the marker is there");
        let line = source[..at_byte].matches('\n').count() + 1;
        let column = at_byte - source[..at_byte].rfind('\n').expect("not in the first line") + 1 - 1;
        at(&source, line, column)
    }

    #[test]
    fn an_assertion_is_about_its_first_argument() {
        assert_eq!(subject("assert.equal(add(1, 2), 3);", "equal").as_deref(), Some("add(1, 2)"));
        assert_eq!(subject("assert(add(1) === 2);", "assert(").as_deref(), Some("add(1) === 2"));
        assert_eq!(subject("assert.equal(1, 2);", "equal"), None);
    }

    #[test]
    fn an_expectation_is_about_what_is_expected_of() {
        let body = "expect(add(1, 2)).toBe(3);\nawait expect(later(1)).resolves.toEqual(2);";
        assert_eq!(subject(body, "toBe").as_deref(), Some("add(1, 2)"));
        assert_eq!(subject(body, "toEqual").as_deref(), Some("later(1)"));
    }

    #[test]
    fn constants_of_the_test_are_written_out() {
        let body =
            "const a = 1;\nconst list = [a, 2];\nconst result = await add(list, {a});\nassert.deepEqual(result, 3);";
        assert_eq!(subject(body, "deepEqual").as_deref(), Some("(await add([1, 2], {a: 1}))"));
        let inside = "assert.equal(list(1).map(x => x + 1).length, 2);";
        assert_eq!(subject(inside, "equal").as_deref(), Some("list(1).map(x => x + 1).length"));
    }

    #[test]
    fn names_that_change_have_no_source() {
        assert_eq!(subject("let a = 1;\na++;\nassert.equal(add(a), 3);", "equal"), None);
        assert_eq!(subject("for (const x of [1]) {\n  assert.equal(add(x), 3);\n}", "equal"), None);
        assert_eq!(subject("assert.equal(add(t), 3);", "equal"), None);
    }

    #[test]
    fn something_raised_is_about_the_call_at_that_place() {
        assert_eq!(subject("const x = make(1).run('é', 2);", "run").as_deref(), Some("make(1).run('é', 2)"));
        assert_eq!(subject("await add(3);", "await").as_deref(), Some("add(3)"));
    }

    #[test]
    fn only_declarations_are_left_of_a_test_file() {
        let source = "import a from 'a';\nconst b = require('b');\nfunction c() {}\ntest('x', () => {});\nbeforeEach(() => {});\n";
        assert_eq!(names_only(source), "import a from 'a';\nconst b = require('b');\nfunction c() {}\n");
    }
}
