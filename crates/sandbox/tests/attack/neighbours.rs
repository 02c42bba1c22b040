//! What one sandbox can do to another.

use std::time::Duration;

use basis_sandbox::{Backend, Command, Outcome};

use crate::fixture::{empty, eventually, limited, marker, run, shell, sleepers, text};
use crate::probe;

pub(crate) fn nothing_is_shared_between_sandboxes(backend: &dyn Backend) {
    let (_one, mut one) = probe::sandbox(backend);
    let (_other, mut other) = probe::sandbox(backend);
    let made = probe::run(one.as_mut(), "share");
    assert!(made.iter().all(|(_, error)| [0, libc::ENOSYS, libc::EPERM].contains(error)), "{made:?}");
    for (name, error) in probe::run(other.as_mut(), "shared") {
        assert!([libc::ENOENT, libc::ENOSYS, libc::EPERM].contains(&error), "{name}: {error}");
    }
}

pub(crate) fn memory_kills_stay_inside(backend: &dyn Backend) {
    let (_other, mut other) = empty(backend);
    let marker = marker();
    text(other.as_mut(), &crate::fixture::daemon(&marker));
    eventually("the neighbour runs", || sleepers(&marker).len() == 1);
    let (_layer, mut sandbox) = limited(backend, |limits| limits.memory_bytes = 96 << 20);
    let script = "for score in -1000 -500 0; do echo $score > /proc/self/oom_score_adj; done 2>/dev/null; \
                  x=$(head -c 400M /dev/zero | tr '\\0' x); echo survived";
    let output = run(sandbox.as_mut(), script);
    assert!(!output.stdout.text().contains("survived"), "{:?}", output.outcome);
    assert_eq!(sleepers(&marker).len(), 1);
    assert_eq!(text(other.as_mut(), "echo alive"), "alive\n");
}

pub(crate) fn exhausting_the_kernel_stays_inside(backend: &dyn Backend) {
    let (_other, mut other) = empty(backend);
    let (_layer, mut greedy) = probe::sandbox(backend);
    // In a session of its own, so that it lives on with all that it took.
    let mut command = probe::command("exhaust");
    let rest: Vec<String> = command.argv.iter().map(|part| format!("'{part}'")).collect();
    let script =
        format!("setsid {} > /dev/null 2>&1 3>&1 & until [ -e /tmp/exhausted ]; do sleep 0.05; done", rest.join(" "));
    command.argv = ["bash", "-c", &script].map(str::to_owned).into();
    command.report = false;
    let output = greedy.exec(&command).expect("ran");
    assert!(output.outcome.success(), "{output:?}");
    let works = "exec 9<> <(:); mkfifo f; (echo x > f &); cat f; true | true; timeout 10 bash -c 'coproc cat; true'";
    assert_eq!(text(other.as_mut(), works), "x\n");
    other.write("file", b"").expect("written");
}

pub(crate) fn busy_loops_leave_room(backend: &dyn Backend) {
    let (_other, mut other) = empty(backend);
    let (_layer, mut greedy) = limited(backend, |limits| limits.processes = 32);
    let loops = "for i in $(seq 20); do setsid bash -c 'while :; do :; done' > /dev/null 2>&1 & done; sleep 0.2";
    text(greedy.as_mut(), loops);
    let command = Command {
        wall: Some(Duration::from_secs(50)),
        ..shell("i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done; echo done")
    };
    let output = other.exec(&command).expect("ran");
    assert_eq!((output.outcome, output.stdout.text().as_str()), (Outcome::Exited(0), "done\n"));
}
