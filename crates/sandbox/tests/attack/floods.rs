//! Too much of everything.

use std::time::Duration;

use basis_sandbox::{Backend, Command, Outcome, Sandbox};

use crate::fixture::{empty, fails, limited, marker, run, shell, sleepers, text};
use crate::probe;

pub(crate) fn a_fork_bomb_is_contained(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.processes = 40);
    let marker = marker();
    // Shells wait for a second before they try again; the loop does not, so that the shortage lasts and sampling sees it.
    let again = format!("awk 'BEGIN {{ while (1) system(\"setsid sleep {marker} &\") }}' &");
    let bomb = format!("{again} bomb() {{ bomb | bomb & setsid sleep {marker} & }}; bomb; sleep 60");
    // Long enough for a busy machine to get there.
    let command = Command { wall: Some(Duration::from_secs(3)), ..shell(&bomb) };
    let output = sandbox.exec(&command).expect("ran");
    assert_eq!(output.outcome, Outcome::TimedOut);
    assert!(output.refused.processes);
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
    answers(sandbox.as_mut());
}

fn answers(sandbox: &mut dyn Sandbox) {
    assert_eq!(text(sandbox, "echo alive"), "alive\n");
}

pub(crate) fn memory_is_bounded(backend: &dyn Backend) {
    let (_other, mut other) = empty(backend);
    let (_layer, mut sandbox) = limited(backend, |limits| limits.memory_bytes = 96 << 20);
    // Each is within what a process may have, and holds all of it: it was touched before it is written, and nobody reads.
    let hold = "dd if=/dev/zero bs=64M count=1 > full 2> /dev/null";
    let bomb = format!("mkfifo full; exec 3<> full; for i in 1 2 3 4 5 6; do {hold} & done; wait -n; exit 1");
    let output = run(sandbox.as_mut(), &bomb);
    assert_eq!(output.outcome, Outcome::OutOfMemory);
    answers(sandbox.as_mut());
    answers(other.as_mut());
}

pub(crate) fn memory_files_are_bounded(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| {
        (limits.memory_bytes, limits.disk_bytes) = (96 << 20, 16 << 20);
    });
    for path in ["/tmp/fill", "/dev/shm/fill", "/var/tmp/fill"] {
        fails(sandbox.as_mut(), &format!("head -c 400M /dev/zero > {path}"));
        text(sandbox.as_mut(), &format!("rm -f {path}"));
    }
    let (_layer, mut sandbox) = probe::sandbox(backend);
    let output = sandbox.exec(&probe::command("memfd")).expect("ran");
    assert!(output.outcome == Outcome::OutOfMemory || !output.report.text().contains("write 0"), "{output:?}");
    answers(sandbox.as_mut());
}

pub(crate) fn the_disk_is_bounded(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.disk_bytes = 8 << 20);
    let output = run(sandbox.as_mut(), "head -c 32M /dev/zero > fill");
    assert!(output.stderr.text().contains("No space left"), "{}", output.stderr.text());
    assert!(output.refused.disk);
    let size: u64 = text(sandbox.as_mut(), "stat -c %s fill").trim().parse().expect("a number");
    assert!(size <= 8 << 20);
}

pub(crate) fn the_number_of_files_is_bounded(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.files = 2000);
    let output = run(sandbox.as_mut(), "mkdir d && cd d && seq 100000 | xargs touch");
    assert!(!output.outcome.success() && output.refused.disk);
    let count: u64 = text(sandbox.as_mut(), "ls d | wc -l").trim().parse().expect("a number");
    assert!((1000..=2100).contains(&count), "{count} files");
}

pub(crate) fn odd_trees_do_not_stop_the_host(backend: &dyn Backend) {
    let (_layer, mut sandbox) = probe::sandbox(backend);
    for (name, error) in probe::run(sandbox.as_mut(), "odd") {
        assert!([libc::EFBIG, libc::EINVAL, libc::ENOSPC].contains(&error), "{name}: {error}");
    }
    sandbox.freeze().expect("frozen");
    assert!(sandbox.changes().expect("listed").len() < 10);
    sandbox.destroy().expect("destroyed");
}

pub(crate) fn output_is_bounded(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.output_bytes = 100_000);
    let before = resident();
    for flood in ["yes", "head -c 1G /dev/zero", "yes $'\\xff\\x00\\x1b[2J' >&2", "cat /dev/urandom"] {
        let output = run(sandbox.as_mut(), flood);
        assert_eq!(output.outcome, Outcome::TooMuchOutput, "{flood}");
        assert!(output.stdout.truncated() || output.stderr.truncated());
        assert!(output.stdout.bytes.len() + output.stderr.bytes.len() <= 200_000);
    }
    assert!(resident() < before + (256 << 20), "output is kept in memory");
    answers(sandbox.as_mut());
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("read");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
}
