//! The backend `container`, where the tests were given an engine: that verdicts do not depend on what isolates the code.

use basis_gym::episode::Grade;
use basis_gym::store::{EpisodeFilter, Reader, list_runs};

use crate::support::World;

/// Names the socket of the engine that tests may use.
const ENGINE: &str = "BASIS_TEST_ENGINE";

/// What selects the engine's containers; `None` where the tests were given no engine.
fn engine() -> Option<[String; 2]> {
    match std::env::var(ENGINE) {
        Ok(socket) if std::path::Path::new(socket.trim_start_matches("unix://")).exists() => {
            Some(["sandbox.backend=container".into(), format!("sandbox.container.socket={socket}")])
        }
        _ => {
            eprintln!("skipped: {ENGINE} does not name the socket of an engine");
            None
        }
    }
}

/// Task, sample and verdict of each episode that a policy plays on `pack`.
fn verdicts(world: &World, policy: &str, backend: &[String]) -> Vec<(String, u32, Grade)> {
    let runs = format!("run.dir=runs-{policy}-{}", backend.len());
    let mut arguments = vec!["eval", "pack", "--policy", policy, "-k", "1", "--set", &runs];
    arguments.extend(backend.iter().flat_map(|setting| ["--set", setting]));
    let text = world.run(&arguments);
    assert!(text.starts_with("exit code 0"), "{text}");
    let run = &list_runs(&world.path().join(&runs["run.dir=".len()..])).unwrap()[0];
    let reader = Reader::open(&run.dir).unwrap();
    let rows = reader.rows(&EpisodeFilter::default()).unwrap();
    let grade = |id: i64| reader.episode(&id.to_string()).unwrap().1.grade;
    let mut all: Vec<_> = rows.into_iter().map(|row| (row.key.task, row.key.sample, grade(row.id))).collect();
    all.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    all
}

#[test]
fn verdicts_are_the_same_in_namespaces_and_in_containers() {
    let Some(engine) = engine() else { return };
    let world = World::new();
    let mined = world.run(&["mine", "generated:7", "--records", "2", "--out", "pack"]);
    assert!(mined.starts_with("exit code 0"), "{mined}");
    let mut rewards = Vec::new();
    for policy in ["reference", "nothing", "scripted"] {
        let [namespace, container] = [&[][..], &engine].map(|backend| verdicts(&world, policy, backend));
        assert!(namespace.len() >= 4, "{namespace:?}");
        assert_eq!(namespace, container, "{policy}");
        for (task, _, grade) in namespace {
            match grade {
                Grade::Scored(score) => rewards.push(score.reward > 0.0),
                Grade::Invalid(cause) => panic!("{policy} on {task}: {cause:?}"),
            }
        }
    }
    assert!(rewards.contains(&true) && rewards.contains(&false), "both full and no reward were compared");
}

#[test]
fn an_engine_that_does_not_run_is_named_with_the_next_step() {
    let world = World::new();
    let flags = ["--set", "sandbox.backend=container", "--set", "sandbox.container.socket=engine.sock"];
    let relative = world.run(&[&["doctor"][..], &flags].concat());
    assert!(relative.starts_with("exit code 4") && relative.contains("is not a local socket"), "{relative}");
    let socket = format!("sandbox.container.socket={}/engine.sock", world.path().display());
    let flags = ["--set", "sandbox.backend=container", "--set", &socket];
    let text = world.run(&[&["doctor"][..], &flags].concat());
    assert!(text.starts_with("exit code 4"), "{text}");
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains("  sandbox  ")).take(2).collect();
    insta::assert_snapshot!(lines.join("\n"));
    let listed = world.run(&[&["sandbox", "ls"][..], &flags].concat());
    assert!(listed.contains("backend `container`") && listed.contains("no engine listens on"), "{listed}");
}
