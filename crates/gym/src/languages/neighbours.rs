//! Literals beside a literal: a little larger, smaller, empty, turned round; and calls with one literal exchanged.

use tree_sitter::Node;

use super::nodes::visit;

/// The source with one node exchanged for one of what `others` has beside it, in order of position, each once.
pub(super) fn exchanged(root: Node, source: &str, others: &dyn Fn(Node, &str) -> Vec<String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    visit(root, &mut |node| {
        for other in others(node, &source[node.byte_range()]) {
            let text = format!("{}{other}{}", &source[..node.start_byte()], &source[node.end_byte()..]);
            if text != source && !found.contains(&text) {
                found.push(text);
            }
        }
    });
    found
}

/// Calls with the last argument of each other one: tests hand in pairs that belong together, and mistakes show where they do not. Each call comes with the
/// bytes of its arguments.
pub(super) fn crossed(calls: &[(String, Vec<std::ops::Range<usize>>)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (call, own) in calls {
        for (other, theirs) in calls.iter().filter(|(_, theirs)| theirs.len() == own.len() && own.len() > 1) {
            let (Some(place), Some(taken)) = (own.last(), theirs.last()) else { continue };
            let text = format!("{}{}{}", &call[..place.start], &other[taken.clone()], &call[place.end..]);
            if !found.contains(&text) && !calls.iter().any(|(known, _)| *known == text) {
                found.push(text);
            }
        }
    }
    found
}

/// Numbers beside a number without a sign; `signed` when one stands before it.
pub(super) fn integers(number: i64, signed: bool) -> Vec<i64> {
    // `--3` is a number, too, but nobody writes it.
    let below = if number > 0 || !signed { number.saturating_sub(1) } else { 0 };
    vec![number.saturating_add(1), below]
}

/// Texts beside a text in quotes. Those with escapes have none.
pub(super) fn texts(text: &str) -> Vec<String> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let inner = quote.and_then(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    let Some((quote, inner)) = quote.zip(inner).filter(|(_, inner)| !inner.contains(['\\', '\n', '\'', '"'])) else {
        return Vec::new();
    };
    let turned: String = inner.chars().rev().collect();
    let shorter: String = inner.chars().skip(1).collect();
    let swapped: String =
        inner.chars().map(|c| if c.is_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() }).collect();
    [String::new(), shorter, turned, swapped, inner.repeat(2)].map(|inner| format!("{quote}{inner}{quote}")).to_vec()
}

/// Lists beside a list, of which `text` is the source.
pub(super) fn rows(list: Node, text: &str) -> Vec<String> {
    let mut cursor = list.walk();
    let parts = list.named_children(&mut cursor);
    let elements: Vec<&str> =
        parts.map(|part| &text[part.start_byte() - list.start_byte()..part.end_byte() - list.start_byte()]).collect();
    let row = |elements: Vec<&str>| format!("[{}]", elements.join(", "));
    match elements.len() {
        0 => Vec::new(),
        count => vec![
            "[]".into(),
            row(elements[..count - 1].to_vec()),
            row(elements.iter().rev().copied().collect()),
            row(elements.repeat(2)),
        ],
    }
}
