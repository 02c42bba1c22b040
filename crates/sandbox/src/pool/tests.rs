//! The pool in front of the real backend.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::{Command, Limits, backends};

/// A pool over real sandboxes, unless this machine cannot have any.
fn pool(capacity: &Capacity) -> Option<Pool> {
    match backends::open("namespace") {
        Ok(backend) => Some(Pool::new(backend, capacity)),
        Err(SandboxError::Unavailable { reason, .. }) => {
            eprintln!("skipped: {reason}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn capacity() -> Capacity {
    Capacity { memory_bytes: 300 << 20, commands: 2, warm: 0, warm_from: Duration::ZERO }
}

fn spec(memory_mib: u64) -> SandboxSpec {
    SandboxSpec {
        root: Vec::new(),
        layers: vec!["/usr/share".into()],
        workdir: "/work".into(),
        mounts: Vec::new(),
        env: BTreeMap::new(),
        limits: Limits { memory_bytes: memory_mib << 20, ..Limits::default() },
    }
}

#[test]
fn memory_is_never_promised_twice() {
    let Some(pool) = pool(&capacity()) else { return };
    let (living, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let mut sandbox = pool.create(&spec(100)).expect("created");
                    most.fetch_max(living.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    sandbox.exec(&Command::new(["/bin/true"])).expect("ran");
                    living.fetch_sub(1, Ordering::SeqCst);
                    sandbox.destroy().expect("destroyed");
                }
            });
        }
    });
    assert!(most.load(Ordering::SeqCst) <= 3, "{most:?}");
}

#[test]
fn what_can_never_fit_is_refused_at_once() {
    let Some(pool) = pool(&capacity()) else { return };
    let error = pool.create(&spec(301)).err().expect("refused").to_string();
    assert_eq!(
        error,
        "sandbox specification: `limits`: it may use 301 MiB, and there are only 300 MiB for all sandboxes; lower its limit \
         of memory"
    );
}

#[test]
fn a_destroyed_or_dropped_sandbox_gives_its_room_back() {
    let Some(pool) = pool(&capacity()) else { return };
    let mut first = pool.create(&spec(300)).expect("created");
    first.destroy().expect("destroyed");
    drop(pool.create(&spec(300)).expect("created"));
    drop(pool.create(&spec(300)).expect("created"));
    drop(first);
}

#[test]
fn only_so_many_commands_run_at_once() {
    let Some(pool) = pool(&Capacity { memory_bytes: 1 << 30, ..capacity() }) else { return };
    let start = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut sandbox = pool.create(&spec(64)).expect("created");
                sandbox.exec(&Command::new(["/bin/sleep", "0.2"])).expect("ran")
            });
        }
    });
    assert!(start.elapsed() >= Duration::from_millis(600), "two at a time, three times");
}

#[test]
fn a_warm_sandbox_is_as_good_as_new() {
    let Some(pool) = pool(&Capacity { warm: 2, ..capacity() }) else { return };
    for round in 0..6 {
        let mut sandbox = pool.create(&spec(64)).expect("created");
        let output = sandbox.exec(&Command::new(["/bin/sh", "-c", "ls -A /tmp; echo text > /tmp/file"])).expect("ran");
        assert!(output.outcome.success() && output.stdout.bytes.is_empty(), "round {round}: {}", output.stdout.text());
        if round == 3 {
            // The second one asked for the third; it is ready in the end.
            while pool.warm.is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

#[test]
fn where_creating_is_fast_nothing_is_made_ahead() {
    let slow = Capacity { warm: 2, warm_from: Duration::from_secs(600), ..capacity() };
    let Some(pool) = pool(&slow) else { return };
    for _ in 0..4 {
        drop(pool.create(&spec(64)).expect("created"));
    }
    assert!(pool.warm.is_empty());
}
