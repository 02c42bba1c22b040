//! What tests are written with, where a file gives it a meaning of its own: macros with the names of those that assert, values that say
//! themselves what they equal.
//!
//! Macros that macros make are not looked for: the compiler refuses them beside those of the language.

use super::anatomy::code_words;

/// Macros of the language that tests use.
const MACROS: [&str; 15] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "panic",
    "unreachable",
    "unimplemented",
    "todo",
    "matches",
    "vec",
    "format",
    "concat",
    "stringify",
];
const EQUALITY: &str = "PartialEq";

/// Each such name once. Comments are no code, and a raw name is the name.
pub(super) fn redefined(source: &str) -> Vec<&'static str> {
    let words: Vec<&str> =
        code_words(source, &|_| false).into_iter().map(|(_, word)| word.trim_start_matches("r#")).collect();
    let is_defined = |name: &str| {
        (1..words.len()).filter(|at| words[*at] == name).any(|at| {
            let before = words[..at].iter().rfind(|word| **word != "!");
            before.is_some_and(|word| *word == "as" || word.starts_with("macro_rules"))
        })
    };
    let is_implemented = |(at, word): (usize, &&str)| {
        *word == EQUALITY && matches!(behind_arguments(&words[at + 1..]), Some(&"for" | &"as"))
    };
    let equality = words.iter().enumerate().any(is_implemented).then_some(EQUALITY);
    MACROS.into_iter().filter(|name| is_defined(name)).chain(equality).collect()
}

/// The first word behind what stands in angle brackets, if anything does.
fn behind_arguments<'a>(words: &'a [&'a str]) -> Option<&'a &'a str> {
    let mut depth = 0_usize;
    words.iter().find(|word| {
        let is_outside = depth == 0 && !word.starts_with('<');
        depth += word.matches('<').count();
        depth = depth.saturating_sub(if **word == "->" { 0 } else { word.matches('>').count() });
        is_outside
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_language_are_found_however_they_are_spelled() {
        for code in [
            "macro_rules! assert_eq { () => {} }",
            "macro_rules! r#assert_eq { () => {} }",
            "macro_rules! /* one's own */ assert_eq { () => {} }",
            "macro_rules // so\n ! r#assert_eq { () => {} }",
            "mod m { r#macro_rules! assert_eq { () => {} } }",
            "use crate::check as assert_eq;",
            "other! { use check as r#assert_eq; }",
        ] {
            assert_eq!(redefined(code), ["assert_eq"], "{code}");
        }
        for code in [
            "impl<T> PartialEq<T> for Any { fn eq(&self, _: &T) -> bool { true } }",
            "impl ::std::cmp::PartialEq<Vec<Vec<u8>>> for Any {}",
            "macro_rules! own { () => { impl r#PartialEq<Vec<Vec<u8>>> for Any {} } }",
            "use std::cmp::PartialEq as Same;",
        ] {
            assert_eq!(redefined(code), [EQUALITY], "{code}");
        }
    }

    #[test]
    fn honest_code_redefines_nothing() {
        for code in [
            "/// macro_rules! assert_eq\nfn f() { assert_eq!(1, 1); panic!(\"macro_rules! panic\") }",
            "#[derive(PartialEq)] struct A; impl<T: PartialEq> From<T> for A {} impl<T: PartialEq<T>> Own for A {}",
            "macro_rules! own { ($x:expr) => { assert_eq!($x, 1) } } fn vec(x: u8) -> u16 { x as u16 }",
        ] {
            assert_eq!(redefined(code), <[&str; 0]>::default(), "{code}");
        }
    }
}
