//! Sandboxes that never answer, and real ones.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use super::*;
use crate::{Change, Command, Output, backends};

/// Lets whoever waits go on.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn wait(&self) {
        let mut open = self.open.lock().expect("nobody panics");
        while !*open {
            open = self.changed.wait(open).expect("nobody panics");
        }
    }

    fn open(&self) {
        *self.open.lock().expect("nobody panics") = true;
        self.changed.notify_all();
    }
}

/// Answers nothing until its gate is open.
struct Silent {
    gate: Arc<Gate>,
    destroyed: Arc<AtomicUsize>,
}

impl Sandbox for Silent {
    fn exec(&mut self, _: &Command) -> Result<Output, SandboxError> {
        self.gate.wait();
        Err(SandboxError::Lost("too late".into()))
    }

    fn read(&mut self, _: &str, _: u64) -> Result<Vec<u8>, SandboxError> {
        self.gate.wait();
        Ok(Vec::new())
    }

    fn write(&mut self, _: &str, _: &[u8]) -> Result<(), SandboxError> {
        Ok(())
    }

    fn freeze(&mut self) -> Result<(), SandboxError> {
        Ok(())
    }

    fn changes(&mut self) -> Result<Vec<Change>, SandboxError> {
        Ok(Vec::new())
    }

    fn destroy(&mut self) -> Result<(), SandboxError> {
        Ok(())
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.destroyed.fetch_add(1, Ordering::SeqCst);
    }
}

/// Makes silent sandboxes; with `slow` already making one waits for the gate.
struct Mute {
    gate: Arc<Gate>,
    destroyed: Arc<AtomicUsize>,
    slow: bool,
}

impl Backend for Mute {
    fn name(&self) -> &'static str {
        "mute"
    }

    fn enforcement(&self) -> Vec<Enforcement> {
        Vec::new()
    }

    fn create(&self, _: &SandboxSpec) -> Result<Box<dyn Sandbox>, SandboxError> {
        if self.slow {
            self.gate.wait();
        }
        Ok(Box::new(Silent { gate: self.gate.clone(), destroyed: self.destroyed.clone() }))
    }
}

fn spec() -> SandboxSpec {
    SandboxSpec {
        root: Vec::new(),
        layers: vec!["/usr/share".into()],
        workdir: "/work".into(),
        mounts: Vec::new(),
        env: std::collections::BTreeMap::new(),
        limits: crate::Limits { wall: Duration::from_millis(100), ..crate::Limits::default() },
    }
}

fn mute(slow: bool) -> (Patient, Arc<Gate>, Arc<AtomicUsize>) {
    let (gate, destroyed) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
    let backend = Mute { gate: gate.clone(), destroyed: destroyed.clone(), slow };
    (Patient::new(Arc::new(backend), Duration::from_millis(50)), gate, destroyed)
}

fn wait_for(count: &AtomicUsize, expected: usize) {
    let start = Instant::now();
    while count.load(Ordering::SeqCst) != expected {
        assert!(start.elapsed() < Duration::from_secs(20), "{count:?} instead of {expected}");
        std::thread::yield_now();
    }
}

#[test]
fn a_sandbox_that_never_answers_is_lost_and_named_with_what_it_did() {
    let (backend, gate, destroyed) = mute(false);
    let mut sandbox = backend.create(&spec()).expect("is made");
    sandbox.write("a", b"b").expect("answers");
    let text = sandbox.exec(&Command::new(["bash", "-c", "sleep 1"])).expect_err("is lost").to_string();
    assert_eq!(text, "sandbox lost: it did not answer within 0.15 s while it runs `bash -c sleep 1`");
    let text = sandbox.changes().expect_err("stays lost").to_string();
    assert_eq!(text, "sandbox lost: it was given up because it had not answered");
    assert!(sandbox.destroy().is_err(), "something may have stayed");
    drop(sandbox);
    assert_eq!(destroyed.load(Ordering::SeqCst), 0);
    gate.open();
    wait_for(&destroyed, 1);
}

#[test]
fn one_that_is_never_made_is_lost_and_is_not_kept_when_it_comes_after_all() {
    let (backend, gate, destroyed) = mute(true);
    let text = backend.create(&spec()).err().expect("is lost").to_string();
    assert_eq!(text, "sandbox lost: it did not answer within 0.05 s while it is made");
    gate.open();
    wait_for(&destroyed, 1);
}

#[test]
fn real_sandboxes_do_what_they_do_without_it() {
    let backend = match backends::open("namespace") {
        Ok(backend) => Patient::new(backend, Duration::from_secs(60)),
        Err(SandboxError::Unavailable { reason, .. }) => {
            eprintln!("skipped: {reason}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let mut spec = spec();
    spec.limits.wall = Duration::from_secs(20);
    let mut sandbox = backend.create(&spec).expect("is made");
    let mut heard = Vec::new();
    let command = Command::new(["/bin/sh", "-c", "echo out; echo more > made"]);
    let output = sandbox.exec_streaming(&command, &mut |_, bytes| heard.extend_from_slice(bytes)).expect("runs");
    assert_eq!((heard.as_slice(), output.stdout.bytes.as_slice()), (&b"out\n"[..], &b"out\n"[..]));
    let mut second = sandbox.fork().expect("is forked");
    assert_eq!(second.read("made", 9).expect("reads"), b"more\n");
    let interrupter = sandbox.interrupter().expect("is made");
    let command = Command::new(["/bin/sh", "-c", "echo here; sleep 20"]);
    let mut interrupt = |_, _: &[u8]| interrupter.interrupt().expect("interrupts");
    let outcome = sandbox.exec_streaming(&command, &mut interrupt).expect("ends").outcome;
    assert_eq!(outcome, crate::Outcome::Interrupted);
    for mut sandbox in [sandbox, second] {
        sandbox.destroy().expect("is destroyed");
        sandbox.destroy().expect("may be asked twice");
    }
}
