//! Where two versions of a file differ in code.

use std::collections::BTreeSet;

use similar::{DiffTag, TextDiff};

use crate::languages::{FunctionSpan, Language};
use crate::record::{HISTORY, Place};

/// Two versions of a file.
pub(in crate::sources) struct Version<'a> {
    pub(in crate::sources) language: &'a dyn Language,
    pub(in crate::sources) path: &'a str,
    pub(in crate::sources) healthy: &'a str,
    pub(in crate::sources) buggy: &'a str,
}

/// Places in the healthy text at which the buggy one has other code, one for each function, in order; and how many lines of code differ
/// on both sides together.
pub(in crate::sources) fn places(version: &Version<'_>) -> (Vec<Place>, usize) {
    let Version { language, path, healthy, buggy } = *version;
    let (own, other) = (language.anatomy().code_lines(path, healthy), language.anatomy().code_lines(path, buggy));
    let spans = language.functions(healthy);
    let mut places: Vec<Place> = Vec::new();
    let mut lines = 0;
    for hunk in TextDiff::from_lines(healthy, buggy).ops() {
        if hunk.tag() == DiffTag::Equal {
            continue;
        }
        let code = |range: std::ops::Range<usize>, lines: &BTreeSet<usize>| -> Vec<usize> {
            range.map(|line| line + 1).filter(|line| lines.contains(line)).collect()
        };
        let (here, there) = (code(hunk.old_range(), &own), code(hunk.new_range(), &other));
        lines += here.len() + there.len();
        if here.is_empty() && there.is_empty() {
            continue;
        }
        // Where the healthy text has nothing, the line before tells which function lacks something.
        let at = if here.is_empty() { vec![hunk.old_range().start.max(1)] } else { here };
        for line in at {
            let around = spans.iter().filter(|span| (span.line_start..=span.line_end).contains(&line));
            let innermost = around.min_by_key(|span| span.line_end - span.line_start);
            let function = innermost.map_or_else(String::new, FunctionSpan::qualified);
            if places.iter().all(|place| place.function != function) {
                let start = healthy.split_inclusive('\n').take(line - 1).map(str::len).sum();
                places.push(Place { path: path.to_owned(), function, line, start, by: HISTORY.to_owned() });
            }
        }
    }
    (places, lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::Python;

    #[test]
    fn there_is_one_place_for_each_function_and_none_for_comments() {
        let healthy = "import a\n\n\ndef f(x):\n    # new\n    if x:\n        return 1\n    return 2\n\n\nclass C:\n    def g(self):\n        return 3\n";
        let buggy = "import a\n\n\ndef f(x):\n    # old\n    return 2\n\n\nclass C:\n    def g(self):\n        x = 1\n        return 3\n";
        let (places, lines) = places(&Version { language: &Python, path: "p.py", healthy, buggy });
        let found: Vec<(&str, usize)> = places.iter().map(|place| (place.function.as_str(), place.line)).collect();
        assert_eq!(found, [("f", 6), ("C.g", 12)]);
        assert_eq!(lines, 3);
        assert!(healthy[places[0].start..].starts_with("    if x:"));
    }
}
