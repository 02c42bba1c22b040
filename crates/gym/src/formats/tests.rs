//! Round trips through the formats, on real tasks.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::*;
use crate::episode::{
    Branch, End, FileChange, Grade, InvalidCause, Observation, ProgramRecord, Reply, Score, Step, Submission,
    TokenTrace, ToolCall,
};
use crate::rollout::World as _;
use crate::skills::{self, Build};
use crate::testkit;

/// Tasks of the skills and of `bugfix` from one bug record. The directory lives as long as the first value.
fn tasks() -> (tempfile::TempDir, Workshop, Vec<Arc<Task>>) {
    let (directory, workshop) = testkit::workshop();
    let record = testkit::record(&workshop);
    let build = Build { workshop: &workshop, max_turns: 8, max_variants: 4 };
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let known = skills::ALL.iter().filter(|skill| skill.suits_generated());
    let tasks = known.flat_map(|skill| skill.build(&build, &record, &mut rng).expect("it makes tasks"));
    let tasks = tasks.map(Arc::new).collect();
    (directory, workshop, tasks)
}

fn exported(name: &str, workshop: &Workshop, tasks: &[Arc<Task>], out: &Path) -> Result<Written, FormatError> {
    let Export::Tasks(write) = find(name).expect("a format").export else { panic!("`{name}` is written from tasks") };
    write(workshop, tasks, out)
}

fn imported(name: &str, workshop: &Workshop, path: &Path) -> Result<Yield, FormatError> {
    let Some(Import::Tasks(read)) = find(name).expect("a format").import else { panic!("`{name}` is read as tasks") };
    let downloads = tempfile::tempdir().expect("a directory");
    let downloads = LayerStore::open(downloads.path()).expect("a store");
    let skills = skills::ALL.iter().map(|skill| skill.name().to_owned()).collect();
    let recipe = Recipe { skills, records: 9, max_turns: 8, max_variants: 4, gated: true, seed: 0 };
    read(&Intake { workshop, downloads: &downloads, recipe: &recipe, repositories: None }, path)
}

/// The reward that the verifier of an exported task gives in a box that the solution was put into, or not.
fn verified(workshop: &Workshop, directory: &Path, solved: bool) -> Value {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path().display().to_string();
    let repo = crate::tree::Tree::from_dir(&directory.join("environment/repo"), &|_| false).expect("a tree");
    std::fs::create_dir_all(place.path().join("repo")).expect("made");
    repo.write_to(&place.path().join("repo")).expect("written");
    // The same scripts, in a root that is not the machine's.
    let moved = |path: &str| {
        let text = std::fs::read_to_string(directory.join(path)).expect("a script");
        let text = text.replace("REPOSITORY = \"/repo\"", &format!("REPOSITORY = \"{root}/repo\""));
        let text = text.replace("'/repo/", &format!("'{root}/repo/")).replace("/logs/", &format!("{root}/logs/"));
        std::fs::write(directory.join(format!("{path}.moved")), text).expect("written");
        directory.join(format!("{path}.moved"))
    };
    if solved {
        assert!(Command::new("sh").arg(moved("solution/solve.sh")).status().expect("sh starts").success());
    }
    let python = &workshop.toolchains.python.executable;
    let output = Command::new(python).args(["-I", "-B"]).arg(moved("tests/verify.py")).output().expect("python starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let reward = std::fs::read_to_string(place.path().join("logs/verifier/reward.json")).expect(&said);
    serde_json::from_str(&reward).expect("JSON")
}

#[test]
fn verifiers_of_exported_tasks_give_the_solution_one_and_nothing_zero() {
    let (_directory, workshop, tasks) = tasks();
    let place = tempfile::tempdir().expect("a directory");
    let out = place.path().join("tasks");
    let written = exported("harbor", &workshop, &tasks, &out).expect("written");
    assert_eq!((written.count, &written.left_out[..]), (tasks.len(), &[][..]));
    assert!(matches!(exported("harbor", &workshop, &tasks, &out), Err(FormatError::Taken(_))));
    for task in &tasks {
        let directory = out.join(format!("pkg-{}-{}", task.skill, task.id));
        assert_eq!(verified(&workshop, &directory, true), json!({"reward": 1}), "{}", task.skill);
        assert_eq!(verified(&workshop, &directory, false), json!({"reward": 0}), "{}", task.skill);
    }
}

#[test]
fn exported_tasks_come_back_and_pass_their_gates_elsewhere() {
    let (_directory, workshop, tasks) = tasks();
    let place = tempfile::tempdir().expect("a directory");
    let out = place.path().join("tasks");
    exported("harbor", &workshop, &tasks, &out).expect("written");
    let (_elsewhere, other) = testkit::workshop();
    let made = imported("harbor", &other, &out).expect("read");
    let failed: Vec<&str> = made.evidence.iter().map(|row| row.reason.as_str()).filter(|it| !it.is_empty()).collect();
    assert_eq!(failed, [""; 0]);
    let sorted =
        |tasks: Vec<&Task>| tasks.iter().map(|task| task.id.clone()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(made.tasks.iter().collect()), sorted(tasks.iter().map(Arc::as_ref).collect()));
}

#[test]
fn task_directories_of_others_and_unknown_fields_are_refused_before_anything_is_kept() {
    let (directory, workshop, tasks) = tasks();
    let place = tempfile::tempdir().expect("a directory");
    let out = place.path().join("tasks");
    exported("harbor", &workshop, &tasks[..2], &out).expect("written");
    let kept = || std::fs::read_dir(directory.path().join("blobs")).expect("blobs").count();
    let before = kept();
    let second = out.join(format!("pkg-{}-{}", tasks[1].skill, tasks[1].id));
    let manifest = second.join("task.toml");
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    let error = |text: &str| {
        std::fs::write(&manifest, text).expect("written");
        imported("harbor", &workshop, &out).expect_err("refused").to_string()
    };
    let unknown = error(&text.replace("workdir", "work_dir"));
    assert!(unknown.contains("task.toml") && unknown.contains("unknown field `work_dir`"), "{unknown}");
    assert!(error(&text.replace("\"1.4\"", "\"2.0\"")).contains("`schema_version` `2.0`, expected `1.4`"));
    std::fs::remove_file(second.join("tests/basis.json")).expect("removed");
    assert!(error(&text).contains("was not written by Basis"));
    assert_eq!(kept(), before);
}

#[test]
fn rows_of_swebench_lead_from_their_repository_to_the_healthy_tree() {
    let (_directory, workshop, tasks) = tasks();
    let place = tempfile::tempdir().expect("a directory");
    let out = place.path().join("rows");
    let written = exported("swebench", &workshop, &tasks, &out).expect("written");
    let others = tasks.iter().filter(|task| !["edit", "bugfix"].contains(&task.skill.as_str())).count();
    assert_eq!((written.count, written.left_out.len()), (2, others));
    let text = std::fs::read_to_string(out.join("rows.jsonl")).expect("rows");
    let row: Value = serde_json::from_str(text.lines().next().expect("a row")).expect("JSON");
    let field = |name: &str| row[name].as_str().unwrap_or_else(|| panic!("`{name}` is a text")).to_owned();
    let failing: Vec<String> = serde_json::from_str(&field("FAIL_TO_PASS")).expect("a list in a text");
    assert!(!failing.is_empty());
    let url = crate::sources::git::address(&out.join("repositories/basis__pkg").display().to_string()).expect("there");
    let downloads = tempfile::tempdir().expect("a directory");
    let store = LayerStore::open(downloads.path()).expect("a store");
    let repository = crate::sources::git::Repository::open(&url, Some(&field("base_commit")), &store).expect("opens");
    let base = repository.snapshot(&repository.head).expect("a tree").tree;
    let (tests, _) = patch::apply(&base, &field("test_patch")).expect("applies");
    let (healthy, _) = patch::apply(&tests, &field("patch")).expect("applies");
    assert_eq!(healthy, testkit::project().tree);
}

#[test]
fn a_row_without_a_field_is_named() {
    let (_directory, workshop, _) = tasks();
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("rows.jsonl");
    let error = |text: &str| {
        std::fs::write(&path, text).expect("written");
        imported("swebench", &workshop, &path).expect_err("refused").to_string()
    };
    let row = json!({"instance_id": "a__b-1", "repo": "a/b", "base_commit": "0", "patch": "", "test_patch": ""});
    let missing = error(&row.to_string());
    assert!(missing.contains("rows.jsonl` row 1: missing field `problem_statement`"), "{missing}");
    assert!(error("{").contains("line 1"));
    assert!(error("").contains("has no rows"));
}

fn played(task: &Arc<Task>, submission: Submission) -> Played {
    let episode = Episode {
        task: task.id.clone(),
        skill: task.skill.clone(),
        sample: 3,
        policy: "engine@2".into(),
        prompt: task.prompt.clone(),
        steps: steps(),
        end: Some(End::Submitted),
        submission,
        grade: Grade::Scored(Score {
            reward: 1.0,
            code: "ok".into(),
            detail: String::new(),
            table: vec![("t".into(), "passed".into())],
        }),
        tokens: Some(TokenTrace {
            ids: vec![1, 2, 3, 9, 4, 5, 9, 6, 7, 8, 0],
            sampled: [0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0].map(|it| it == 1).to_vec(),
            logprobs: vec![0.0, 0.0, -0.1, -2.5, 0.0, -0.3, -1e-7, 0.0, -0.5, -4.0, 0.0],
            weight_version: 2,
            takeovers: Vec::new(),
        }),
        program: Some(ProgramRecord {
            outcome: "exited with 0".into(),
            output: "done".into(),
            turns: 4,
            drifts: 0,
            branches: vec![Branch {
                trace: TokenTrace {
                    ids: vec![1, 2, 3, 7],
                    sampled: vec![false, false, true, true],
                    logprobs: vec![0.0, 0.0, -0.1, -0.7],
                    ..TokenTrace::default()
                },
                from: 3,
            }],
        }),
        acting: Duration::from_millis(1500),
        grading: Duration::from_nanos(7),
    };
    Played { run: "train-1".into(), key: format!("train/1/{}/3", task.id), episode, task: Some(task.clone()) }
}

fn steps() -> Vec<Step> {
    let seen = |text: &str, status| Observation { text: text.into(), status, duration: Duration::from_micros(12) };
    let edit = ToolCall::StrReplace { path: "a.py".into(), old: "x".into(), new: "y".into() };
    let called =
        Reply { text: "look".into(), calls: vec![ToolCall::Bash { command: "ls".into() }, edit], malformed: None };
    let broken = Reply { text: "{".into(), calls: vec![], malformed: Some("not JSON".into()) };
    let answer = Reply { text: "done".into(), ..Reply::default() };
    vec![
        Step { reply: called, observations: vec![seen("a.py", Some(0)), seen("ok", None)] },
        Step { reply: broken, observations: vec![seen("malformed reply", None)] },
        Step { reply: answer, observations: vec![] },
    ]
}

fn atif(played: &[Played]) -> (tempfile::TempDir, Vec<Episode>) {
    let place = tempfile::tempdir().expect("a directory");
    let (_directory, workshop) = testkit::workshop();
    let format = find("atif").expect("a format");
    let (Export::Episodes(write), Some(Import::Episodes(read))) = (&format.export, &format.import) else { panic!() };
    let out = place.path().join("trajectories");
    write(&workshop, played, &out).expect("written");
    let episodes = read(&workshop, &[], &out).expect("read");
    (place, episodes)
}

#[test]
fn episodes_come_back_from_trajectories_with_every_token() {
    let task = Arc::new(testkit::task());
    let whole = played(&task, Submission { answer: "done".into(), files: vec![] });
    let mut lost = played(&task, Submission::default());
    lost.key = "train/2/x/0".into();
    lost.episode.grade = Grade::Invalid(InvalidCause::Sandbox("lost".into()));
    lost.episode.end = None;
    // One turn was sampled and never came back.
    lost.episode.steps.pop();
    let mut plain = played(&task, Submission::default());
    plain.key = "train/3/x/0".into();
    plain.episode.tokens = None;
    let all = [whole, lost, plain];
    let (_place, mut episodes) = atif(&all);
    let find = |episode: &Episode, episodes: &mut Vec<Episode>| {
        let at = episodes.iter().position(|other| other == episode);
        at.map(|at| episodes.remove(at)).is_some()
    };
    for one in &all {
        assert!(find(&one.episode, &mut episodes), "{:?} is not among {episodes:?}", one.episode);
    }
}

#[test]
fn a_turns_prompt_and_completion_stand_in_the_fields_of_the_format() {
    let task = Arc::new(testkit::task());
    let (place, _) = atif(&[played(&task, Submission::default())]);
    let file = place.path().join(format!("trajectories/train-1-{}-3.json", task.id));
    let value: Value = serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON");
    assert_eq!(value["schema_version"], "ATIF-v1.8");
    assert_eq!(value["steps"][2]["metrics"]["prompt_token_ids"], json!([1, 2, 3, 9, 4]));
    assert_eq!(value["steps"][2]["metrics"]["completion_token_ids"], json!([5, 9]));
    assert_eq!(value["steps"][1]["observation"]["results"][1]["source_call_id"], "call_1_1");
}

#[test]
fn trajectories_of_others_are_read_ungraded_and_wrong_ones_are_named() {
    let (_directory, workshop) = testkit::workshop();
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("t.json");
    let read = |value: &Value| {
        std::fs::write(&path, value.to_string()).expect("written");
        let Some(Import::Episodes(read)) = &find("atif").expect("a format").import else { panic!("it is read") };
        read(&workshop, &[], &path)
    };
    let call = json!({"tool_call_id": "c", "function_name": "bash", "arguments": {"command": "ls"}});
    let agent = json!({"step_id": 2, "source": "agent", "message": "x", "tool_calls": [call]});
    let mut value = json!({"schema_version": "ATIF-v1.6", "agent": {"name": "other", "version": "1"},
        "steps": [{"step_id": 1, "source": "user", "message": [{"type": "text", "text": "do it"}]}, agent]});
    let episodes = read(&value).expect("read");
    assert_eq!((episodes[0].prompt.as_str(), episodes[0].policy.as_str()), ("do it", "other"));
    assert!(matches!(episodes[0].grade, Grade::Invalid(InvalidCause::Grader(_))));
    value["steps"][1]["tool_calls"][0]["function_name"] = json!("browse");
    let error = read(&value).expect_err("refused").to_string();
    assert!(error.contains("`tool_calls` of step 2: there is no tool `browse`"), "{error}");
    value["steps"][1]["cost"] = json!(1);
    let error = read(&value).expect_err("refused").to_string();
    assert!(error.contains("unknown field `cost`"), "{error}");
    value["schema_version"] = json!("ATIF-v2.0");
    assert!(read(&value).expect_err("refused").to_string().contains("`schema_version` `ATIF-v2.0`"));
}

#[test]
fn predictions_are_patches_that_get_the_grade_of_the_submission() {
    let (_directory, workshop, tasks) = tasks();
    let task = tasks.iter().find(|task| task.skill == "bugfix").expect("there is one");
    let gold = skills::find("bugfix").expect("a skill").reference(&workshop, task).expect("gold");
    let wrong = FileChange {
        path: "pkg/report.py".into(),
        content: Some("def total_capped(values, high):\n    return 0\n".into()),
    };
    let all = [played(task, gold), played(task, Submission { answer: String::new(), files: vec![wrong] })];
    let place = tempfile::tempdir().expect("a directory");
    let out = place.path().join("predictions.jsonl");
    let format = find("swebench-predictions").expect("a format");
    let (Export::Episodes(write), Some(Import::Episodes(read))) = (&format.export, &format.import) else { panic!() };
    write(&workshop, &all, &out).expect("written");
    let episodes = read(&workshop, &tasks, &out).expect("read");
    assert_eq!(episodes.iter().map(Episode::reward).collect::<Vec<_>>(), [Some(1.0), Some(0.0)]);
    assert_eq!(episodes[0].submission.files, all[0].episode.submission.files);
    assert_eq!((episodes[1].sample, episodes[1].policy.as_str()), (1, "engine@2"));
    assert_eq!(workshop.grade(task, &episodes[0].submission), episodes[0].grade);
    let unknown = read(&workshop, &[], &out).expect_err("refused").to_string();
    assert!(unknown.contains("prediction 1: `instance_id`"), "{unknown}");
}

#[test]
fn rows_for_trainers_have_their_fields_and_tell_nothing_hidden() {
    let (_directory, workshop, tasks) = tasks();
    let place = tempfile::tempdir().expect("a directory");
    let rows = |name: &str| -> Vec<Value> {
        let out = place.path().join(format!("{name}.jsonl"));
        exported(name, &workshop, &tasks, &out).expect("written");
        let text = std::fs::read_to_string(out).expect("rows");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let prompt = json!([{"role": "user", "content": tasks[0].prompt}]);
    let verl = rows("verl");
    assert_eq!((verl.len(), &verl[0]["prompt"], &verl[0]["extra_info"]["index"]), (tasks.len(), &prompt, &json!(0)));
    assert_eq!(verl[0]["reward_model"], json!({"style": "rule", "ground_truth": tasks[0].id}));
    assert_eq!(verl.last().expect("a row")["extra_info"]["split"], "test", "composite kinds are not trained on");
    assert_eq!(rows("skyrl")[0]["reward_spec"]["ground_truth"], json!(tasks[0].id));
    assert_eq!(rows("trl")[0]["prompt"], prompt);
    assert_eq!(rows("nemo")[0]["responses_create_params"]["input"], prompt);
    let hidden = |row: &Value| row.to_string().contains("fail_to_pass") || row.to_string().contains("gold");
    assert!(!verl.iter().any(hidden));
    let error = exported("verl", &workshop, &tasks, &place.path().join("rows.csv")).expect_err("refused").to_string();
    assert!(error.contains("end the name in `.parquet` or `.jsonl`"), "{error}");
}
