//! Places of a source file at which two releases have other code. Each can be taken back alone.

use std::ops::Range;

use similar::{DiffTag, TextDiff};

use crate::languages::Language;

/// So many equal lines between two differences keep them apart.
const APART: usize = 3;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The file, relative to the project.
    pub path: String,
    /// Lines of the newer version, counted from 0.
    pub lines: Range<usize>,
    /// What stood there in the older one.
    pub before: String,
}

/// The differences of a file in order; those of comments and tests are none.
pub(super) fn hunks(language: &dyn Language, path: &str, newer: &str, older: &str) -> Vec<Hunk> {
    let anatomy = language.anatomy();
    let (own, others) = (anatomy.code_lines(path, newer), anatomy.code_lines(path, older));
    let diff = TextDiff::from_lines(newer, older);
    let mut regions: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    for op in diff.ops().iter().filter(|op| op.tag() != DiffTag::Equal) {
        let (here, there) = (op.old_range(), op.new_range());
        match regions.last_mut().filter(|(last, _)| here.start < last.end + APART) {
            Some((lines, before)) => (lines.end, before.end) = (here.end, there.end),
            None => regions.push((here, there)),
        }
    }
    let has_code = |(here, there): &(Range<usize>, Range<usize>)| {
        here.clone().any(|line| own.contains(&(line + 1))) || there.clone().any(|line| others.contains(&(line + 1)))
    };
    let lines: Vec<&str> = older.split_inclusive('\n').collect();
    let hunk = |(here, there): (Range<usize>, Range<usize>)| Hunk {
        path: path.to_owned(),
        lines: here,
        before: lines[there].concat(),
    };
    regions.into_iter().filter(has_code).map(hunk).collect()
}

/// The newer version with some of its differences, which are in order, taken back.
pub(super) fn undone<'a>(newer: &str, hunks: impl DoubleEndedIterator<Item = &'a Hunk>) -> String {
    let mut lines: Vec<&str> = newer.split_inclusive('\n').collect();
    for hunk in hunks.rev() {
        lines.splice(hunk.lines.clone(), [hunk.before.as_str()]);
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::Python;
    use crate::languages::rust::Rust;

    const NEWER: &str = "a = 1\n# new\n\n\nb = 2\nc = 3\n\n\n\nd = 4\n";
    const OLDER: &str = "a = 0\n# old\n\n\nb = 2\n\n\n\nd = 5\n";

    #[test]
    fn each_difference_of_code_can_be_taken_back_alone() {
        let found = hunks(&Python, "a.py", NEWER, OLDER);
        assert_eq!(found.iter().map(|hunk| hunk.lines.clone()).collect::<Vec<_>>(), [0..2, 5..6, 9..10]);
        assert_eq!(undone(NEWER, found.iter()), OLDER);
        assert_eq!(undone(NEWER, found[1..2].iter()), NEWER.replace("c = 3\n", ""));
        assert_eq!(undone(NEWER, found[..0].iter()), NEWER);
    }

    #[test]
    fn neither_comments_nor_tests_inside_of_a_source_file_differ() {
        assert_eq!(hunks(&Python, "a.py", "a = 1  # new\n", "a = 1\n").len(), 1, "a line is one thing");
        assert_eq!(hunks(&Python, "a.py", "# new\na = 1\n", "# old\na = 1\n"), []);
        let tests = "fn f() {}\n\n\n\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn a() {}\n}\n";
        assert_eq!(hunks(&Rust, "src/lib.rs", tests, &tests.replace("fn a", "fn b")), []);
    }
}
