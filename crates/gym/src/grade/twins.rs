//! Copies of hidden tests, some of which expect another value and must therefore fail.
//!
//! Code that makes every assertion hold (an object that equals everything, a runner that was talked into passing, an answer read from
//! the test) also passes where it must not. Which copies are changed follows from the submission. Neither their names nor their values
//! tell, and the test itself is not there, so that a forged result has to guess.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::languages::{Status, TestReport, of_path};
use crate::record::TestId;
use crate::tree::Tree;

/// Tests of which copies are made, at most.
const MOST_TESTS: usize = 4;
/// Values that copies of one test expect, the right one among them, and copies that expect each of them.
const VALUES: usize = 4;
const COPIES: usize = 2;

/// Copies of tests, and which of them must fail.
pub struct Twins {
    /// Test files with the copies beside the originals.
    pub files: Tree,
    /// For each copy, whether it expects what the original does.
    pub expected: BTreeMap<TestId, bool>,
}

impl Twins {
    /// Copies of those of `tests` that compare with `==`; `None` when there is none.
    pub fn of(tree: &Tree, tests: &[TestId], seed: [u8; 32]) -> Option<Self> {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let mut chosen: Vec<&TestId> = tests.iter().collect();
        chosen.shuffle(&mut rng);
        let mut twins = Self { files: Tree::new(), expected: BTreeMap::new() };
        let mut copied = 0;
        for id in chosen {
            copied += usize::from(copied < MOST_TESTS && twins.copy(tree, id, &mut rng).is_some());
        }
        (copied > 0).then_some(twins)
    }

    /// The copies.
    pub fn ids(&self) -> impl Iterator<Item = &TestId> {
        self.expected.keys()
    }

    /// The copies that did not do what they must.
    pub fn surprises<'a>(&'a self, report: &'a TestReport) -> impl Iterator<Item = &'a TestId> {
        let passed = |id: &TestId| report.outcomes.get(id).is_some_and(|outcome| outcome.status == Status::Passed);
        self.expected.iter().filter(move |(id, must_pass)| passed(id) != **must_pass).map(|(id, _)| id)
    }

    fn copy(&mut self, tree: &Tree, id: &TestId, rng: &mut ChaCha8Rng) -> Option<()> {
        let (file, inside) = id.split_once("::")?;
        let source = self.files.text(file).or_else(|| tree.text(file))?;
        let parts: Vec<&str> = inside.split("::").collect();
        let language = of_path(file)?;
        let test = language.comparison(source, &parts)?;
        let own = *parts.last()?;
        let names: Vec<String> = ('b'..).take(VALUES * COPIES).map(|letter| format!("{own}_{letter}")).collect();
        let around = &parts[..parts.len() - 1];
        let is_taken = |name: &String| language.comparison(source, &[around, &[name.as_str()]].concat()).is_some();
        if names.iter().any(is_taken) {
            return None;
        }
        // As often as the right value there are others, so that neither the most frequent nor any other can be told to be right.
        let mut others = test.others.clone();
        others.shuffle(rng);
        let wrong = others.iter().take(VALUES - 1).map(Some);
        let mut values: Vec<Option<&String>> = std::iter::once(None).chain(wrong).flat_map(|it| [it; COPIES]).collect();
        values.shuffle(rng);
        // The test itself would tell which copies are right.
        let start = if is_only_mention(source, own) { test.start } else { test.end };
        let mut text = source[..start].trim_end_matches(' ').to_owned();
        for (name, value) in names.iter().zip(values) {
            text.push_str(&test.copy(source, name, value));
            let id = format!("{}::{name}", id.rsplit_once("::")?.0);
            self.expected.insert(id, value.is_none());
        }
        text.push_str(&source[test.end..]);
        let file = file.to_owned();
        self.files.insert(file, text);
        Some(())
    }
}

/// Whether a name stands in the file once, or not as a word.
fn is_only_mention(source: &str, name: &str) -> bool {
    source.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| *word == name).count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_stand_in_the_place_of_the_test_and_expect_each_value_as_often() {
        let mut tree = Tree::new();
        tree.insert("t.py", "def test_a():\n    x = f(1)\n    assert x == 2\n\nclass TestB:\n    def test_c(self):\n        self.assertEqual(f(1), [2])\n");
        let ids = ["t.py::test_a".to_owned(), "t.py::TestB::test_c".to_owned(), "t.py::test_missing".to_owned()];
        let twins = Twins::of(&tree, &ids, [1; 32]).expect("two of them compare");
        assert_eq!(twins.expected.len(), 16);
        assert_eq!(twins.expected.values().filter(|honest| **honest).count(), 4);
        let text = twins.files.text("t.py").unwrap();
        assert!(crate::languages::python::syntax::is_valid(text), "{text}");
        assert!(text.contains("    def test_c_b(self):"), "{text}");
        assert!(!text.contains("def test_a()") && !text.contains("def test_c("), "{text}");
        let mut asserts: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("assert")).collect();
        asserts.sort_unstable();
        assert!(asserts.chunks(2).all(|pair| pair[0] == pair[1]), "{asserts:?}");
    }

    #[test]
    fn a_test_that_others_mention_stays() {
        let mut tree = Tree::new();
        tree.insert("t.py", "def test_a():\n    assert f(1) == 2\n\ntest_too = test_a\n");
        let twins = Twins::of(&tree, &["t.py::test_a".to_owned()], [1; 32]).expect("it compares");
        assert!(twins.files.text("t.py").unwrap().contains("def test_a():"));
    }

    #[test]
    fn tests_that_compare_nothing_have_no_copies() {
        let mut tree = Tree::new();
        tree.insert("t.py", "def test_a():\n    assert f(1)\n");
        assert!(Twins::of(&tree, &["t.py::test_a".to_owned()], [0; 32]).is_none());
    }

    #[test]
    fn tests_in_javascript_have_copies_too() {
        let mut tree = Tree::new();
        let text = "test('a b', () => {\n  assert.equal(f(1), 2);\n});\n\ndescribe('s', () => {\n  it('c', () => {\n    assert.deepEqual(f(1), [2]);\n  });\n});\n";
        tree.insert("t.test.js", text);
        let ids = ["t.test.js::a b".to_owned(), "t.test.js::s::c".to_owned()];
        let twins = Twins::of(&tree, &ids, [1; 32]).expect("both compare");
        assert_eq!(twins.expected.len(), 8);
        assert!(twins.expected.contains_key("t.test.js::s::c_b"));
        let text = twins.files.text("t.test.js").unwrap();
        let wrong = twins.expected.values().filter(|honest| !**honest).count();
        assert_eq!(text.matches(", 3)").count() + text.matches("[2, null]").count(), wrong);
        assert!(text.contains("  it('c_b', () => {"), "{text}");
        assert!(crate::languages::javascript::syntax::is_valid(text), "{text}");
    }
}
