//! How commands are started, fed, heard and ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use basis_sandbox::{Backend, Command, Outcome};

use crate::fixture::{daemon, empty, eventually, marker, run, shell, sleepers, text};

pub(crate) fn arguments_and_directory_arrive_as_given(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let output = sandbox.exec(&Command::new(["printf", "%s|", "a b", "", "*", "ü\n"])).expect("ran");
    assert_eq!(output.stdout.text(), "a b||*|ü\n|");
    assert_eq!(text(sandbox.as_mut(), "pwd"), "/work\n");
    let elsewhere = Command { cwd: Some("/usr/bin".into()), ..shell("pwd") };
    assert_eq!(sandbox.exec(&elsewhere).expect("ran").stdout.text(), "/usr/bin\n");
}

pub(crate) fn the_environment_is_exactly_what_was_given(backend: &dyn Backend) {
    let layer = crate::fixture::layer(&[]);
    let mut spec = crate::fixture::spec(&[&layer]);
    spec.env = BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into()), ("KEPT".into(), "a=b c".into())]);
    let mut sandbox = backend.create(&spec).expect("created");
    let env = BTreeMap::from([("KEPT".into(), "changed".into()), ("ADDED".into(), "\n".into())]);
    let output = sandbox.exec(&Command { env, ..Command::new(["env", "-0"]) }).expect("ran");
    let text = output.stdout.text();
    let mut variables: Vec<&str> = text.split_terminator('\0').collect();
    variables.sort_unstable();
    assert_eq!(variables, ["ADDED=\n", "KEPT=changed", "PATH=/usr/bin:/bin"]);
}

pub(crate) fn the_three_streams_are_kept_apart(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let command = Command { report: true, ..shell("printf out; printf err >&2; printf '\\377\\0' >&3") };
    let output = sandbox.exec(&command).expect("ran");
    assert_eq!(output.stdout.bytes, b"out");
    assert_eq!(output.stderr.bytes, b"err");
    assert_eq!(output.report.bytes, [255, 0]);
}

pub(crate) fn without_a_report_channel_there_is_no_third_descriptor(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let output = run(sandbox.as_mut(), "echo forged >&3");
    assert_eq!(output.outcome, Outcome::Exited(1));
    assert!(output.report.bytes.is_empty());
}

pub(crate) fn input_arrives_whole_and_then_ends(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let stdin: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
    let output = sandbox.exec(&Command { stdin: stdin.clone(), ..shell("cat > copy; wc -c < copy") }).expect("ran");
    assert_eq!(output.stdout.text().trim(), "3000000");
    assert_eq!(sandbox.read("copy", 4_000_000).expect("read"), stdin);
    assert_eq!(text(sandbox.as_mut(), "cat"), "", "empty input ends at once");
}

pub(crate) fn input_that_nobody_reads_does_not_block(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let command = Command { stdin: vec![b'x'; 3_000_000], ..shell("exec <&-; echo done") };
    assert_eq!(sandbox.exec(&command).expect("ran").stdout.text(), "done\n");
}

pub(crate) fn a_command_ends_with_its_status_or_signal(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    assert_eq!(run(sandbox.as_mut(), "exit 7").outcome, Outcome::Exited(7));
    assert_eq!(run(sandbox.as_mut(), "kill -TERM $$").outcome, Outcome::Signalled(15));
    assert_eq!(run(sandbox.as_mut(), "kill -9 -1; kill -9 $$").outcome, Outcome::Signalled(9));
    assert_eq!(run(sandbox.as_mut(), "true").outcome, Outcome::Exited(0));
}

pub(crate) fn a_program_that_cannot_start_is_an_output(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    sandbox.write("data", b"not a program").expect("written");
    for (argv, status) in [(vec!["no-such-program"], 127), (vec!["./data"], 126), (vec!["/work"], 126), (vec![], 127)] {
        let output = sandbox.exec(&Command::new(argv.clone())).expect("an output");
        assert_eq!(output.outcome, Outcome::Exited(status), "{argv:?}: {}", output.stderr.text());
    }
    let nowhere = Command { cwd: Some("/nowhere".into()), ..shell("true") };
    assert!(!sandbox.exec(&nowhere).expect("an output").outcome.success());
}

pub(crate) fn a_daemon_that_holds_the_output_open_does_not_block(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let start = Instant::now();
    let script = "setsid sh -c 'touch up; sleep 50' & until [ -e up ]; do :; done; echo started";
    assert_eq!(text(sandbox.as_mut(), script), "started\n");
    assert!(start.elapsed() < Duration::from_secs(40), "waited for the daemon");
}

pub(crate) fn what_a_command_leaves_in_its_session_is_killed(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let marker = marker();
    text(sandbox.as_mut(), &format!("sleep {marker} & (sleep {marker} &) & nohup sleep {marker} >/dev/null 2>&1 &"));
    eventually("the session is gone", || sleepers(&marker).is_empty());
}

pub(crate) fn a_daemon_lives_on_between_commands(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let marker = marker();
    text(sandbox.as_mut(), &daemon(&marker));
    eventually("the daemon runs", || sleepers(&marker).len() == 1);
    text(sandbox.as_mut(), "true");
    assert_eq!(sleepers(&marker).len(), 1);
}
