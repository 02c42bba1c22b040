//! What the examples of a file import, so that their calls can be made elsewhere.

use std::collections::BTreeMap;

use super::super::{imports, syntax};
use super::examples::examples;

/// The names that the examples of a file import from somewhere, each once, as lines of their own.
pub(in super::super) fn names(source: &str) -> Vec<String> {
    let mut found = BTreeMap::new();
    for example in examples(source) {
        let code = example.code(source);
        let tree = syntax::parse(&code);
        let root = tree.root_node();
        for block in std::iter::once(root).chain(syntax::main_body(root, &code)) {
            for import in block.children(&mut block.walk()).filter(|child| child.kind() == "use_declaration") {
                for import in imports::imports(import, &code) {
                    // All of a module and what gets no name are told apart by where they come from.
                    let key =
                        if matches!(import.name.as_str(), "*" | "_") { import.line() } else { import.name.clone() };
                    found.entry(key).or_insert_with(|| import.line());
                }
            }
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_imported_once() {
        let source = "/// ```\n/// use a::{f, g as h, m::{self, *}};\n/// use a::f;\n/// ```\nfn f() {}\n\n/// ```\n/// fn main() {\n/// use b::f;\n/// use a::T as _;\n/// }\n/// ```\nfn g() {}\n";
        let expected = ["use a::f;", "use a::g as h;", "use a::m;", "use a::T as _;", "use a::m::*;"];
        assert_eq!(names(source), expected);
    }
}
