//! How sandboxes end when somebody does not want them to, or cannot help.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use basis_sandbox::Backend;

use crate::fixture::{daemon, empty, eventually, marker, sleepers, text};

/// Says to a copy of this program what it is to be, of which backend, and the marker of its daemons.
const ROLE: &str = "BASIS_ATTACK_ROLE";
const BACKEND: &str = "BASIS_ATTACK_BACKEND";
const MARKER: &str = "BASIS_ATTACK_MARKER";

pub(crate) fn nothing_runs_on_after_freezing(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let marker = marker();
    let script = format!(
        "echo honest > result; (setsid bash -c 'trap \"\" TERM INT HUP; (while :; do echo forged > result; echo honest > result; done) & exec sleep {marker}' &) > /dev/null 2>&1; \
         nohup setsid sleep {marker} > /dev/null 2>&1 & sleep 0.2"
    );
    text(sandbox.as_mut(), &script);
    eventually("the daemons run", || !sleepers(&marker).is_empty());
    sandbox.freeze().expect("frozen");
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
    let first = sandbox.read("result", 100).expect("read");
    for _ in 0..20 {
        assert_eq!(sandbox.read("result", 100).expect("read"), first);
    }
}

pub(crate) fn output_held_open_does_not_hold_the_host(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let start = Instant::now();
    text(sandbox.as_mut(), "setsid sh -c 'touch up; sleep 50' & until [ -e up ]; do :; done");
    assert!(start.elapsed() < Duration::from_secs(40), "waited for the daemon");
}

pub(crate) fn a_killed_controller_leaves_nothing(backend: &dyn Backend) {
    let marker = marker();
    for round in 0..8_u64 {
        let mut controller = copy("many", backend, &marker).spawn().expect("started");
        let mut lines = BufReader::new(controller.stdout.take().expect("piped")).lines();
        assert!(lines.any(|line| line.expect("read").ends_with("ready")), "the controller failed");
        // Somewhere in the middle of creating, running and destroying.
        std::thread::sleep(Duration::from_millis(round * 7 % 50));
        controller.kill().expect("killed");
        controller.wait().expect("collected");
        eventually("all its processes are gone", || sleepers(&marker).is_empty());
    }
}

pub(crate) fn ends_without_descriptors(backend: &dyn Backend) {
    let marker = marker();
    let output = copy("starved", backend, &marker).output().expect("ran");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("all gone"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
}

fn copy(role: &str, backend: &dyn Backend, marker: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .args(["--exact", "ends::controller", "--nocapture"])
        .env(ROLE, role)
        .env(BACKEND, backend.name())
        .env(MARKER, marker)
        .stdout(Stdio::piped());
    #[cfg(feature = "kubernetes-tests")]
    command.envs(crate::clusters::environment());
    command
}

/// A controller in a process of its own; an ordinary run of the tests does nothing here.
#[test]
fn controller() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let backend = crate::results::open(&std::env::var(BACKEND).expect("given")).expect("opened");
    let marker = std::env::var(MARKER).expect("given");
    if role == "many" {
        println!("ready");
        loop {
            let (_layer, mut sandbox) = empty(backend.as_ref());
            text(sandbox.as_mut(), &daemon(&marker));
            text(sandbox.as_mut(), "true");
        }
    }
    let mut all: Vec<_> = (0..4).map(|_| empty(backend.as_ref())).collect();
    for (_, sandbox) in &mut all {
        text(sandbox.as_mut(), &daemon(&marker));
    }
    let hoard: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    for (_, sandbox) in &mut all {
        sandbox.destroy().expect("destroyed without a descriptor to spare");
    }
    drop(hoard);
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
    println!("all gone");
}
