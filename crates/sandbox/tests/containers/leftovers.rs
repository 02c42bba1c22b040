//! Nothing stays behind, as the engine tells it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::containers;
use crate::fixture::{daemon, empty, eventually, marker, open, sleepers, text};

/// Says to a copy of this program that it is to be a controller whose daemons have this marker.
const CONTROLLER: &str = "BASIS_TEST_CONTROLLER";

#[test]
fn nothing_is_left_of_a_container_that_is_dropped() {
    let Some(backend) = containers() else { return };
    let marker = marker();
    let (_layer, mut sandbox) = empty(backend.as_ref());
    text(sandbox.as_mut(), &daemon(&marker));
    eventually("the daemon runs", || sleepers(&marker).len() == 1);
    drop(sandbox);
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
}

#[test]
fn nothing_is_left_when_the_controller_is_killed() {
    if containers().is_none() {
        return;
    }
    let marker = marker();
    let mut controller = Command::new("/proc/self/exe")
        .args(["--exact", "leftovers::controller", "--nocapture"])
        .env(CONTROLLER, &marker)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let lines = BufReader::new(controller.stdout.take().expect("piped")).lines();
    assert!(lines.map(|line| line.expect("read")).any(|line| line.ends_with("ready")), "the controller failed");
    controller.kill().expect("killed");
    controller.wait().expect("collected");
    eventually("all its processes are gone", || sleepers(&marker).is_empty());
    let stages = |owner: &str| {
        let names = std::fs::read_dir("/tmp").expect("listed").flatten();
        names.filter(|entry| entry.file_name().to_string_lossy().contains(owner)).count()
    };
    let owner = format!(".{}.", controller.id());
    // The next controller removes the rest.
    drop(open("container").expect("opened"));
    assert_eq!(stages(&owner), 0);
}

/// The controller that is killed; an ordinary run of the tests does nothing here.
#[test]
fn controller() {
    let Ok(marker) = std::env::var(CONTROLLER) else { return };
    let backend = open("container").expect("opened");
    let mut all: Vec<_> = (0..2).map(|_| empty(backend.as_ref())).collect();
    for (_, sandbox) in &mut all {
        text(sandbox.as_mut(), &daemon(&marker));
    }
    eventually("the daemons run", || sleepers(&marker).len() == 2);
    println!("ready");
    text(all[0].1.as_mut(), "sleep 50");
}
