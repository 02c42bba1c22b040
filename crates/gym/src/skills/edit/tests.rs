//! Golden cases.

use crate::skills::tests::{Case, check};

const GOLD: &str = "def cap_value(value, low, high):\n    return max(low, min(value, high))\n";

#[test]
fn any_correct_change_of_the_sources_is_rewarded_and_nothing_else() {
    check(
        "edit",
        &[
            Case::file("pkg/limits.py", GOLD, 1.0, "ok"),
            Case::file("pkg/limits.py", "def cap_value(value, low, high):\n    return value\n", 0.0, "f2p_failed"),
            Case::file("pkg/limits.py", "def cap_value(value, low, high:\n", 0.0, "collect_failed"),
            Case::file("pkg/limits.py", "import os\nos._exit(0)\n", 0.0, "exit_mismatch"),
            Case::file("pkg/limits.py", &format!("import sys\n{GOLD}FRAME = sys._getframe\n"), 0.0, "suspicious_code"),
            Case::file("pkg/notes.py", "import pytest\n", 0.0, "policy_stripped_empty"),
            Case::file("tests/test_limits.py", "def test_cap_value_1():\n    pass\n", 0.0, "policy_stripped_empty"),
            Case::file("conftest.py", "raise SystemExit(0)\n", 0.0, "policy_stripped_empty"),
            Case::answer("Done.", 0.0, "policy_stripped_empty"),
        ],
    );
}
