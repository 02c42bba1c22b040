//! Documentation comments of a file: their lines, and what they are of.

use std::ops::Range;

use tree_sitter::Node;

use super::super::syntax;

/// Documentation of one item, or the comments of a file that are none.
pub(super) struct Comment {
    /// The names around the item and its own, joined by `.`; `None` for comments that are no documentation.
    pub(super) item: Option<String>,
    pub(super) lines: Vec<Line>,
}

/// One line of a comment.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// First byte that is no white space.
    pub(super) start: usize,
    /// What stands behind the mark that makes it a comment.
    pub(super) text: Range<usize>,
}

/// The documentation of a file in order, and at last its other comments.
pub(super) fn comments(source: &str) -> Vec<Comment> {
    let tree = syntax::parse(source);
    let mut reader = Reader { source, path: Vec::new(), found: Vec::new(), others: Vec::new() };
    reader.read(tree.root_node());
    let Reader { mut found, others, .. } = reader;
    found.push(Comment { item: None, lines: others });
    found
}

struct Reader<'a> {
    source: &'a str,
    path: Vec<String>,
    found: Vec<Comment>,
    others: Vec<Line>,
}

impl Reader<'_> {
    /// Reads what stands in a file, a module, a block of methods or fields.
    fn read(&mut self, node: Node<'_>) {
        let (mut inner, mut outer) = (Vec::new(), Vec::new());
        let at = self.found.len();
        for child in node.named_children(&mut node.walk()) {
            let text = &self.source[child.byte_range()];
            match child.kind() {
                "attribute_item" | "inner_attribute_item" | "visibility_modifier" => {}
                "line_comment" | "block_comment" => match kind(text) {
                    Kind::Inner => inner.extend(lines(child, self.source)),
                    Kind::Outer => outer.extend(lines(child, self.source)),
                    Kind::Other => self.others.extend(lines(child, self.source)),
                },
                _ => {
                    // What is compiled for tests only is not there for those who use a crate.
                    let is_aside = syntax::is_test_item(child, self.source);
                    let name = self.name(child);
                    let lines = std::mem::take(&mut outer);
                    if is_aside {
                        continue;
                    }
                    if !lines.is_empty() {
                        self.add(name.as_deref().unwrap_or(child.kind()), lines);
                    }
                    if let Some(body) = child.child_by_field_name("body").filter(|_| child.kind() != "function_item") {
                        let inside = if child.kind() == "impl_item" { self.owner(child) } else { name };
                        self.path.push(inside.unwrap_or_default());
                        self.read(body);
                        self.path.pop();
                    }
                }
            }
        }
        if !inner.is_empty() {
            let item = if self.path.is_empty() { "self".to_owned() } else { self.path.join(".") };
            self.found.insert(at, Comment { item: Some(item), lines: inner });
        }
    }

    fn add(&mut self, name: &str, lines: Vec<Line>) {
        let item = self.path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        self.found.push(Comment { item: Some(item), lines });
    }

    fn name(&self, item: Node<'_>) -> Option<String> {
        match item.kind() {
            "impl_item" => Some(format!("impl {}", self.owner(item)?)),
            "use_declaration" => Some("use".to_owned()),
            _ => Some(self.source[item.child_by_field_name("name")?.byte_range()].to_owned()),
        }
    }

    fn owner(&self, block: Node<'_>) -> Option<String> {
        // Whatever else stands in a type would not be a plain name of a test.
        let text = syntax::owner(block, self.source)?;
        Some(text.chars().filter(|letter| letter.is_alphanumeric() || *letter == '_').collect())
    }
}

enum Kind {
    Inner,
    Outer,
    Other,
}

fn kind(comment: &str) -> Kind {
    let is_rule = comment.starts_with("////") || comment.starts_with("/***") || comment.starts_with("/**/");
    match comment {
        _ if comment.starts_with("//!") || comment.starts_with("/*!") => Kind::Inner,
        _ if !is_rule && (comment.starts_with("///") || comment.starts_with("/**")) => Kind::Outer,
        _ => Kind::Other,
    }
}

fn lines(comment: Node<'_>, source: &str) -> Vec<Line> {
    let whole = comment.byte_range();
    let text = source[whole.clone()].trim_end();
    if comment.kind() == "line_comment" {
        let mark = if text.starts_with("///") || text.starts_with("//!") { 3 } else { 2 };
        return vec![Line { start: whole.start, text: whole.start + mark..whole.start + text.len() }];
    }
    let mut at = whole.start;
    let mut found = Vec::new();
    for line in text.trim_end_matches("*/").split_inclusive('\n') {
        let (end, blank) = (at + line.trim_end().len(), line.len() - line.trim_start().len());
        found.push(Line { start: (at + blank).min(end), text: at..end });
        at += line.len();
    }
    if let Some(first) = found.first_mut() {
        first.text.start = (first.text.start + 3).min(first.text.end);
    }
    let rest = found.get_mut(1..).unwrap_or_default();
    let has_gutter = |line: &Line| line.start >= line.text.end || source[line.start..].starts_with('*');
    if rest.iter().all(has_gutter) {
        rest.iter_mut().for_each(|line| line.text.start = (line.start + 1).min(line.text.end));
    }
    found
}
