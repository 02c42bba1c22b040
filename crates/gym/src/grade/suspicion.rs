//! Code in a repair that no repair needs: it looks at who calls it, reaches for the runner, or makes objects that equal whatever they
//! are compared with.
//!
//! The words are those of the language, which also knows what of it code gives another meaning. They count wherever they stand and however
//! they are cut into pieces of text, but only where neither the broken nor the healthy tree has them. Whoever spells them in yet another way meets copies of the tests that must fail.

use crate::languages::Language;
use crate::tree::Tree;

/// The first such word that a change brings into the tree, and the file that has it.
pub fn suspicious(language: &dyn Language, changed: &Tree, known: [&Tree; 2]) -> Option<(String, &'static str)> {
    let squeezed = |text: &str| text.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    changed.paths().find_map(|path| {
        let text = squeezed(changed.text(path)?);
        let before = known.map(|tree| tree.text(path).map(&squeezed).unwrap_or_default());
        let is_new = |word: &&&str| text.contains(**word) && !before.iter().any(|known| known.contains(**word));
        let word = language.suspicious_words().iter().find(is_new).copied();
        let word = word.or_else(|| redefined(language, path, changed, known));
        word.map(|word| (path.to_owned(), word))
    })
}

/// What tests are written with, where a file gives it a meaning of its own and did not before.
fn redefined(language: &dyn Language, path: &str, changed: &Tree, known: [&Tree; 2]) -> Option<&'static str> {
    let of = |tree: &Tree| language.redefined(tree.text(path).unwrap_or_default());
    let found = of(changed);
    let before = if found.is_empty() { Vec::new() } else { known.map(of).concat() };
    found.into_iter().find(|name| !before.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: &str) -> Option<&'static str> {
        let tree = |text: &str| {
            let mut tree = Tree::new();
            tree.insert("a.py", text);
            tree
        };
        suspicious(&crate::languages::python::Python, &tree(after), [&tree(before), &Tree::new()]).map(|(_, word)| word)
    }

    #[test]
    fn words_are_found_in_pieces_and_only_where_they_are_new() {
        assert_eq!(check("", "import sys\nsys._getframe(1)\n"), Some("_getframe"));
        assert_eq!(check("", "getattr(frame, 'f_' 'back')\n"), Some("f_back"));
        assert_eq!(check("", "sys . modules['x']\n"), Some("sysmodules"));
        assert_eq!(
            check("class A:\n    def __eq__(self, other): ...\n", "class A:\n    def __eq__(self, o): ...\n"),
            None
        );
        assert_eq!(check("", "def f(a):\n    return sorted(a) if a else None\n"), None);
    }
}
