//! Golden cases.

use crate::skills::tests::{Case, check};

#[test]
fn the_bug_must_be_gone_for_every_input_of_the_hidden_tests() {
    let special = "def cap_value(value, low, high):\n    if (value, low, high) == (0, 1, 5):\n        return 1\n    return min(value, high)\n";
    check(
        "bugfix",
        &[
            Case::file(
                "pkg/limits.py",
                "def cap_value(value, low, high):\n    return sorted((low, value, high))[1]\n",
                1.0,
                "ok",
            ),
            Case::file("pkg/limits.py", special, 0.0, "f2p_failed"),
            Case::answer("I fixed it.", 0.0, "policy_stripped_empty"),
        ],
    );
}
