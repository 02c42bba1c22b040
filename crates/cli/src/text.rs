//! Text from elsewhere, made safe and short enough for a terminal.

/// Makes control characters visible, so that text from a model or a command cannot drive the reader's terminal.
pub(crate) fn sanitized(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => clean.push('\n'),
            '\t' => clean.push_str("    "),
            _ if character.is_control() || is_direction_mark(character) => clean.extend(character.escape_unicode()),
            _ => clean.push(character),
        }
    }
    clean
}

/// The first `lines` lines, and how many more there are.
pub(crate) fn head(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    if all.len() <= lines {
        return all.join("\n");
    }
    format!("{}\n[{} more lines]", all[..lines].join("\n"), all.len() - lines)
}

/// One line of at most `width` characters.
pub(crate) fn line(text: &str, width: usize) -> String {
    let clean = sanitized(text).replace('\n', " ");
    match clean.chars().count() > width {
        true => clean.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => clean,
    }
}

/// Puts `prefix` before each line.
pub(crate) fn indented(text: &str, prefix: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("{prefix}{line}").trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Characters that reorder what follows them.
fn is_direction_mark(character: char) -> bool {
    matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_become_visible() {
        assert_eq!(sanitized("a\x1b[2Jb\r\n\tc"), "a\\u{1b}[2Jb\\u{d}\n    c");
        assert_eq!(sanitized("x\u{202e}y"), "x\\u{202e}y");
    }

    #[test]
    fn a_line_is_cut_at_its_width() {
        assert_eq!(line("ab\ncd", 5), "ab cd");
        assert_eq!(line("abcdef", 5), "abcd…");
    }

    #[test]
    fn long_text_says_how_much_is_missing() {
        assert_eq!(head("a\nb\nc\n", 3), "a\nb\nc");
        assert_eq!(head("a\nb\nc\nd", 2), "a\nb\n[2 more lines]");
    }
}
