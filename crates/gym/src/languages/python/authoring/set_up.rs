//! What the names in a call are, where a test file gives them a meaning of its own.
//!
//! `slugify = partial(public_slugify, algorithm="modern")` makes `slugify('a')` another call than the one that a reader knows. What stands
//! in blocks and conditions is not looked at: whoever needs it sees that the call alone does not do what was said.

use std::collections::BTreeSet;

use crate::languages::python::syntax::parse;
use crate::languages::python::top::{Kind, Statement, statements, used};

/// The statements that the names in a call lead to, in order; empty when none of them is the file's own.
pub(super) fn of(source: &str, call: &str) -> String {
    let mut all = statements(source);
    all.retain(|statement| statement.kind != Kind::Other);
    let mut needed = BTreeSet::new();
    let mut open: Vec<String> = used(parse(call).root_node(), call).into_iter().collect();
    while let Some(name) = open.pop() {
        for (at, statement) in all.iter().enumerate().filter(|(_, statement)| statement.names.contains(&name)) {
            if needed.insert(at) {
                open.extend(statement.uses.iter().cloned());
            }
        }
    }
    let chosen: Vec<&Statement> = needed.into_iter().map(|at| &all[at]).collect();
    match chosen.iter().any(|statement| statement.kind != Kind::Import) {
        true => chosen.iter().map(|statement| &source[statement.range.clone()]).collect::<Vec<_>>().join("\n"),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: &str = "\
import unittest
from functools import partial
from words import slug as public_slug, cut
import words.more as more

LIMIT = 3
slug = partial(public_slug, limit=LIMIT)

def modern(text, **options):
    return slug(text, **options)

def test_a():
    assert slug('a b') == 'a-b'
";

    #[test]
    fn names_that_the_test_file_makes_are_shown_with_all_that_they_need() {
        let slug = "from functools import partial\nfrom words import slug as public_slug, cut\nLIMIT = 3\nslug = partial(public_slug, limit=LIMIT)";
        assert_eq!(of(TESTS, "slug('a b')"), slug);
        assert_eq!(
            of(TESTS, "modern('a b', slug=1)"),
            format!("{slug}\ndef modern(text, **options):\n    return slug(text, **options)")
        );
        assert_eq!(of(TESTS, "more.f(1)"), "import words.more as more");
    }

    #[test]
    fn names_of_the_project_need_nothing() {
        assert_eq!(of("from words import cut\nimport words\n", "cut('a', slug=words.b(1))"), "");
        assert_eq!(of("", "len('a')"), "");
    }
}
