//! `runs` and `show` over a run that the test records itself.

use std::time::Duration;

use basis_gym::episode::{
    End, Episode, FileChange, Grade, InvalidCause, Observation, Reply, Score, Step, Submission, TokenTrace, ToolCall,
};
use basis_gym::store::{Recorder, RunStart};
use insta::assert_snapshot;

use crate::support::World;

#[test]
fn an_empty_store_says_so() {
    assert_snapshot!(World::new().run(&["runs"]));
}

#[test]
fn a_run_that_is_not_there_is_named() {
    assert_snapshot!(World::new().run(&["show", "train-1"]));
}

#[test]
fn an_episode_that_is_not_there_is_named() {
    let world = recorded();
    assert_snapshot!(world.run(&["show", "last", "99"]));
}

#[test]
fn runs_lists_state_and_rewards() {
    let text = recorded().run(&["runs"]);
    insta::with_settings!({ filters => [(r"\d+ s ", "N s ")] }, { assert_snapshot!(text) });
}

#[test]
fn show_sums_a_run_up() {
    assert_snapshot!(recorded().run(&["show", "last"]));
}

#[test]
fn show_lists_episodes_of_a_skill() {
    assert_snapshot!(recorded().run(&["show", "last", "--list", "--skill", "edit"]));
}

#[test]
fn show_tells_what_an_agent_did() {
    assert_snapshot!(recorded().run(&["show", "last", "train/1/8c1f"]));
}

#[test]
fn show_shortens_long_texts_unless_told_otherwise() {
    let world = recorded();
    let long = |arguments: &[&str]| world.run(arguments).contains("line 99");
    assert!(!long(&["show", "last", "2"]));
    assert!(long(&["show", "last", "2", "--full"]));
}

#[test]
fn show_says_why_an_episode_is_invalid() {
    assert_snapshot!(recorded().run(&["show", "last", "3"]));
}

#[test]
fn show_gives_the_whole_episode_as_json() {
    let text = recorded().run(&["show", "last", "1", "--json"]);
    let line = text.lines().find(|line| line.starts_with('{')).unwrap();
    assert_eq!(serde_json::from_str::<Episode>(line).unwrap(), edited());
}

#[test]
fn a_damaged_run_is_listed_and_named() {
    let world = recorded();
    let run = world.path().join(".basis/runs/train-20260102-030405");
    std::fs::write(run.join("run.db"), "not a database, but as long as the header of one has to be to be read")
        .unwrap();
    let listed = world.run(&["runs"]).lines().last().unwrap().to_owned();
    assert_snapshot!(format!("{listed}\n{}", world.run(&["show", "last"])));
}

/// A world with one complete run of three episodes under a fixed name.
fn recorded() -> World {
    let world = World::new();
    let root = world.path().join(".basis/runs");
    let recorder = Recorder::create(&root, RunStart { command: "train", config: "" }).unwrap();
    let run = recorder.dir().to_path_buf();
    recorder.record("eval-before", 0, &edited()).unwrap();
    recorder.record("train", 1, &localized()).unwrap();
    recorder.record("train", 1, &lost()).unwrap();
    recorder.finish(serde_json::Value::Null).unwrap();
    std::fs::rename(&run, root.join("train-20260102-030405")).unwrap();
    world
}

fn edited() -> Episode {
    let call = ToolCall::StrReplace {
        path: "pkg/clamp.py".to_owned(),
        old: "if value < low:".to_owned(),
        new: "if value <= low:".to_owned(),
    };
    let table = vec![("tests/test_clamp.py::test_low".to_owned(), "passed".to_owned())];
    Episode {
        task: "0f3a".to_owned(),
        skill: "edit".to_owned(),
        sample: 0,
        policy: "engine".to_owned(),
        prompt: "In `pkg/clamp.py`, change the comparison in `clamp`.".to_owned(),
        steps: vec![
            step("I look first.", bash("cat pkg/clamp.py"), "def clamp(value, low, high):\n    ...", Some(0)),
            step("", call, "replaced", None),
        ],
        end: Some(End::Submitted),
        submission: Submission {
            answer: "done".to_owned(),
            files: vec![FileChange { path: "pkg/clamp.py".to_owned(), content: Some("def clamp…\n".to_owned()) }],
        },
        grade: Grade::Scored(Score {
            reward: 1.0,
            code: "ok".to_owned(),
            detail: "every test passes".to_owned(),
            table,
        }),
        tokens: Some(TokenTrace {
            ids: vec![1, 2, 3, 4],
            sampled: vec![false, true, true, false],
            logprobs: vec![0.0, -0.5, -0.25, 0.0],
            weight_version: 3,
            ..TokenTrace::default()
        }),
        program: None,
        acting: Duration::from_millis(1234),
        grading: Duration::from_millis(250),
    }
}

fn localized() -> Episode {
    let lines: Vec<String> = (1..100).map(|line| format!("line {line}")).collect();
    Episode {
        task: "8c1f".to_owned(),
        skill: "localize".to_owned(),
        policy: "scripted".to_owned(),
        prompt: "`clamp(3, 5, 9)` gives 3, expected 5. Which file is wrong?".to_owned(),
        steps: vec![step("\u{1b}[2Jgrep", bash("grep -rn clamp ."), &lines.join("\n"), Some(2))],
        submission: Submission { answer: "pkg/other.py".to_owned(), files: Vec::new() },
        grade: Grade::Scored(Score {
            reward: -1.0,
            code: "wrong_files".to_owned(),
            detail: "expected pkg/clamp.py".to_owned(),
            table: Vec::new(),
        }),
        tokens: None,
        ..edited()
    }
}

fn lost() -> Episode {
    Episode {
        task: "a001".to_owned(),
        steps: Vec::new(),
        end: None,
        submission: Submission::default(),
        grade: Grade::Invalid(InvalidCause::Sandbox("no space left".to_owned())),
        tokens: None,
        ..edited()
    }
}

fn bash(command: &str) -> ToolCall {
    ToolCall::Bash { command: command.to_owned() }
}

fn step(text: &str, call: ToolCall, seen: &str, status: Option<i32>) -> Step {
    let observation = Observation { text: seen.to_owned(), status, duration: Duration::from_millis(20) };
    Step { reply: Reply { text: text.to_owned(), calls: vec![call], malformed: None }, observations: vec![observation] }
}
