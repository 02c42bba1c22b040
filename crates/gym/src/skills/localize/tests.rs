//! Golden cases.

use crate::skills::tests::{Case, check};

#[test]
fn only_the_exact_set_is_rewarded() {
    check(
        "localize",
        &[
            Case::answer("pkg/limits.py", 1.0, "ok"),
            Case::answer("./pkg/limits.py\n", 1.0, "ok"),
            Case::answer("pkg/report.py", -1.0, "wrong_set.both"),
            Case::answer("pkg/limits.py\npkg/report.py", -1.0, "wrong_set.over"),
            Case::answer("pkg/missing.py", -1.0, "nonexistent_path"),
            Case::answer("", -1.0, "no_artifact"),
        ],
    );
}
