//! What holds for all operators.

use super::rules::Rust;
use super::*;
use crate::mutation::Operator;
use crate::mutation::testing::{self, indented};

/// Checks every text that `operator` makes of a function body; the body may use `a`, `b` and anything global.
pub(super) fn check(operator: &dyn Operator, body: &str, expected: &[&str]) {
    let wrap = |body: &str| format!("fn f(a: i32, b: i32) -> i32 {{\n{}}}\n", indented(body, "    "));
    testing::check((&Rust, "src/lib.rs"), wrap, operator, body, expected);
}

#[test]
fn names_are_unique() {
    testing::check_names(all());
}

#[test]
fn edits_know_their_type_function_and_line() {
    let source = "struct A<T>(T);\nimpl<T> A<T> {\n    fn g(&self) -> bool {\n        1 < 2\n    }\n}\n";
    let found = mutations("src/lib.rs", source);
    let of = found.iter().find(|mutation| mutation.before == "<").expect("it is mutated");
    assert_eq!((of.function.as_str(), of.line), ("A.g", 4));
}

#[test]
fn code_for_tests_types_macros_and_display_are_never_touched() {
    let sources = [
        "const X: i32 = 1 + 2;\n",
        "#[test]\nfn f() { g(1 < 2); }\n",
        "#[cfg(test)]\nmod t { fn f() -> bool { 1 < 2 } }\n",
        "impl std::fmt::Display for A { fn fmt(&self) -> bool { 1 < 2 } }\n",
        "fn f() { assert!(1 < 2); let x: [u8; 3] = g(); unsafe { h(1 < 2) } }\n",
        "fn main() { f(1 < 2) }\n",
    ];
    for source in sources {
        assert_eq!(mutations("src/lib.rs", source), [], "{source}");
    }
    for path in ["tests/a.rs", "build.rs", "examples/a.rs", "src/tests.rs", "a.txt"] {
        assert_eq!(mutations(path, "fn f() -> bool { 1 < 2 }\n"), [], "{path}");
    }
}
