//! Golden cases.

use crate::skills::tests::{Case, check, tasks};

#[test]
fn only_the_proved_label_is_rewarded() {
    check(
        "review",
        &[
            Case::answer("`limits.py` is right. <judgment>YES</judgment>", 1.0, "ok"),
            Case::answer("`limits.py` is wrong. <judgment>NO</judgment>", 0.0, "false_reject"),
            Case::answer("`limits.py` <judgment>YES</judgment> <judgment>NO</judgment>", 0.0, "ambiguous"),
            Case::answer("YES", 0.0, "bad_format"),
        ],
    );
}

#[test]
fn tasks_come_in_pairs_with_one_label_each_and_the_same_hidden_tests() {
    let (_directory, _workshop, tasks) = tasks("review");
    assert_eq!(tasks.len(), 2);
    assert!(!tasks[0].pair.is_empty() && tasks[0].pair == tasks[1].pair);
    let labels: Vec<&str> = tasks.iter().filter_map(|task| task.hidden["label"].as_str()).collect();
    assert_eq!(labels, ["YES", "NO"]);
    let issue = |prompt: &str| prompt.lines().find(|line| line.starts_with("Issue:")).map(str::to_owned);
    assert_eq!(issue(&tasks[0].prompt), issue(&tasks[1].prompt));
}
