//! What a change looks like to somebody who does not read it: lengths and counts of its unified diff.
//!
//! Whoever could tell right changes from wrong ones by these numbers would not have to review them.

/// How many numbers describe a change.
pub const COUNT: usize = 23;

/// Counts something in a line, and how much of it weighs as much as one line.
type Kind = (fn(&str) -> usize, f64);

/// What is counted on either side.
const KINDS: [Kind; 10] = [
    (|_| 1, 1.0),
    (|line| line.len(), 20.0),
    (|line| tokens(line).count(), 4.0),
    (|line| tokens(line).filter(|token| token.starts_with(|c: char| c.is_ascii_digit())).count(), 1.0),
    (|line| tokens(line).filter(|token| KEYWORDS.contains(token)).count(), 1.0),
    (|line| tokens(line).filter(|token| is_name(token)).count(), 2.0),
    (|line| line.matches(['<', '>', '=', '!']).count(), 1.0),
    (|line| line.matches(['+', '-', '*', '/', '%']).count(), 1.0),
    (|line| line.matches(['(', '[', '{']).count(), 2.0),
    (|line| line.len() - line.trim_start().len(), 8.0),
];

const KEYWORDS: [&str; 22] = [
    "and", "or", "not", "is", "in", "if", "elif", "else", "for", "while", "return", "yield", "raise", "break",
    "continue", "pass", "try", "except", "lambda", "None", "True", "False",
];

/// Describes the unified diff that `text` holds, whatever stands before it; nothing but zeros when there is none.
pub fn of(text: &str) -> [f64; COUNT] {
    let mut numbers = [0.0; COUNT];
    let diff = lines_of_diff(text);
    for line in &diff {
        let side = match line.chars().next() {
            Some('+') => 0,
            Some('-') => KINDS.len(),
            _ => continue,
        };
        for (at, (count, _)) in KINDS.iter().enumerate() {
            numbers[side + at] += count(&line[1..]) as f64;
        }
    }
    let hunks: Vec<&&str> = diff.iter().filter(|line| line.starts_with("@@")).collect();
    numbers[COUNT - 3] = hunks.len() as f64;
    numbers[COUNT - 2] = diff.len() as f64;
    numbers[COUNT - 1] = hunks.first().map_or(0.0, |line| first_line(line));
    numbers
}

/// How unlike two changes look; about one for each line that only one of them has. Where they are does not matter.
pub fn distance(one: &[f64; COUNT], other: &[f64; COUNT]) -> f64 {
    let scales = KINDS.iter().chain(&KINDS).map(|(_, scale)| *scale).chain([1.0, 1.0]);
    one.iter().zip(other).zip(scales).map(|((one, other), scale)| (one - other).abs() / scale).sum()
}

/// The lines below the two that name the file.
fn lines_of_diff(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let head = lines.windows(2).position(|pair| pair[0].starts_with("--- ") && pair[1].starts_with("+++ "));
    head.map_or_else(Vec::new, |at| lines[at + 2..].to_vec())
}

/// Words, and every other visible character by itself.
fn tokens(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let end = if is_word(first) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (token, tail) = rest.split_at(end);
        rest = tail;
        Some(token)
    })
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_') && !KEYWORDS.contains(&token)
}

/// `12` of `@@ -12,5 +12,6 @@`.
fn first_line(hunk: &str) -> f64 {
    let digits: String = hunk.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "Issue: - it is off\n--- a.py\n+++ a.py\n@@ -3,2 +3,2 @@\n def f(x):\n-    return x + 1\n+    if x < 10:\n+        return None\n";

    #[test]
    fn only_lines_of_the_diff_count() {
        let numbers = of(DIFF);
        let added = [2.0, 33.0, 7.0, 1.0, 3.0, 1.0, 1.0, 0.0, 0.0, 12.0];
        let removed = [1.0, 16.0, 4.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 4.0];
        assert_eq!(numbers[..10], added);
        assert_eq!(numbers[10..20], removed);
        assert_eq!(numbers[20..], [1.0, 5.0, 3.0]);
        assert_eq!(of("+ no diff\n- at all\n"), [0.0; COUNT]);
    }

    #[test]
    fn changes_that_look_alike_are_near_each_other_wherever_they_are() {
        let elsewhere = of(&DIFF.replace("@@ -3,2 +3,2 @@", "@@ -90,2 +90,2 @@").replace("x < 10", "y > 22"));
        assert_eq!(distance(&of(DIFF), &elsewhere), 0.0);
        assert!(distance(&of(DIFF), &of(&DIFF.replace("+        return None\n", ""))) > 1.0);
    }
}
