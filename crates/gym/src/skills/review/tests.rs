//! Golden cases.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Build, candidates, diff};
use crate::grade::probes::differing;
use crate::issue::Issue;
use crate::skills::tests::{Case, check, tasks};
use crate::testkit;

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
    let (_directory, workshop, tasks) = tasks("review");
    assert_eq!(tasks.len(), 2);
    assert!(!tasks[0].pair.is_empty() && tasks[0].pair == tasks[1].pair);
    let labels: Vec<&str> = tasks.iter().filter_map(|task| task.hidden["label"].as_str()).collect();
    assert_eq!(labels, ["YES", "NO"]);
    let issue = |prompt: &str| prompt.lines().find(|line| line.starts_with("Issue:")).map(str::to_owned);
    assert_eq!(issue(&tasks[0].prompt), issue(&tasks[1].prompt));
    // Which tests are missing must not tell which of the two it is.
    let shown = tasks.iter().map(|task| workshop.blobs.tree(&task.context.tree).expect("a tree"));
    let tests: Vec<_> = shown.map(|tree| tree.text("tests/test_limits.py").map(str::to_owned)).collect();
    assert_eq!(tests[0], tests[1]);
}

#[test]
fn right_changes_need_not_be_what_was_there_before_and_probes_tell_them_from_wrong_ones() {
    let (_directory, workshop) = testkit::workshop();
    let record = testkit::record(&workshop);
    let build = Build { workshop: &workshop, max_turns: 8, max_variants: 4 };
    let issue = Issue { call: "cap_value(0, 1, 5)".into(), expected: "1".into(), ..Issue::default() };
    let path = "pkg/limits.py";
    let mut reworded = 0;
    for seed in 0..8 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let pair = candidates::choose(&build, &record, &issue, &mut rng).expect("the record makes a pair");
        let text = |tree: &crate::tree::Tree| tree.text(path).expect("the file is there").to_owned();
        let (right, wrong, healthy) = (text(&pair.right), text(&pair.wrong), text(&record.fixed));
        assert_eq!(pair.reworded.is_some(), right != healthy);
        assert!(pair.reworded.is_none_or(|score| score >= 0.9), "{:?}", pair.reworded);
        reworded += usize::from(pair.reworded.is_some());
        assert!(!pair.failing.is_empty() && pair.probes.len() >= 3, "{:?}", pair.probes);
        let told = differing(&workshop, &record.tests, &record.fixed, path, &[right, wrong], &pair.probes);
        let told = told.expect("sandboxes work");
        assert!(told[0].is_empty() && !told[1].is_empty(), "{told:?}");
    }
    assert!((1..8).contains(&reworded), "{reworded} of 8");
}

#[test]
fn other_words_are_not_believed_where_mistakes_go_unnoticed() {
    let (_directory, workshop) = testkit::workshop();
    let build = Build { workshop: &workshop, max_turns: 8, max_variants: 4 };
    let issue = Issue { call: "cap_value(0, 1, 5)".into(), expected: "1".into(), ..Issue::default() };
    let mut record = testkit::record(&workshop);
    // A part of the function that no test enters; nor does a probe, because its arguments are far away from all that tests use.
    for tree in [&mut record.fixed, &mut record.buggy] {
        let text = tree.text("pkg/limits.py").expect("the file is there");
        let unseen = "    if value == 987654:\n        return low + 17 - high * 3\n    if value > high:";
        let text = text.replacen("    if value > high:", unseen, 1);
        assert!(text.contains("987654"), "{text}");
        tree.insert("pkg/limits.py", text);
    }
    for seed in 0..8 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let pair = candidates::choose(&build, &record, &issue, &mut rng).expect("the record makes a pair");
        assert_eq!(pair.reworded, None);
    }
}

#[test]
fn a_diff_has_no_metadata() {
    let text = diff("a.py", "x = 1\n", "x = 2\n");
    assert_eq!(text, "--- a.py\n+++ a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n");
}
