//! Rust syntax as byte ranges: functions of a file, its tests, its modules, and the file without some of its tests.

use std::collections::BTreeSet;
use std::ops::Range;

use tree_sitter::{Node, Parser, Tree};

use crate::languages::FunctionSpan;
use crate::record::TestId;

/// One test function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TestFunction {
    /// Inline modules around it and its name, joined by `::`.
    pub(super) path: String,
    /// Bytes with attributes and comments, whole lines.
    pub(super) whole: Range<usize>,
    /// Just behind the brace that opens its body.
    pub(super) body: usize,
    /// Whether the suite leaves it out.
    pub(super) ignored: bool,
}

pub(super) fn parse(source: &str) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_rust::LANGUAGE.into()).expect("the grammar fits the parser's version");
    parser.parse(source, None).expect("parsing is never cancelled")
}

/// All functions of a file in order of their first byte.
pub(super) fn functions(source: &str) -> Vec<FunctionSpan> {
    let tree = parse(source);
    let mut spans = Vec::new();
    collect_functions(tree.root_node(), None, source, &mut spans);
    spans
}

fn collect_functions(node: Node, class: Option<&str>, source: &str, spans: &mut Vec<FunctionSpan>) {
    for child in node.children(&mut node.walk()) {
        match child.kind() {
            "function_item" => {
                let first = head(child);
                spans.push(FunctionSpan {
                    name: name(child, source).unwrap_or_default().to_owned(),
                    class: class.map(str::to_owned),
                    start: first.start_byte(),
                    end: child.end_byte(),
                    line_start: first.start_position().row + 1,
                    line_end: child.end_position().row + 1,
                    docstring: None,
                });
                collect_functions(child, None, source, spans);
            }
            "impl_item" | "trait_item" => collect_functions(child, owner(child, source), source, spans),
            _ => collect_functions(child, class, source, spans),
        }
    }
}

/// The type or trait that the functions of a block belong to, without its parameters.
pub(super) fn owner<'a>(block: Node, source: &'a str) -> Option<&'a str> {
    let named = block.child_by_field_name("type").or_else(|| block.child_by_field_name("name"))?;
    let plain = named.child_by_field_name("type").unwrap_or(named);
    Some(&source[plain.byte_range()])
}

/// The first attribute of an item, or the item.
fn head(item: Node) -> Node {
    let above = std::iter::successors(item.prev_sibling(), Node::prev_sibling);
    above.take_while(|node| node.kind() == "attribute_item").last().unwrap_or(item)
}

fn attributes<'a>(item: Node, source: &'a str) -> Vec<&'a str> {
    let above = std::iter::successors(item.prev_sibling(), Node::prev_sibling);
    let own = above.take_while(|node| matches!(node.kind(), "attribute_item" | "line_comment" | "block_comment"));
    own.filter(|node| node.kind() == "attribute_item").map(|node| &source[node.byte_range()]).collect()
}

/// The path of an attribute: `tokio::test` of `#[tokio::test(flavor = "x")]`.
fn attribute_path(attribute: &str) -> &str {
    let inner = attribute.trim_start_matches("#[").trim_end_matches(']');
    inner.split(['(', '=', ' ']).next().unwrap_or_default()
}

pub(super) fn name<'a>(item: Node, source: &'a str) -> Option<&'a str> {
    item.child_by_field_name("name").map(|name| &source[name.byte_range()])
}

/// The test functions of a file in order. Those that macros write are not seen.
pub(super) fn tests(source: &str) -> Vec<TestFunction> {
    let tree = parse(source);
    let mut found = Vec::new();
    collect_tests(tree.root_node(), &mut Vec::new(), source, &mut found);
    found
}

fn collect_tests<'a>(node: Node, modules: &mut Vec<&'a str>, source: &'a str, found: &mut Vec<TestFunction>) {
    for child in node.children(&mut node.walk()) {
        match child.kind() {
            "function_item" => found.extend(test_function(child, modules, source)),
            "mod_item" => {
                let (Some(own), Some(body)) = (name(child, source), child.child_by_field_name("body")) else {
                    continue;
                };
                modules.push(own);
                collect_tests(body, modules, source, found);
                modules.pop();
            }
            _ => {}
        }
    }
}

fn test_function(item: Node, modules: &[&str], source: &str) -> Option<TestFunction> {
    let attributes = attributes(item, source);
    let is = |wanted: &str| attributes.iter().any(|text| attribute_path(text).rsplit("::").next() == Some(wanted));
    let body = item.child_by_field_name("body")?;
    let path = modules.iter().copied().chain(name(item, source)).collect::<Vec<_>>().join("::");
    let whole = head(item).start_byte()..item.end_byte();
    is("test").then(|| TestFunction {
        path,
        whole: whole_lines(whole, source),
        body: body.start_byte() + 1,
        ignored: is("ignore"),
    })
}

fn whole_lines(range: Range<usize>, source: &str) -> Range<usize> {
    let start = source[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let end = source[range.end..].find('\n').map_or(source.len(), |at| range.end + at + 1);
    start..end
}

/// The file without the given tests. Everything else stays, also a module that has no test any more.
pub(super) fn remove_tests(source: &str, ids: &[TestId]) -> String {
    let unwanted: BTreeSet<&str> = ids.iter().filter_map(|id| id.split_once("::")).map(|(_, path)| path).collect();
    let mut text = source.to_owned();
    for test in tests(source).into_iter().rev().filter(|test| unwanted.contains(test.path.as_str())) {
        text.replace_range(test.whole, "");
    }
    text
}

/// Modules of a file that are in files of their own: inline modules around each, and its name.
pub(super) fn outer_modules(source: &str) -> Vec<(Vec<String>, String)> {
    let tree = parse(source);
    let mut found = Vec::new();
    collect_modules(tree.root_node(), &mut Vec::new(), source, &mut found);
    found
}

fn collect_modules(node: Node, inline: &mut Vec<String>, source: &str, found: &mut Vec<(Vec<String>, String)>) {
    for child in node.children(&mut node.walk()).filter(|child| child.kind() == "mod_item") {
        let Some(own) = name(child, source) else { continue };
        match child.child_by_field_name("body") {
            Some(body) => {
                inline.push(own.to_owned());
                collect_modules(body, inline, source, found);
                inline.pop();
            }
            // A module elsewhere cannot be found by its name.
            None if attributes(child, source).iter().any(|text| attribute_path(text) == "path") => {}
            None => found.push((inline.clone(), own.to_owned())),
        }
    }
}

/// Byte ranges of what stands at the top of a file for tests only: modules and other items that are compiled for tests, and test
/// functions; whole lines, with attributes.
pub(super) fn test_items(source: &str) -> Vec<Range<usize>> {
    let tree = parse(source);
    let root = tree.root_node();
    let mut cursor = root.walk();
    let items = root.named_children(&mut cursor).filter(|child| is_item(*child));
    let tests = items.filter(|item| is_test_item(*item, source));
    tests.map(|item| whole_lines(head(item).start_byte()..item.end_byte(), source)).collect()
}

/// Whether an item is compiled for tests only.
pub(super) fn is_test_item(item: Node, source: &str) -> bool {
    attributes(item, source).iter().any(|text| is_for_tests(text))
}

/// The body of `main` at the top of a program.
pub(super) fn main_body<'tree>(root: Node<'tree>, source: &str) -> Option<Node<'tree>> {
    let mut cursor = root.walk();
    let is_main = |child: &Node| child.kind() == "function_item" && name(*child, source) == Some("main");
    root.children(&mut cursor).find(is_main)?.child_by_field_name("body")
}

fn is_item(node: Node) -> bool {
    !matches!(node.kind(), "attribute_item" | "inner_attribute_item" | "line_comment" | "block_comment")
}

/// `#[cfg(test)]`, `#[cfg(all(test, …))]`, `#[test]`, `#[tokio::test]`.
fn is_for_tests(attribute: &str) -> bool {
    let compact = attribute.replace(' ', "");
    let is_condition = compact == "#[cfg(test)]" || compact.starts_with("#[cfg(all(test,");
    is_condition || attribute_path(attribute).rsplit("::").next() == Some("test")
}

/// A file with what another version of it has for tests only in the place of its own: where its own stands if there is as much of it, else at
/// the end.
pub(super) fn with_tests_of(submitted: &str, original: &str) -> String {
    let (own, others) = (test_items(submitted), test_items(original));
    let mut text = submitted.to_owned();
    if own.len() == others.len() {
        for (range, other) in own.into_iter().zip(others).rev() {
            text.replace_range(range, &original[other]);
        }
        return text;
    }
    own.into_iter().rev().for_each(|range| text.replace_range(range, ""));
    for range in others {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&original[range]);
    }
    text
}

/// What stands in an inline module at the top of a file.
pub(super) fn module_body<'a>(source: &'a str, module: &str) -> Option<&'a str> {
    let tree = parse(source);
    let root = tree.root_node();
    let mut cursor = root.walk();
    let is_it = |child: &Node| child.kind() == "mod_item" && name(*child, source) == Some(module);
    let body = root.children(&mut cursor).find(is_it)?.child_by_field_name("body")?;
    Some(&source[body.start_byte() + 1..body.end_byte() - 1])
}

/// Where a further item of an inline module can be put, or of the file when the module is empty.
pub(super) fn end_of_module(source: &str, module: &str) -> Option<usize> {
    let tree = parse(source);
    let mut node = tree.root_node();
    for wanted in module.split("::").filter(|part| !part.is_empty()) {
        let mut cursor = node.walk();
        let found =
            node.children(&mut cursor).find(|child| child.kind() == "mod_item" && name(*child, source) == Some(wanted));
        node = found?.child_by_field_name("body")?;
    }
    // Before the brace that closes it.
    Some(if module.is_empty() { source.len() } else { node.end_byte() - 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
pub struct A<T>(T);

impl<T> A<T> {
    #[inline]
    pub fn get(&self) -> u8 { 'ä' as u8 }
}

mod far;

#[cfg(test)]
mod tests {
    use super::*;
    mod deep;

    #[test]
    fn one() { assert!(true) }

    /// Text.
    #[test]
    #[ignore = \"slow\"]
    fn two() {
        assert!(true);
    }

    #[tokio::test]
    async fn three() {}

    fn help() {}
}
";

    #[test]
    fn functions_know_their_type_and_their_attributes() {
        let spans = functions(FILE);
        let names: Vec<_> = spans.iter().map(FunctionSpan::qualified).collect();
        assert_eq!(names, ["A.get", "one", "two", "three", "help"]);
        assert_eq!((spans[0].line_start, spans[0].line_end), (4, 5));
    }

    #[test]
    fn tests_are_functions_whose_attribute_ends_in_test() {
        let found = tests(FILE);
        let seen: Vec<_> = found.iter().map(|test| (test.path.as_str(), test.ignored)).collect();
        assert_eq!(seen, [("tests::one", false), ("tests::two", true), ("tests::three", false)]);
        assert!(FILE[found[0].body..].starts_with(" assert!(true) }"));
    }

    #[test]
    fn removed_tests_take_their_attributes_and_nothing_else() {
        let left = remove_tests(FILE, &["src/lib.rs::tests::one".to_owned(), "src/lib.rs::tests::three".to_owned()]);
        assert!(
            !left.contains("fn one") && !left.contains("tokio") && left.contains("fn two") && left.contains("fn help")
        );
        assert!(!parse(&left).root_node().has_error());
    }

    #[test]
    fn modules_in_files_of_their_own_are_found_with_those_around_them() {
        assert_eq!(outer_modules(FILE), [(vec![], "far".to_owned()), (vec!["tests".to_owned()], "deep".to_owned())]);
    }

    #[test]
    fn the_tests_of_a_submission_are_those_of_the_original() {
        let submitted = FILE.replace("assert!(true)", "").replace("'ä'", "'b'");
        let text = with_tests_of(&submitted, FILE);
        assert_eq!(text, FILE.replace("'ä'", "'b'"));
        assert_eq!(with_tests_of("fn f() {}", FILE).matches("mod tests").count(), 1);
    }

    #[test]
    fn what_is_for_tests_only_is_found_at_the_top_of_a_file() {
        let source = "use a::b;\n#[cfg(test)]\nuse c::d;\n\n#[cfg(all(test, feature = \"x\"))]\nmod far;\n\n#[test]\nfn one() {}\n\nfn two() {}\n";
        let found: Vec<&str> = test_items(source).into_iter().map(|range| &source[range]).collect();
        let expected =
            ["#[cfg(test)]\nuse c::d;\n", "#[cfg(all(test, feature = \"x\"))]\nmod far;\n", "#[test]\nfn one() {}\n"];
        assert_eq!(found, expected);
        let other = source.replace("fn one() {}", "fn one() { two() }");
        assert_eq!(with_tests_of(source, &other), other, "they stay where they are");
    }
}
