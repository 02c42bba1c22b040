//! Whether a test file runs code that does not stand in it: text of other files, other programs, bytes.

use tree_sitter::Node;

use super::super::syntax;
use crate::languages::nodes::find;

/// Names that run such code, or bring it in.
const NAMES: [&str; 12] = [
    "include",
    "include_str",
    "include_bytes",
    "Command",
    "CommandExt",
    "transmute",
    "asm",
    "global_asm",
    "naked_asm",
    "dlopen",
    "dlsym",
    "libc",
];

/// What runs such code. `has` says whether the tree has a file.
pub(super) fn runs_foreign_code(suite: &str, has: &dyn Fn(&str) -> bool) -> Option<String> {
    let tree = syntax::parse(suite);
    find(tree.root_node(), &mut |node| foreign(node, suite, has))
}

fn foreign(node: Node, suite: &str, has: &dyn Fn(&str) -> bool) -> Option<String> {
    let text = || &suite[node.byte_range()];
    let name = || node.child_by_field_name("name").map_or("", |name| &suite[name.byte_range()]);
    match node.kind() {
        "identifier" | "type_identifier" => NAMES.iter().find(|name| **name == text()).map(|name| (*name).to_owned()),
        "foreign_mod_item" | "extern_modifier" => Some("extern".to_owned()),
        "attribute_item" if text().replace(' ', "").contains("path=") => Some("#[path]".to_owned()),
        "mod_item" if node.child_by_field_name("body").is_none() => {
            let known = [format!("tests/{}.rs", name()), format!("tests/{}/mod.rs", name())];
            (!known.iter().any(|path| has(path))).then(|| format!("mod {}", name()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(suite: &str) -> Option<String> {
        runs_foreign_code(suite, &|path| path == "tests/common/mod.rs")
    }

    #[test]
    fn code_from_elsewhere_is_named() {
        for suite in [
            "#[test] fn a() { include!(\"/tmp/own.rs\") }",
            "const A: &str = include_str!(\"../src/lib.rs\");",
            "use std::process::Command as Other;",
            "fn a() { std::process::Command::new(\"rustc\"); }",
            "extern \"C\" { fn dlopen2(); }",
            "#[path = \"/tmp/own.rs\"] mod common;",
            "mod own;",
            "fn a() { unsafe { std::mem::transmute::<_, fn()>(1usize) } }",
        ] {
            assert!(check(suite).is_some(), "{suite}");
        }
    }

    #[test]
    fn honest_tests_run_only_themselves() {
        assert_eq!(
            check("mod common;\nuse caps::*;\nmod inner { pub fn a() {} }\n#[test] fn a() { assert_eq!(f(1), 2); }\n"),
            None
        );
    }
}
