//! From a package to gated tasks and to a measured policy.

use basis_gym::episode::{Grade, Score};
use basis_gym::pack::Pack;
use basis_gym::store::{self, EpisodeFilter, Reader, Regrader};
use serde_json::Value;

use crate::support::{MODULE, World};

const TESTS: &str = "\
from pkg.limits import cap_value, total_capped


def test_below():
    assert cap_value(0, 1, 5) == 1


def test_above():
    assert cap_value(7, 1, 5) == 5


def test_inside():
    assert cap_value(2, 1, 5) == 2


def test_equal():
    assert cap_value(4, 4, 4) == 4


def test_empty():
    assert total_capped([], 5) == 1


def test_sum():
    assert total_capped([2, 3], 5) == 6


def test_capped():
    assert total_capped([-1, 9], 4) == 5
";

pub(crate) fn package(world: &World) {
    write(world, "project", &[("pkg/__init__.py", ""), ("pkg/limits.py", MODULE), ("tests/test_limits.py", TESTS)]);
}

fn write(world: &World, directory: &str, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = world.path().join(directory).join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// The success rate of each skill, from `basis eval --json`.
fn rates(text: &str) -> Vec<f64> {
    let line = text.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no JSON in {text}"));
    let evaluation: Value = serde_json::from_str(line).unwrap();
    evaluation["skills"].as_object().unwrap().values().map(|skill| skill["success"].as_f64().unwrap()).collect()
}

#[test]
fn a_package_becomes_gated_tasks_that_the_reference_solves_and_nothing_does_not() {
    let world = World::new();
    package(&world);
    let mined = world.run(&["mine", "project", "--records", "3", "--out", "pack"]);
    assert!(mined.starts_with("exit code 0"), "{mined}");
    let gated = world.run(&["gate", "pack"]);
    assert!(gated.starts_with("exit code 0"), "{gated}");
    let reference = world.run(&["eval", "pack", "--policy", "reference", "-k", "1", "--json"]);
    assert!(rates(&reference).iter().all(|rate| *rate == 1.0), "{reference}");
    let nothing = world.run(&["eval", "pack", "--policy", "nothing", "-k", "1", "--json"]);
    assert!(rates(&nothing).iter().all(|rate| *rate == 0.0), "{nothing}");
    // Said twice, kept once.
    let measured = [(); 2].map(|()| world.run(&["gate", "pack", "--measured", "last"]));
    assert!(
        measured.iter().all(|text| text.starts_with("exit code 0") && text.contains("never solved")),
        "{measured:?}"
    );
    let kept = std::fs::read_to_string(world.path().join("pack/measured.jsonl")).unwrap();
    let tasks = std::fs::read_to_string(world.path().join("pack/tasks.jsonl")).unwrap();
    assert_eq!(kept.lines().count(), tasks.lines().count());
    assert!(kept.lines().all(|row| row.contains("\"model\":\"nothing\"") && row.contains("\"solved\":0")), "{kept}");
    let shown = world.run(&["show", "last", "1"]);
    assert!(shown.contains("== task") && shown.contains("== grade"), "{shown}");
}

#[test]
fn what_agents_handed_in_becomes_gated_review_tasks() {
    let world = World::new();
    let steps: [&[&str]; 4] = [
        &["mine", "generated:7", "--records", "4", "--skills", "bugfix", "--out", "pack"],
        &["eval", "pack", "--policy", "scripted", "-k", "6"],
        &["mine", "run:last", "--pack", "pack", "--out", "reviews"],
        &["gate", "reviews"],
    ];
    for step in steps {
        let output = world.run(step);
        assert!(output.starts_with("exit code 0"), "{output}");
    }
    let pack = Pack::open(&world.path().join("reviews")).unwrap();
    let reviews = pack.of_skill("review");
    assert!(reviews.len() >= 2 && reviews.len() == pack.tasks.len(), "{} of {}", reviews.len(), pack.tasks.len());
    assert!(reviews.iter().all(|task| reviews.iter().filter(|other| other.pair == task.pair).count() == 2));
    let bad: [(&[&str], &str, &str); 3] = [
        (&["mine", "run:last"], "2", "--pack"),
        (&["mine", "generated:7", "--pack", "pack"], "2", "the source is no run"),
        (&["mine", "run:last", "--pack", "reviews", "--out", "more"], "3", "no tasks of `bugfix` or `bugfix_multi`"),
    ];
    for (arguments, code, names) in bad {
        let output = world.run(arguments);
        assert!(output.starts_with(&format!("exit code {code}")) && output.contains(names), "{output}");
    }
    assert!(!world.path().join("more").exists());
}

#[test]
fn a_rust_crate_becomes_gated_tasks_that_the_reference_solves_and_nothing_does_not() {
    let world = World::new();
    let manifest = "[package]\nname = \"caps\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let lock = "version = 3\n\n[[package]]\nname = \"caps\"\nversion = \"0.1.0\"\n";
    let library = "pub mod words;\n\npub fn cap(value: i64, low: i64, high: i64) -> i64 {\n    if value < low {\n        return low;\n    }\n    if value > high { high } else { value }\n}\n\n#[cfg(test)]\nmod tests {\n    use super::cap;\n\n    #[test]\n    fn low() {\n        assert_eq!(cap(0, 1, 5), 1);\n    }\n\n    #[test]\n    fn high() {\n        assert_eq!(cap(7, 1, 5), 5);\n    }\n\n    #[test]\n    fn between() {\n        assert_eq!(cap(2, 1, 5), 2);\n    }\n}\n";
    let words = "pub fn count(text: &str) -> usize {\n    text.split_whitespace().count()\n}\n";
    let tests = "#[test]\nfn two() {\n    assert_eq!(caps::words::count(\"a b\"), 2);\n}\n";
    let files = [
        ("Cargo.toml", manifest),
        ("Cargo.lock", lock),
        ("src/lib.rs", library),
        ("src/words.rs", words),
        ("tests/words.rs", tests),
    ];
    write(&world, "project", &files);
    let mined = world.run(&["mine", "project", "--records", "1", "--skills", "localize,edit", "--out", "pack"]);
    assert!(mined.starts_with("exit code 0") && mined.contains("2 tasks in"), "{mined}");
    let reference = world.run(&["eval", "pack", "--policy", "reference", "-k", "1", "--json"]);
    assert_eq!(rates(&reference), [1.0, 1.0], "{reference}");
    let nothing = world.run(&["eval", "pack", "--policy", "nothing", "-k", "1", "--json"]);
    assert_eq!(rates(&nothing), [0.0, 0.0], "{nothing}");
}

#[test]
fn regrading_takes_back_what_an_older_grader_gave() {
    let world = World::new();
    package(&world);
    let mined = world.run(&["mine", "project", "--records", "1", "--skills", "localize,edit", "--out", "pack"]);
    assert!(mined.starts_with("exit code 0"), "{mined}");
    let nothing = world.run(&["eval", "pack", "--policy", "nothing", "-k", "1"]);
    assert!(nothing.starts_with("exit code 0"), "{nothing}");
    // As if a grader had been content with nothing when the run was made.
    let run = store::find_run(&world.path().join(".basis/runs"), "last").unwrap();
    let id = {
        let reader = Reader::open(&run).unwrap();
        let row = reader.rows(&EpisodeFilter::default()).unwrap().into_iter().find(|row| row.skill == "edit").unwrap();
        let episode = reader.episode(&row.id.to_string()).unwrap();
        drop(reader);
        let score = Score { reward: 1.0, code: "ok".into(), detail: String::new(), table: Vec::new() };
        Regrader::open(&run).unwrap().replace(row.id, &episode.1, Grade::Scored(score)).unwrap();
        row.id
    };
    let taken_back = format!("{id} eval/0/");
    for (arguments, changed, wrote) in [
        (&["regrade", "last", "--pack", "pack", "--dry-run"][..], "1 of 2 grades changed", "nothing was written"),
        (&["regrade", "last", "--pack", "pack"][..], "1 of 2 grades changed", "the old grades are kept in the run"),
        (&["regrade", "last", "--pack", "pack"][..], "0 of 2 grades changed", ""),
    ] {
        let text = world.run(arguments);
        assert!(text.starts_with("exit code 0") && text.contains(changed) && text.contains(wrote), "{text}");
        let says_which = text.contains(&taken_back) && text.contains("1 (ok) -> 0 (");
        assert_eq!(says_which, changed.starts_with('1'), "{text}");
    }
}

#[test]
fn bad_input_is_one_line_with_its_exit_code() {
    let world = World::new();
    package(&world);
    std::fs::create_dir(world.path().join("empty")).unwrap();
    write(&world, "model", &[("config.json", "{")]);
    write(&world, "untested", &[("pkg/__init__.py", "")]);
    let failing = "from pkg.limits import cap_value\ndef test_wrong(): assert cap_value(0, 1, 5) == 0\n";
    write(&world, "failing", &[("pkg/__init__.py", ""), ("pkg/limits.py", MODULE), ("tests/test_limits.py", failing)]);
    let cases: &[(&[&str], &str, &str)] = &[
        (&["mine", "untested"], "3", "name a directory with its tests"),
        (&["mine", "failing"], "3", "make its tests pass"),
        (&["mine", "pypi:-e ."], "3", "pypi:<name>"),
        (&["mine", "crate:a b"], "3", "crate:<name>"),
        (&["mine", "empty"], "3", "empty"),
        (&["mine", "missing"], "3", "missing"),
        (&["mine", "project", "--skills", "dance"], "2", "dance"),
        (&["gate", "nowhere"], "3", "nowhere"),
        (&["mine", "project", "--set", "python.interpreter=/nonexistent"], "4", "/nonexistent"),
        (&["train", "--pack", "nowhere"], "3", "nowhere"),
    ];
    for (arguments, code, named) in cases {
        let text = world.run(arguments);
        assert!(text.starts_with(&format!("exit code {code}\n")), "{arguments:?}: {text}");
        let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error:")).collect();
        assert!(errors.len() == 1 && errors[0].contains(named), "{arguments:?}: {text}");
    }
    let left = std::fs::read_dir(world.path().join("packs")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "a package that cannot be used leaves no half of a pack");
}

#[test]
fn a_damaged_pack_a_damaged_model_and_a_dead_server_are_named() {
    let world = World::new();
    package(&world);
    let mined = world.run(&["mine", "project", "--records", "1", "--skills", "localize", "--out", "pack"]);
    assert!(mined.starts_with("exit code 0"), "{mined}");
    let server = ["--set", "policy.url=http://127.0.0.1:9/v1", "--set", "policy.model=none"];
    let dead = world.run(&[&["eval", "pack", "--policy", "http", "-k", "1"][..], &server[..]].concat());
    assert!(dead.starts_with("exit code 5") && dead.contains("127.0.0.1:9"), "{dead}");

    std::fs::create_dir(world.path().join("model")).unwrap();
    std::fs::write(world.path().join("model/config.json"), "{").unwrap();
    let model = world.run(&["eval", "pack", "--model", "model"]);
    assert!(model.starts_with("exit code 3") && model.contains("model/"), "{model}");

    let tasks = world.path().join("pack/tasks.jsonl");
    std::fs::write(&tasks, std::fs::read_to_string(&tasks).unwrap().replace("localize", "localise")).unwrap();
    let pack = world.run(&["gate", "pack"]);
    assert!(pack.starts_with("exit code 3") && pack.contains("tasks.jsonl"), "{pack}");
}
