//! From the history of a repository to gated tasks.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use basis_gym::pack::Pack;

use crate::support::{MODULE, World};

const TESTS: &str = "\
from pkg.limits import cap_value, total_capped


def test_above():
    assert cap_value(7, 1, 5) == 5


def test_inside():
    assert cap_value(2, 1, 5) == 2


def test_equal():
    assert cap_value(4, 4, 4) == 4


def test_sum():
    assert total_capped([2, 3], 5) == 6
";

const MORE_TESTS: &str = "

def test_below():
    assert cap_value(0, 1, 5) == 1


def test_far_below():
    assert cap_value(-7, -2, 5) == -2
";

/// Five commits, of which one repairs something that its tests show.
fn history(world: &World) {
    let repository = world.path().join("project");
    std::fs::create_dir(&repository).unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(&repository).args(["-c", "user.name=A", "-c", "user.email=a@example.org"]).args(arguments);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_AUTHOR_DATE", "2024-06-15T12:00:00Z").env("GIT_COMMITTER_DATE", "2024-06-15T12:00:00Z");
        assert!(command.status().unwrap().success(), "{arguments:?}");
    };
    let commit = |message: &str, files: &[(&str, &str)]| {
        for (path, text) in files {
            let path = repository.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message", message]);
    };
    git(&["init", "--quiet", "--initial-branch", "main"]);
    let buggy = MODULE.replacen("return low", "return high", 1);
    let metadata = "[project]\nname = \"pkg\"\nversion = \"1\"\nlicense = \"MIT\"\n";
    let start = [
        ("pyproject.toml", metadata),
        ("pkg/__init__.py", ""),
        ("pkg/limits.py", &buggy),
        ("tests/test_limits.py", TESTS),
    ];
    commit("Start", &start);
    commit("Say more", &[("README.md", "Limits.\n")]);
    let tests = format!("{TESTS}{MORE_TESTS}");
    let repair = [("pkg/limits.py", MODULE), ("tests/test_limits.py", &tests), ("CHANGES.md", "Small values.\n")];
    commit("Small values come back as the upper bound (#3)", &repair);
    let more = format!("{tests}\n\ndef test_empty():\n    assert total_capped([], 5) == 1\n");
    commit("Test the empty sum", &[("tests/test_limits.py", &more)]);
    commit("Shorten", &[("pkg/limits.py", &MODULE.replace("total = total + cap", "total += cap"))]);
}

#[test]
fn a_repair_in_a_history_becomes_gated_tasks() {
    let world = World::new();
    history(&world);
    let mined = world.run(&["mine", "project", "--bugs", "history", "--out", "pack"]);
    assert!(mined.starts_with("exit code 0"), "{mined}");
    let row = |name: &str| {
        let line = mined.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {mined}"));
        line[name.len()..].split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("candidate commits"), "1 1 first_commit, 2 no_source, 1 no_test");
    assert_eq!(row("bug records from history"), "1");
    let pack = Pack::open(&world.path().join("pack")).unwrap();
    let bugfix = &pack.of_skill("bugfix")[0];
    assert!(bugfix.prompt.contains("Small values come back as the upper bound\n"), "{}", bugfix.prompt);
    let revision = bugfix.origin.revision.as_ref().unwrap();
    assert_eq!((revision.date.as_str(), revision.is_fix), ("2024-06-15", true));
    assert_eq!(bugfix.context.tests.before.as_deref(), Some("2024-07-01"));
    let shown = pack.blobs.tree(&bugfix.context.tree).unwrap();
    assert!(!shown.contains("CHANGES.md") && !shown.text("tests/test_limits.py").unwrap().contains("test_below"));
    for skill in ["localize", "edit", "review"] {
        assert!(!pack.of_skill(skill).is_empty(), "{skill}: {mined}");
    }
    let gated = world.run(&["gate", "pack"]);
    assert!(gated.starts_with("exit code 0"), "{gated}");
}

#[test]
fn a_row_of_swebench_over_a_real_history_becomes_gated_tasks_that_the_reference_solves() {
    let world = World::new();
    history(&world);
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(world.path().join("project")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // The third commit is the repair.
    let base = git(&["rev-parse", "HEAD~3"]);
    let part = |path: &str| git(&["diff", "HEAD~3", "HEAD~2", "--", path]);
    let mut row = serde_json::json!({
        "instance_id": "owner__project-3", "repo": "owner/project", "base_commit": base.trim(),
        "patch": part("pkg"), "test_patch": part("tests"), "version": "1",
        "problem_statement": "Small values come back as the upper bound\n\nThey should come back as the lower one.",
        "FAIL_TO_PASS": serde_json::json!(["tests/test_limits.py::test_below"]).to_string(),
        "PASS_TO_PASS": serde_json::json!(["tests/test_limits.py::test_above"]).to_string(),
    });
    let import = |row: &serde_json::Value, out: &str| {
        std::fs::write(world.path().join("rows.jsonl"), row.to_string()).unwrap();
        world.run(&["import", "rows.jsonl", "--format", "swebench", "--repositories", ".", "--out", out])
    };
    let imported = import(&row, "pack");
    assert!(imported.starts_with("exit code 0"), "{imported}");
    let pack = Pack::open(&world.path().join("pack")).unwrap();
    let bugfix = &pack.of_skill("bugfix")[0];
    assert!(bugfix.prompt.contains("Small values come back as the upper bound\n"), "{}", bugfix.prompt);
    assert_eq!((bugfix.origin.source.as_str(), bugfix.origin.locator.as_str()), ("swebench", "owner__project-3"));
    let gated = world.run(&["gate", "pack"]);
    assert!(gated.starts_with("exit code 0"), "{gated}");
    let solved = world.run(&["eval", "pack", "--policy", "reference", "-k", "1", "--skills", "bugfix", "--json"]);
    assert!(solved.starts_with("exit code 0") && solved.contains("\"success\":1.0"), "{solved}");
    // What a row promises has to be so here, and what it lacks is named; nothing is kept of either.
    row["FAIL_TO_PASS"] = serde_json::json!(["tests/test_limits.py::test_sum"]);
    let promised = import(&row, "other");
    assert!(promised.contains("`FAIL_TO_PASS` has `tests/test_limits.py::test_sum`"), "{promised}");
    row.as_object_mut().unwrap().remove("base_commit");
    let lacking = import(&row, "other");
    assert!(lacking.contains("row 1: missing field `base_commit`"), "{lacking}");
    assert!(!lacking.starts_with("exit code 0") && !world.path().join("other").exists());
}

#[test]
fn a_killed_mine_goes_on_and_ends_with_the_same_pack() {
    let world = World::new();
    history(&world);
    let arguments = |out| ["mine", "project", "--records", "1", "--skills", "localize,edit,bugfix", "--out", out];
    let whole = world.run(&arguments("whole"));
    assert!(whole.starts_with("exit code 0"), "{whole}");
    let mut child = world.command(&arguments("killed")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let settled = world.path().join("killed/unfinished/settled.jsonl");
    let lines = || std::fs::read_to_string(&settled).map_or(0, |text| text.lines().count());
    let start = Instant::now();
    // The five commits and some of what follows.
    while lines() < 7 && start.elapsed() < Duration::from_secs(300) && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(settled.exists() && !world.path().join("killed/pack.toml").exists(), "it was killed too late");
    let again = world.run(&arguments("killed"));
    assert!(again.starts_with("exit code 0") && again.contains("going on where an earlier run was"), "{again}");
    let digests = |out: &str| {
        let manifest = Pack::open(&world.path().join(out)).unwrap().manifest;
        (manifest.tasks_digest, manifest.gates_digest)
    };
    assert_eq!(digests("killed"), digests("whole"));
    assert!(!world.path().join("killed/unfinished").exists());
}

#[test]
fn what_is_no_usable_repository_is_named() {
    let world = World::new();
    history(&world);
    std::fs::create_dir_all(world.path().join("plain/pkg")).unwrap();
    std::fs::write(world.path().join("plain/pkg/__init__.py"), "").unwrap();
    std::fs::write(world.path().join("plain/test_pkg.py"), "def test(): pass\n").unwrap();
    let cases: &[(&[&str], &str, &str)] = &[
        (&["mine", "project", "--revision", "nowhere"], "3", "no revision `nowhere`"),
        (&["mine", "plain", "--revision", "main"], "3", "has no revisions"),
        (&["mine", "plain", "--bugs", "history"], "2", "has no history"),
        (&["mine", "git:ext::sh -c true"], "3", "not allowed"),
        (&["mine", "git:/nowhere"], "3", "/nowhere"),
    ];
    for (arguments, code, named) in cases {
        let text = world.run(arguments);
        assert!(text.starts_with(&format!("exit code {code}\n")), "{arguments:?}: {text}");
        let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error:")).collect();
        assert!(errors.len() == 1 && errors[0].contains(named), "{arguments:?}: {text}");
    }
}
