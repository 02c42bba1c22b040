//! What the tests of the operators of every language do.

use std::collections::HashSet;

use super::{Operator, ParsedFile, Rules};

/// Checks every text that `operator` makes of a function body, which `wrap` makes a file of.
pub(crate) fn check(
    (rules, path): (&'static dyn Rules, &str),
    wrap: impl Fn(&str) -> String,
    operator: &dyn Operator,
    body: &str,
    expected: &[&str],
) {
    let source = wrap(body);
    let file = ParsedFile::parse(rules, path, &source).expect("the input is of the language");
    let made: Vec<String> = operator.mutations(&file).iter().map(|mutation| mutation.apply(&source)).collect();
    let expected: Vec<String> = expected.iter().map(|body| wrap(body)).collect();
    assert_eq!(made, expected, "by `{}`", operator.name());
}

/// The lines of a body, further to the right.
pub(crate) fn indented(body: &str, by: &str) -> String {
    body.lines().map(|line| format!("{by}{line}\n")).collect()
}

/// Checks that every operator has a name of its own.
pub(crate) fn check_names(all: &[&dyn Operator]) {
    let names: HashSet<_> = all.iter().map(|operator| operator.name()).collect();
    assert_eq!(names.len(), all.len());
}
