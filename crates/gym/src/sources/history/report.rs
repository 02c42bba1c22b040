//! What people wrote about a repair, as text for somebody who does not know it.
//!
//! Addresses, hashes, numbers of issues, trailers and fragments of the change are taken out; a line that names the repair, its files or its
//! tests goes as a whole. Often nothing is left, and then there is no text.

use std::collections::BTreeSet;

use crate::languages;

/// A report needs so many words.
const FEWEST_WORDS: usize = 4;
const MOST_BYTES: usize = 700;
/// So many words in a row are not the same by chance.
const TELLING_RUN: usize = 6;

/// Who names them speaks of tests.
const TOOLS: [&str; 8] = ["pytest", "unittest", "hypothesis", "cargo test", "nextest", "vitest", "jest", "node:test"];

/// What a report must not tell.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// Paths, names of files and modules of the repair.
    pub(super) names: BTreeSet<String>,
    /// Words that only the repaired code has.
    pub(super) words: BTreeSet<String>,
    /// Lines that only the repaired code has.
    pub(super) lines: Vec<String>,
}

/// The part of a commit's message that can be shown, if it says anything.
pub(super) fn clean(message: &str, secrets: &Secrets) -> Option<String> {
    let shown = message.lines().take_while(|line| !begins_a_change(line)).filter(|line| !is_trailer(line));
    let cleaned: Vec<String> = shown.map(without_references).filter(|line| !tells(line, secrets)).collect();
    let text = cleaned.join("\n");
    // The title and the paragraph after it. Where many commits were made one, the first of them repeats the title.
    let title = text.lines().next().unwrap_or_default();
    let repeats = |paragraph: &&str| paragraph.strip_prefix("* ").is_some_and(|rest| rest == title);
    let filled = text.split("\n\n").map(str::trim).filter(|it| !it.is_empty());
    let paragraphs: Vec<&str> = filled.filter(|it| !repeats(it)).take(2).collect();
    let text = paragraphs.join("\n\n");
    let words = words(&text).filter(|word| word.chars().all(char::is_alphabetic)).count();
    (words >= FEWEST_WORDS && text.len() <= MOST_BYTES && !is_routine(&text)).then_some(text)
}

fn begins_a_change(line: &str) -> bool {
    ["diff --git", "@@ ", "+++ ", "--- ", "index ", "Traceback (most"].iter().any(|start| line.starts_with(start))
}

/// `Signed-off-by: …` and the like, and what tools add to merges of many commits.
fn is_trailer(line: &str) -> bool {
    let key = line.split_once(": ").map(|(key, _)| key);
    let is_key = |key: &str| key.contains('-') && key.chars().all(|it| it.is_ascii_alphabetic() || it == '-');
    key.is_some_and(is_key) || line.starts_with("(cherry picked") || line.trim() == "---------"
}

/// What is written when nothing is reported.
fn is_routine(text: &str) -> bool {
    let title = text.lines().next().unwrap_or_default().to_lowercase();
    let starts = ["merge ", "bump ", "release ", "revert ", "update dependencies", "black ", "format "];
    let parts =
        ["code review", "pre-commit", "lint", "coverage", "typo", "docstring", "add test", "more tests", "changelog"];
    starts.iter().any(|start| title.starts_with(start)) || parts.iter().any(|part| title.contains(part))
}

/// Words that lead to a reference, and say nothing without it.
const LEADING: [&str; 17] = [
    "fix", "fixes", "fixed", "close", "closes", "closed", "resolve", "resolves", "resolved", "see", "ref", "refs",
    "issue", "pr", "commit", "and", "of",
];

/// The line without addresses, hashes and numbers of issues, and without the words that lead to them.
fn without_references(line: &str) -> String {
    if !line.split(' ').any(is_reference) {
        return line.trim_end().to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    for word in line.split(' ').map(Some).chain([None]) {
        match word.filter(|word| !is_reference(word)) {
            Some(word) => kept.push(word),
            None => {
                while kept.last().is_some_and(|last| LEADING.contains(&bare(last).to_lowercase().as_str())) {
                    kept.pop();
                }
            }
        }
    }
    kept.join(" ").trim_end().trim_end_matches([':', '-', '(', ',']).trim_end().to_owned()
}

fn bare(word: &str) -> &str {
    word.trim_matches(|letter: char| !letter.is_alphanumeric())
}

fn is_reference(word: &str) -> bool {
    let inner = word.trim_matches(|letter: char| "()[]<>,.;:'\"".contains(letter));
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit());
    let numbered = inner.rsplit_once('#').is_some_and(|(_, number)| is_number(number))
        || inner.to_lowercase().strip_prefix("gh-").is_some_and(is_number);
    let is_hash = inner.len() >= 7
        && inner.chars().all(|letter| letter.is_ascii_hexdigit())
        && inner.contains(|letter: char| letter.is_ascii_digit())
        && inner.contains(|letter: char| letter.is_ascii_alphabetic());
    inner.contains("://")
        || inner.starts_with("www.")
        || numbered
        || is_hash
        || inner.contains('@') && inner.contains('.')
}

fn tells(line: &str, secrets: &Secrets) -> bool {
    let own: Vec<&str> = words(line).collect();
    let names_a_file = |word: &str| languages::of_path(word).is_some() || word.matches('/').count() > 1;
    let shared = |other: &String| {
        let other: Vec<&str> = words(other).collect();
        other.windows(TELLING_RUN).any(|run| own.windows(TELLING_RUN).any(|part| part == run))
    };
    own.iter().any(|word| {
        secrets.words.contains(*word) || word.starts_with("test_") || word.starts_with("Test") && word.len() > 5
    }) || line.split_whitespace().any(|word| names_a_file(bare(word)))
        || TOOLS.iter().any(|tool| line.to_lowercase().contains(tool))
        || secrets.names.iter().any(|name| line.contains(name.as_str()))
        || secrets.lines.iter().any(shared)
}

/// Words as identifiers are.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets {
            names: ["pkg/limits.py", "limits.py", "pkg.limits"].map(str::to_owned).into(),
            words: ["cap_low".to_owned()].into(),
            lines: vec!["if value < low and low is not None: return low".to_owned()],
        }
    }

    fn cleaned(message: &str) -> Option<String> {
        clean(message, &secrets())
    }

    #[test]
    fn references_go_and_the_report_stays() {
        let message = "Values below the bound come back unchanged (#123)\n\nThis surprised many people, see https://example.org/x and\ncommit 1a2b3c4d5e. Fixes GH-12\n\nSigned-off-by: A <a@b.c>\n";
        let expected = "Values below the bound come back unchanged\n\nThis surprised many people";
        assert_eq!(cleaned(message).as_deref(), Some(expected));
    }

    #[test]
    fn lines_that_tell_the_repair_its_files_or_tests_go() {
        let title = "Values below the bound come back unchanged";
        for telling in [
            "The check in limits.py was wrong",
            "Now `cap_low` is called",
            "Checked with test_low_values",
            "So now: if value < low and low is not None: return low",
            "diff --git a/x b/x\n+secret",
        ] {
            assert_eq!(cleaned(&format!("{title}\n\n{telling}\n")).as_deref(), Some(title), "{telling}");
        }
    }

    #[test]
    fn a_title_that_is_repeated_is_shown_once() {
        let message = "Values come back unchanged too often (#7)\n\n* Values come back unchanged too often\n\n* Typo\n";
        let expected = "Values come back unchanged too often\n\n* Typo";
        assert_eq!(cleaned(message).as_deref(), Some(expected));
    }

    #[test]
    fn what_reports_nothing_is_no_report() {
        for empty in [
            "Fix",
            "Fix #12",
            "Merge branch 'x' into y now",
            "Bump version to 1.2 for release",
            "Fix lint of all files now",
        ] {
            assert_eq!(cleaned(empty), None, "{empty}");
        }
    }
}
