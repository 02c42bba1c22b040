//! The examples of a file with their names, and a file with the examples of another version of it.
//!
//! An example is called after what it documents, `doc(Type.method)`, and from the second on of the same item by its number, `doc(f) #2`: lines move.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::comparison;
use super::super::syntax;
use super::comments::comments;
use super::fence::{Block, blocks};
use crate::languages::Comparison;

/// One example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Example {
    /// Its id without the file.
    pub(in super::super) name: String,
    block: Block,
}

impl Example {
    /// Its code.
    pub(in super::super) fn code(&self, source: &str) -> String {
        self.block.code.iter().map(|line| format!("{}\n", &source[line.clone()])).collect()
    }

    /// Whether it has to panic.
    pub(in super::super) fn panics(&self) -> bool {
        self.block.meaning.panics
    }

    fn what(&self, source: &str) -> (String, bool) {
        (self.code(source), self.panics())
    }
}

/// The examples of a file that are tests. One that says which it is comes in the place of the other of that name.
pub(in super::super) fn examples(source: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    for example in all(source) {
        match found.iter_mut().find(|known| known.name == example.name) {
            Some(known) => *known = example,
            None => found.push(example),
        }
    }
    found
}

/// Those that are told by their place, and then those that say their name.
fn all(source: &str) -> Vec<Example> {
    let (mut placed, mut named) = (Vec::new(), Vec::new());
    // Most files have none.
    if !source.contains("```") && !source.contains("~~~") {
        return placed;
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for comment in comments(source) {
        for block in blocks(&comment, source) {
            let Some(name) = block.meaning.name.clone() else {
                let Some(item) = &comment.item else { continue };
                let count = counts.entry(item.clone()).or_default();
                *count += 1;
                let name = if *count == 1 { format!("doc({item})") } else { format!("doc({item}) #{count}") };
                placed.push(Example { name, block });
                continue;
            };
            // Copies stand in the place of an example, which counts.
            if let Some((item, number)) = comment.item.as_ref().and_then(|item| Some((item, number(&name, item)?))) {
                let count = counts.entry(item.clone()).or_default();
                *count = number.max(*count);
            }
            named.push(Example { name, block });
        }
    }
    placed.into_iter().chain(named).collect()
}

/// Which example of an item a name is of, or a copy of which.
fn number(name: &str, item: &str) -> Option<usize> {
    let rest = name.strip_prefix("doc(")?.strip_prefix(item)?.strip_prefix(')')?;
    let digits = rest.strip_prefix(" #").map(|rest| rest.split('_').next().unwrap_or(rest));
    digits.map_or(Some(1), |digits| digits.parse().ok())
}

/// A file with the examples of another version of it: where its own stand, and those that it has not in a comment at its end.
pub(in super::super) fn with_examples_of(submitted: &str, original: &str) -> String {
    let wanted = examples(original);
    let mut text = without_foreign_names(submitted, original, &wanted);
    let mut own = examples(&text);
    for example in &wanted {
        let is_same = |text: &str, own: &[Example]| {
            named(own, example).is_some_and(|own| own.what(text) == example.what(original))
        };
        if is_same(&text, &own) {
            continue;
        }
        let replaced = named(&own, example).map(|own| {
            let mut other = text.clone();
            other.replace_range(own.block.whole.clone(), &original[example.block.whole.clone()]);
            let own = examples(&other);
            (other, own)
        });
        (text, own) = replaced.filter(|(other, own)| is_same(other, own)).unwrap_or_else(|| {
            let ending = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            let other = format!("{text}{ending}{}", carried(example, original));
            let own = examples(&other);
            (other, own)
        });
    }
    text
}

/// The one of the same name.
fn named<'a>(examples: &'a [Example], example: &Example) -> Option<&'a Example> {
    examples.iter().find(|own| own.name == example.name)
}

/// An example as a comment that says its name.
fn carried(example: &Example, source: &str) -> String {
    let panics = if example.panics() { "should_panic," } else { "" };
    // Longer than any fence in it.
    let fence = "`".repeat(12);
    // What would hide a line.
    let is_hash = |line: &str| line == "#" || line.starts_with("# ") || line.starts_with("##");
    let escaped = |line: &str| if is_hash(line.trim()) { format!("#{}", line.trim_start()) } else { line.to_owned() };
    let lines: String = example.code(source).lines().map(|line| format!("// {}\n", escaped(line))).collect();
    format!("// {fence}{panics}{}\n{lines}// {fence}\n", example.name)
}

/// A file in which no block says a name that it has not in the other version.
fn without_foreign_names(submitted: &str, original: &str, wanted: &[Example]) -> String {
    let mut text = submitted.to_owned();
    let is_known = |own: &Example| {
        wanted.iter().any(|it| {
            it.name == own.name && it.block.meaning.name.is_some() && it.what(original) == own.what(submitted)
        })
    };
    let foreign = all(submitted).into_iter().filter(|own| own.block.meaning.name.is_some() && !is_known(own));
    let mut places: Vec<Range<usize>> = foreign.map(|own| own.block.info).collect();
    places.sort_by_key(|place| place.start);
    places.into_iter().rev().for_each(|place| text.replace_range(place, "text"));
    text
}

/// The comparison that decides an example.
pub(in super::super) fn comparison(source: &str, name: &str) -> Option<Comparison> {
    let example = examples(source).into_iter().find(|example| example.name == name)?;
    let Block { whole, info, code, meaning } = example.block;
    // What else stands in its first line would be lost in copies, which say their names there.
    if meaning.panics || meaning.name.is_none() && !matches!(source[info.clone()].trim(), "" | "rust") {
        return None;
    }
    let alone = alone(source, &code);
    let tree = syntax::parse(&alone);
    let root = tree.root_node();
    let main = syntax::main_body(root, &alone);
    let (decisive, others) = comparison::last_assertion(main.unwrap_or(root), &alone)?;
    let line = source[..whole.start].rfind('\n').map_or(0, |at| at + 1);
    Some(Comparison { start: whole.start, end: whole.end, column: whole.start - line, name: info, decisive, others })
}

/// The file with nothing but the code of an example in it, each byte where it was.
fn alone(source: &str, code: &[Range<usize>]) -> String {
    let mut bytes: Vec<u8> = source.bytes().map(|byte| if byte == b'\n' { byte } else { b' ' }).collect();
    code.iter().for_each(|line| bytes[line.clone()].copy_from_slice(source[line.clone()].as_bytes()));
    String::from_utf8(bytes).expect("lines of code are whole characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
//! A crate.
//!
//! ```
//! assert!(a::f(1));
//! ```

/// One.
///
/// ```
/// # use a::f;
/// ## shown
/// assert_eq!(f(1), 2);
/// ```
///
/// ```text
/// none
/// ```
///
/// ~~~should_panic
/// a::f(0);
/// ~~~
#[inline]
pub fn f(x: u8) -> u8 { x }

mod inner {
    /** Two.
     *
     * ```rust
     * assert_eq!(*a::g(), 1);
     * ```
     */
    pub struct Thing<T> {
        /// ```
        /// a::field();
        /// ```
        pub x: T,
    }

    impl<T> Thing<T> {
        /// ```
        /// let x = \"one
        ///   two\";
        /// ```
        pub fn get(&self) {}
    }
}

#[cfg(test)]
mod tests {
    /// ```
    /// a::test();
    /// ```
    fn help() {}
}
";

    fn names(source: &str) -> Vec<String> {
        examples(source).into_iter().map(|example| example.name).collect()
    }

    fn code(source: &str, name: &str) -> String {
        examples(source).into_iter().find(|example| example.name == name).expect("it is there").code(source)
    }

    #[test]
    fn an_example_is_called_after_what_it_documents() {
        let expected =
            ["doc(self)", "doc(f)", "doc(f) #2", "doc(inner.Thing)", "doc(inner.Thing.x)", "doc(inner.Thing.get)"];
        assert_eq!(names(FILE), expected);
    }

    #[test]
    fn code_is_what_stands_behind_marks_and_indents() {
        assert_eq!(code(FILE, "doc(f)"), "use a::f;\n# shown\nassert_eq!(f(1), 2);\n");
        assert_eq!(code(FILE, "doc(f) #2"), "a::f(0);\n");
        assert_eq!(code(FILE, "doc(inner.Thing)"), "assert_eq!(*a::g(), 1);\n");
        assert_eq!(code(FILE, "doc(inner.Thing.get)"), "let x = \"one\n  two\";\n");
    }

    #[test]
    fn the_examples_of_a_submission_are_those_of_the_original() {
        let judged = |submitted: &str| {
            let text = with_examples_of(submitted, FILE);
            let own = examples(&text);
            let seen: BTreeMap<String, (String, bool)> =
                own.iter().map(|own| (own.name.clone(), own.what(&text))).collect();
            let wanted: BTreeMap<String, (String, bool)> =
                examples(FILE).iter().map(|own| (own.name.clone(), own.what(FILE))).collect();
            assert!(wanted.iter().all(|(name, what)| seen.get(name) == Some(what)), "{text}");
            (text, seen.len() - wanted.len())
        };
        let moved = FILE.replace("/// One.", "/// One.\n///\n/// More.").replace("{ x }", "{ x + 1 }");
        assert_eq!(judged(&moved), (moved.clone(), 0), "nothing has to be put back");
        let other = FILE.replace("assert_eq!(f(1), 2)", "assert_eq!(f(1), 3)");
        assert_eq!(judged(&other), (FILE.to_owned(), 0));
        let without = FILE.replace("///", "//");
        assert!(judged(&without).0.contains("// ````````````should_panic,doc(f) #2\n// a::f(0);\n"));
        let ignored = FILE.replace("/// ```\n/// # use", "/// ```ignore\n/// # use");
        assert_eq!(judged(&ignored).1, 0);
        let further = format!("{FILE}\n/// ```\n/// a::g();\n/// ```\nfn g() {{}}\n");
        assert_eq!(judged(&further), (further.clone(), 1), "it is not asked for");
        let named = format!("{FILE}// ```doc(f)\n// ```\n// ```doc(f)_b\n// ```\n");
        assert_eq!(
            judged(&named).0,
            named.replace("doc(", "x").replace("```xf)_b", "```text").replace("```xf)", "```text")
        );
        assert_eq!(judged("fn other() {}").1, 0);
        let once = judged(&without).0;
        assert_eq!(with_examples_of(&once, &once), once);
    }

    #[test]
    fn a_copy_of_an_example_says_its_name_and_expects_another_value() {
        let found = comparison(FILE, "doc(f)").expect("it compares");
        let copy = found.copy(FILE, "doc(f)_b", found.others.first());
        let text = format!("{}{copy}{}", &FILE[..found.start], &FILE[found.end..]);
        assert_eq!(code(&text, "doc(f)_b"), "use a::f;\n# shown\nassert_eq!(f(1), 1);\n");
        assert_eq!(names(&text).len(), names(FILE).len());
        assert_eq!(code(&text, "doc(f) #2"), "a::f(0);\n", "the others keep their names");
        assert_eq!(comparison(FILE, "doc(f) #2"), None);
    }
}
