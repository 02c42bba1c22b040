//! Edit instructions: the inverse of a mutation in words, by templates and without a language model.

use rand::{Rng, RngExt};

/// The smallest whole-line region in which two texts differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineDiff {
    /// Lines of the first text, without line ends.
    pub before: Vec<String>,
    /// Lines of the second text that stand there instead.
    pub after: Vec<String>,
    /// Number of lines that both texts share at their beginning.
    pub shared_head: usize,
}

/// Compares two texts line by line from both ends.
pub fn line_diff(before: &str, after: &str) -> LineDiff {
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let room = a.len().min(b.len()) - head;
    let tail = a.iter().rev().zip(b.iter().rev()).take(room).take_while(|(x, y)| x == y).count();
    let own = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    LineDiff { before: own(&a[head..a.len() - tail]), after: own(&b[head..b.len() - tail]), shared_head: head }
}

/// The smallest run of whole words or operators in which two lines differ, grown until it occurs once in `before`.
pub fn word_diff(before: &str, after: &str) -> Option<(String, String)> {
    word_diff_within(before, before, after)
}

/// As [`word_diff`], grown until it occurs once in `text`, which has the line `before`.
pub fn word_diff_within(text: &str, before: &str, after: &str) -> Option<(String, String)> {
    let (a, b) = (words(before), words(after));
    let mut head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let room = a.len().min(b.len()) - head;
    let mut tail = a.iter().rev().zip(b.iter().rev()).take(room).take_while(|(x, y)| x == y).count();
    loop {
        let (old, new) = (a[head..a.len() - tail].concat(), b[head..b.len() - tail].concat());
        let (old, new) = (old.trim(), new.trim());
        if !old.is_empty() && !new.is_empty() && text.matches(old).count() == 1 {
            return Some((old.to_owned(), new.to_owned()));
        }
        if tail > 0 {
            tail -= 1;
        } else if head > 0 {
            head -= 1;
        } else {
            return None;
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    let class = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 0,
        c if c.is_whitespace() => 1,
        '(' | ')' | '[' | ']' | '{' | '}' | ',' | ':' | '\'' | '"' | '.' => 3,
        _ => 2,
    };
    let mut words = Vec::new();
    let mut start = 0;
    let mut previous = None;
    for (at, c) in line.char_indices() {
        if previous.is_some_and(|p| p != class(c) || p == 3) {
            words.push(&line[start..at]);
            start = at;
        }
        previous = Some(class(c));
    }
    words.push(&line[start..]);
    words
}

const REPLACE: &[&str] = &[
    "In `{function}`, the line `{line}` must use `{new}` instead of `{old}`.",
    "In `{function}`, replace `{old}` by `{new}` in the line `{line}`.",
    "Change `{old}` to `{new}` in the line `{line}` of `{function}`.",
    "The line `{line}` of `{function}` is wrong: it needs `{new}` where `{old}` stands.",
];

/// Says in words how to get from `buggy` to `fixed`, or nothing when the change is too large for a sentence.
pub fn write(function: &str, buggy: &str, fixed: &str, rng: &mut impl Rng) -> Option<String> {
    let diff = line_diff(buggy, fixed);
    let join = |lines: &[String]| lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("` then `");
    match (diff.before.as_slice(), diff.after.as_slice()) {
        ([], added) if added.len() <= 3 => {
            let anchor = buggy.lines().nth(diff.shared_head.checked_sub(1)?)?.trim();
            (!anchor.is_empty())
                .then(|| format!("In `{function}`, after the line `{anchor}`, insert `{}`.", join(added)))
        }
        (removed, []) if removed.len() <= 3 => Some(format!("In `{function}`, delete the line `{}`.", join(removed))),
        ([before], [after]) if leading_space(before) == leading_space(after) => {
            let (old, new) = word_diff(before.trim(), after.trim())?;
            let template = REPLACE[rng.random_range(0..REPLACE.len())];
            let text = template.replace("{function}", function).replace("{line}", before.trim());
            Some(text.replace("{old}", &old).replace("{new}", &new))
        }
        (before, after) if before.len() <= 3 && after.len() <= 3 => {
            Some(format!("In `{function}`, where `{}` stands, write `{}`.", join(before), join(after)))
        }
        _ => None,
    }
}

fn leading_space(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_difference_is_whole_words_and_unique_in_the_line() {
        let check = |a: &str, b: &str| word_diff(a, b).unwrap();
        assert_eq!(check("if value <= low:", "if value < low:"), ("<=".into(), "<".into()));
        assert_eq!(check("total = total + 10", "total = total + 11"), ("10".into(), "11".into()));
        assert_eq!(check("return a + b + c", "return a + b - c"), ("+ c".into(), "- c".into()));
        assert_eq!(check("return not ready", "return ready"), ("not ready".into(), "ready".into()));
    }

    #[test]
    fn instructions_name_the_function_and_cover_replacing_inserting_and_deleting() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let fixed = "def f(n):\n    if n < 0:\n        return 0\n    return n\n";
        let flipped = fixed.replace("n < 0", "n <= 0");
        let text = write("f", &flipped, fixed, &mut rng).unwrap();
        assert!(text.contains("`f`") && text.contains("`<`") && text.contains("`<=`"), "{text}");
        let gone = "def f(n):\n    return n\n";
        let text = write("f", gone, fixed, &mut rng).unwrap();
        assert_eq!(text, "In `f`, after the line `def f(n):`, insert `if n < 0:` then `return 0`.");
        assert_eq!(write("f", fixed, gone, &mut rng).unwrap(), "In `f`, delete the line `if n < 0:` then `return 0`.");
    }
}
