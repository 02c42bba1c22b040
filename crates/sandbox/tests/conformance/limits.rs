//! What commands may use, and what happens beyond it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use basis_sandbox::{Backend, Command, Outcome, Sandbox, SandboxError, ShellLine, Strength};

use crate::fixture::{
    daemon, daemon_that, empty, eventually, fails, limited, marker, run, shell, sleepers, supported, text,
};

pub(crate) fn the_wall_limit_kills_everything(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let marker = marker();
    let script = format!("trap '' TERM INT; printf before; (setsid sleep {marker} &); sleep {marker}");
    let command = Command { wall: Some(Duration::from_millis(700)), ..shell(&script) };
    let output = sandbox.exec(&command).expect("ran");
    assert_eq!(output.outcome, Outcome::TimedOut);
    assert_eq!(output.stdout.text(), "before");
    eventually("nothing of it runs", || sleepers(&marker).is_empty());
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n");
}

pub(crate) fn the_wall_limit_of_the_sandbox_is_an_upper_bound(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.wall = Duration::from_millis(300));
    let long = Command { wall: Some(Duration::MAX), ..shell("sleep 100") };
    assert_eq!(sandbox.exec(&long).expect("ran").outcome, Outcome::TimedOut);
    let (_layer, mut sandbox) = limited(backend, |limits| limits.wall = Duration::MAX);
    assert_eq!(text(sandbox.as_mut(), "echo unhurt"), "unhurt\n");
}

/// Whether the kernel keeps the memory limit exactly.
fn exact(backend: &dyn Backend) -> bool {
    backend.enforcement().iter().any(|entry| entry.limit == "memory" && entry.strength == Strength::Enforced)
}

pub(crate) fn a_memory_bomb_ends_alone(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.memory_bytes = 96 << 20);
    let output = run(sandbox.as_mut(), "tail /dev/zero");
    assert!(!output.outcome.success(), "{:?}", output.outcome);
    if exact(backend) {
        assert_eq!(output.outcome, Outcome::OutOfMemory);
    }
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n");
    assert_eq!(run(sandbox.as_mut(), "exit 3").outcome, Outcome::Exited(3), "an old kill is not blamed again");
    use_up_memory_between_commands(sandbox.as_mut());
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n", "nor is one that came between two commands");
    use_up_memory_between_commands(sandbox.as_mut());
    if let Some(ended) = supported(sandbox.shell(&ShellLine::new("exit"), &mut |_, _| ())) {
        assert_eq!(ended.output.outcome, Outcome::Exited(0), "nor on a shell");
    }
}

/// A daemon takes more than there may be while no command runs, and is killed for it.
fn use_up_memory_between_commands(sandbox: &mut dyn Sandbox) {
    let marker = marker();
    // Each touches all of it before it writes, which it never may.
    let holds = "for i in 1 2; do { dd if=/dev/zero bs=60M count=1 > full; kill $s; } & done";
    let script = format!("exec 3<> full; sleep {marker} & s=$!; until [ -e go ]; do sleep 0.01; done; {holds}; wait");
    text(sandbox, &format!("rm -f go full; mkfifo full; {}", daemon_that(&script)));
    eventually("it is there", || !sleepers(&marker).is_empty());
    sandbox.write("go", b"").expect("written");
    eventually("it is killed", || sleepers(&marker).is_empty());
}

pub(crate) fn memory_is_summed_over_processes(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.memory_bytes = 128 << 20);
    let hold = "head -c 50M /dev/zero | { x=$(tr '\\0' x); sleep 30; }";
    let output = run(sandbox.as_mut(), &format!("for i in 1 2 3 4; do {hold} & done; wait -n; exit 1"));
    assert_eq!(output.outcome, Outcome::OutOfMemory);
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n");
}

pub(crate) fn processes_are_limited(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.processes = 20);
    text(sandbox.as_mut(), "for i in $(seq 15); do sleep 60 & done");
    // Unlike bash, this shell gives up at the first refusal.
    let greedy = "echo start; for i in $(seq 40); do sleep 60 & echo one more; done";
    let output = sandbox.exec(&Command::new(["dash", "-c", greedy])).expect("ran");
    assert!(!output.outcome.success());
    let started = output.stdout.text().lines().count();
    assert!((10..=20).contains(&started), "{started} processes");
    assert!(output.refused.processes);
    assert!(!run(sandbox.as_mut(), "exit 1").refused.processes, "there is room again");
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n");
}

pub(crate) fn a_fork_bomb_is_contained(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.processes = 40);
    let marker = marker();
    let bomb = format!("bomb() {{ bomb | bomb & setsid sleep {marker} & }}; bomb; sleep 1");
    let command = Command { wall: Some(Duration::from_millis(500)), ..shell(&bomb) };
    assert_eq!(sandbox.exec(&command).expect("ran").outcome, Outcome::TimedOut);
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n");
    sandbox.destroy().expect("destroyed");
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
}

pub(crate) fn a_daemon_that_leaves_no_room_does_not_break_the_sandbox(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.processes = 20);
    let marker = marker();
    // Takes whatever place becomes free, also that of the command that started it.
    let again = format!("exec perl -e \"while (1) {{ exec qw(sleep {marker}) unless fork // 1 }}\"");
    let greedy = format!("setsid sh -c ': > /tmp/up; {again}' > /dev/null 2>&1 &");
    text(sandbox.as_mut(), &format!("{greedy} until [ -e /tmp/up ]; do :; done"));
    eventually("the sandbox is full", || sleepers(&marker).len() >= 14);
    // Its own fault: where nothing is ended to make room, the command says so, and that is an output too.
    let output = sandbox.exec(&shell("echo alive")).expect("the sandbox holds");
    assert!(output.stdout.text() == "alive\n" || output.stderr.text().contains("fork"), "{output:?}");
    sandbox.freeze().expect("frozen");
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
}

pub(crate) fn a_limit_of_processors_is_kept_or_refused(backend: &dyn Backend) {
    let layer = crate::fixture::layer(&[]);
    let mut spec = crate::fixture::spec(&[&layer]);
    spec.limits.millicpus = Some(200);
    let kept = backend.enforcement().iter().any(|entry| entry.limit == "cpu" && entry.strength != Strength::Absent);
    if !kept {
        let refused = backend.create(&spec).map(drop);
        assert!(matches!(refused, Err(SandboxError::Unavailable { .. })), "{refused:?}");
        eprintln!("skipped on `{}`: this machine cannot limit processors", backend.name());
        return;
    }
    let mut sandbox = backend.create(&spec).expect("created");
    // Processor time of two busy loops in two seconds, in hundredths of a second.
    let script = "for i in 1 2; do while :; do :; done & done; sleep 2; kill %1 %2; wait; times | tail -1";
    let used = text(sandbox.as_mut(), script);
    let seconds: f64 =
        used.split(' ').filter_map(|part| part.trim().strip_suffix('s')?.split_once('m')?.1.parse::<f64>().ok()).sum();
    assert!(seconds < 1.0, "{used}");
}

pub(crate) fn limits_of_processes_and_processors_stand_in_control_groups(backend: &dyn Backend) {
    let kept = |name| backend.enforcement().into_iter().any(|entry| entry.limit == name && entry.how.contains("group"));
    let (processes, processors) = (kept("processes"), kept("cpu"));
    let (_layer, mut sandbox) = limited(backend, |limits| {
        limits.processes = 37;
        limits.millicpus = processors.then_some(130);
    });
    let marker = marker();
    text(sandbox.as_mut(), &daemon(&marker));
    eventually("the daemon runs", || sleepers(&marker).len() == 1);
    let daemon = sleepers(&marker)[0];
    match processes {
        // The first process counts, and its parent where that one is in the group, too.
        true => assert!(matches!(&*in_group(daemon, "pids", &["pids.max"]), "38" | "39")),
        false => eprintln!("skipped on `{}`: no control group counts processes", backend.name()),
    }
    match processors {
        true => assert_eq!(in_group(daemon, "cpu", &["cpu.max", "cpu.cfs_quota_us"]).split(' ').next(), Some("13000")),
        false => eprintln!("skipped on `{}`: no control group limits processors", backend.name()),
    }
}

/// What the first of `files` that is there says in the group that a process is in for `controller`.
fn in_group(process: i32, controller: &str, files: &[&str]) -> String {
    let own = fs::read_to_string(format!("/proc/{process}/cgroup")).expect("read");
    let mounts = fs::read_to_string("/proc/self/mounts").expect("read");
    let path = |name: &str| {
        own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            fields.next()?.split(',').any(|one| one == name).then(|| fields.next())?
        })
    };
    let of_one = |fields: &[&str]| fields[2] == "cgroup" && fields[3].split(',').any(|option| option == controller);
    let mut points = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    // A controller that is bound to version 1 is not in version 2.
    let (point, path) = match points.clone().find(|fields| of_one(fields)) {
        Some(fields) => (fields[1], path(controller)),
        None => (points.find(|fields| fields[2] == "cgroup2").expect("control groups are mounted")[1], path("")),
    };
    let directory = Path::new(point).join(path.expect("it is in a group").trim_start_matches('/'));
    let text = files.iter().find_map(|file| fs::read_to_string(directory.join(file)).ok());
    text.unwrap_or_else(|| panic!("none of {files:?} in {}", directory.display())).trim().to_owned()
}

pub(crate) fn a_full_disk_is_an_error_inside(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.disk_bytes = 8 << 20);
    for path in ["/work/fill", "/tmp/fill", "/dev/shm/fill"] {
        let output = run(sandbox.as_mut(), &format!("head -c 40M /dev/zero > {path}; stat -c %s {path}"));
        assert!(output.stderr.text().contains("No space left"), "{path}: {}", output.stderr.text());
        let size: u64 = output.stdout.text().trim().parse().expect("a number");
        assert!(size <= 8 << 20, "{path} has {size} bytes");
        assert!(output.refused.disk);
        assert!(sandbox.write("from-the-host", &[1; 1 << 20]).is_err());
        text(sandbox.as_mut(), &format!("rm {path}"));
    }
    sandbox.write("from-the-host", &[1; 1 << 20]).expect("there is room again");
}

pub(crate) fn names_on_disk_are_limited(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.files = 4096);
    fails(sandbox.as_mut(), "mkdir d && cd d && seq 40000 | xargs touch");
    assert!(run(sandbox.as_mut(), "touch one-more").refused.disk);
    let count: u64 = text(sandbox.as_mut(), "ls d | wc -l").trim().parse().expect("a number");
    assert!((4000..=4200).contains(&count), "{count} files");
    sandbox.freeze().expect("frozen");
    assert_eq!(sandbox.changes().expect("listed").len() as u64, count);
}

pub(crate) fn output_is_cut_and_counted(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.output_bytes = 1000);
    let command = Command { report: true, ..shell("seq 3000; seq 2000 >&2; seq 1000 >&3; exit 4") };
    let output = sandbox.exec(&command).expect("ran");
    assert_eq!(output.outcome, Outcome::Exited(4), "what is thrown away does not stop the command");
    for (stream, total) in [(&output.stdout, 13_893), (&output.stderr, 8_893), (&output.report, 3_893)] {
        assert_eq!((stream.bytes.len(), stream.total), (1000, total));
        assert!(stream.truncated());
        assert!(stream.bytes.starts_with(b"1\n2\n3\n"));
    }
}

pub(crate) fn a_flood_of_output_ends(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.output_bytes = 10_000);
    let output = run(sandbox.as_mut(), "yes");
    assert_eq!(output.outcome, Outcome::TooMuchOutput);
    assert_eq!(output.stdout.bytes.len(), 10_000);
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n");
}
