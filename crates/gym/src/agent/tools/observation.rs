//! Shortens output to what an observation may hold.

/// Adds a line end unless the text is empty or has one.
pub(super) fn end_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// Keeps head and tail of `text` in at most `limit` bytes plus one line that says how many bytes are missing, of which
/// `dropped` were never captured.
pub(crate) fn shorten(text: &str, dropped: u64, limit: usize) -> String {
    if text.len() <= limit && dropped == 0 {
        return text.to_owned();
    }
    let (head, tail) = match text.len() <= limit {
        true => (text, ""),
        false => (head(text, limit / 2), tail(text, limit / 2)),
    };
    let missing = dropped + (text.len() - head.len() - tail.len()) as u64;
    let mut short = head.to_owned();
    end_line(&mut short);
    format!("{short}[{missing} bytes left out]\n{tail}")
}

/// The longest beginning of whole characters within `bytes`.
fn head(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// The longest end of whole characters within `bytes`.
fn tail(text: &str, bytes: usize) -> &str {
    let start = (text.len() - bytes..=text.len()).find(|start| text.is_char_boundary(*start));
    &text[start.unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_stays_as_it_is() {
        assert_eq!(shorten("abc", 0, 3), "abc");
    }

    #[test]
    fn long_text_keeps_head_and_tail() {
        assert_eq!(shorten("0123456789", 0, 4), "01\n[6 bytes left out]\n89");
        assert_eq!(shorten("0123456789", 90, 4), "01\n[96 bytes left out]\n89");
    }

    #[test]
    fn characters_are_not_cut() {
        assert_eq!(shorten("ééé", 0, 3), "[6 bytes left out]\n");
        assert_eq!(shorten("ééé", 0, 4), "é\n[2 bytes left out]\né");
    }

    #[test]
    fn bytes_that_were_never_captured_are_counted() {
        assert_eq!(shorten("abc\n", 10, 100), "abc\n[10 bytes left out]\n");
    }
}
