//! The first process of a sandbox, and privileges.

use basis_sandbox::{Backend, Outcome};
use libc::{EACCES, ENOENT, ENOSYS, EPERM, ESRCH};

use crate::fixture::{empty, fails, run, text};
use crate::probe;

pub(crate) fn the_first_process_cannot_be_taken_over(backend: &dyn Backend) {
    probe::all_fail(backend, "first", &[EPERM, EACCES, ENOSYS, ESRCH, ENOENT]);
    let (_layer, mut sandbox) = empty(backend);
    // Numbers from outside mean nothing inside.
    fails(sandbox.as_mut(), &format!("kill -0 {}", std::process::id()));
    let count: u32 = text(sandbox.as_mut(), "ls -d /proc/[0-9]* | wc -l").trim().parse().expect("a number");
    assert!(count <= 4, "{count} processes");
}

pub(crate) fn the_first_process_cannot_be_ended(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    run(sandbox.as_mut(), "for s in $(seq 1 64); do kill -$s 1; done");
    assert_eq!(run(sandbox.as_mut(), "kill -9 -1; kill -STOP -1; kill -9 $$").outcome, Outcome::Signalled(9));
    run(sandbox.as_mut(), &format!("kill -9 {} {}", std::process::id(), std::os::unix::process::parent_id()));
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n");
    sandbox.write("file", b"alive").expect("written");
}

pub(crate) fn no_privileges_are_gained(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let status = text(sandbox.as_mut(), "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status");
    for line in status.lines() {
        let (name, value) = line.split_once(':').expect("a field");
        match name {
            "NoNewPrivs" => assert_eq!(value.trim(), "1"),
            "Seccomp" => assert_eq!(value.trim(), "2"),
            _ => assert_eq!(value.trim().trim_start_matches('0'), "", "{line}"),
        }
    }
    text(sandbox.as_mut(), "cp /usr/bin/id . && chmod 6755 id && [ $(./id -u) = $(id -u) ] && [ $(./id -u) != 0 ]");
    for script in [
        "setcap cap_sys_admin+ep id",
        "su -c true",
        "sudo -n true",
        "newuidmap $$ 0 0 1",
        "setpriv --reuid 0 true",
        "chown 0 id",
    ] {
        fails(sandbox.as_mut(), script);
    }
}

pub(crate) fn no_core_dumps(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    fails(sandbox.as_mut(), "ulimit -c unlimited");
    fails(sandbox.as_mut(), "exec 9> /proc/sys/kernel/core_pattern");
    run(sandbox.as_mut(), "cd /tmp; bash -c 'kill -SEGV $$'; bash -c 'kill -ABRT $$'");
    assert_eq!(
        text(sandbox.as_mut(), "find / -xdev -name '*core*' -newer /proc/self -type f 2>/dev/null | wc -l").trim(),
        "0"
    );
}
