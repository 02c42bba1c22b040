//! A shell that stays alive between commands.

use std::time::Duration;

use basis_sandbox::{Backend, Outcome, Sandbox, ShellLine, ShellOutput};

use crate::fixture::{empty, eventually, marker, sleepers, supported, text};

/// Runs one line; `None` when the backend has no such shell.
fn line(sandbox: &mut dyn Sandbox, text: &str) -> Option<ShellOutput> {
    supported(sandbox.shell(&ShellLine::new(text), &mut |_, _| ()))
}

/// Runs lines, all of which must end well, and returns what they wrote.
fn lines(sandbox: &mut dyn Sandbox, texts: &[&str]) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for text in texts {
        let ShellOutput { output, .. } = line(sandbox, text)?;
        assert!(output.outcome.success(), "{text}: {:?} {}", output.outcome, output.stderr.text());
        all.push(output.stdout.text());
    }
    Some(all)
}

pub(crate) fn directory_variables_functions_and_status_live_on(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let texts =
        ["cd /tmp; x='a b'; f() { echo \"<$x>\"; }", "pwd; f", "x=ü\nf", "( exit 7 ); true; cd - > /dev/null", "pwd"];
    let Some(written) = lines(sandbox.as_mut(), &texts) else { return };
    assert_eq!(written, ["", "/tmp\n<a b>\n", "<ü>\n", "", "/work\n"]);
    let failed = line(sandbox.as_mut(), "( exit 7 )").expect("supported");
    assert_eq!((failed.output.outcome, failed.fresh), (Outcome::Exited(7), false));
    assert_eq!(lines(sandbox.as_mut(), &["echo $?"]).expect("supported"), ["7\n"]);
    assert_eq!(text(sandbox.as_mut(), "pwd; echo \"<$x>\""), "/work\n<>\n", "other commands know nothing of it");
}

pub(crate) fn a_line_is_as_separate_as_a_command(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let Some(first) = line(sandbox.as_mut(), "echo out; echo err >&2; printf '\\377\\0'") else { return };
    assert!(first.fresh);
    assert_eq!(
        (first.output.stdout.bytes.as_slice(), first.output.stderr.bytes.as_slice()),
        (&b"out\n\xff\0"[..], &b"err\n"[..])
    );
    let second = line(sandbox.as_mut(), "cat; read x || echo nothing to read").expect("supported");
    assert_eq!((second.output.stdout.text().as_str(), second.fresh), ("nothing to read\n", false));
    let open = line(sandbox.as_mut(), "ls /proc/self/fd | tr '\\n' ' '; echo 0 >&4").expect("supported").output;
    assert_eq!((open.stdout.text().as_str(), open.outcome), ("0 1 2 3 ", Outcome::Exited(1)));
    let wrong = line(sandbox.as_mut(), "echo \"(").expect("supported");
    assert!(!wrong.output.outcome.success() && !wrong.output.stderr.bytes.is_empty());
    let unknown = line(sandbox.as_mut(), "no-such-program").expect("supported").output;
    assert_eq!(
        (unknown.outcome, unknown.stderr.text().as_str()),
        (Outcome::Exited(127), "bash: line 1: no-such-program: command not found\n")
    );
    let long = format!("echo {}", "x".repeat(100_000));
    assert_eq!(lines(sandbox.as_mut(), &[&long]).expect("supported")[0].len(), 100_001);
    assert!(!line(sandbox.as_mut(), "echo still").expect("supported").fresh);
}

pub(crate) fn background_jobs_live_on_and_are_not_heard_later(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let marker = marker();
    let job = format!("(until [ -e go ]; do sleep 0.01; done; echo late; touch done; exec sleep {marker}) &");
    let Some(_) = lines(sandbox.as_mut(), &[&job]) else { return };
    text(sandbox.as_mut(), "touch go; until [ -e done ]; do :; done");
    eventually("the job runs", || sleepers(&marker).len() == 1);
    assert_eq!(lines(sandbox.as_mut(), &["echo now; jobs -p | wc -l"]).expect("supported"), ["now\n1\n"]);
    lines(sandbox.as_mut(), &["kill %1; wait || true"]);
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
}

pub(crate) fn a_shell_that_ends_is_followed_by_a_new_one(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let marker = marker();
    let Some(ended) = line(sandbox.as_mut(), &format!("x=1; sleep {marker} & exit 3")) else { return };
    assert_eq!((ended.output.outcome, ended.fresh), (Outcome::Exited(3), true));
    eventually("its jobs end with it", || sleepers(&marker).is_empty());
    let next = line(sandbox.as_mut(), "echo \"<$x>\"").expect("supported");
    assert_eq!((next.output.stdout.text().as_str(), next.fresh), ("<>\n", true));
    let killed = line(sandbox.as_mut(), "kill -9 $$").expect("supported");
    assert_eq!((killed.output.outcome, killed.fresh), (Outcome::Signalled(9), false));
    assert!(line(sandbox.as_mut(), "true").expect("supported").fresh);
}

pub(crate) fn a_line_that_runs_out_of_time_takes_the_shell_along(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let marker = marker();
    let late = ShellLine { text: format!("sleep {marker}"), wall: Some(Duration::from_millis(300)) };
    let Some(late) = supported(sandbox.shell(&late, &mut |_, _| ())) else { return };
    assert_eq!(late.output.outcome, Outcome::TimedOut);
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
    let next = line(sandbox.as_mut(), "echo again").expect("supported");
    assert_eq!((next.output.stdout.text().as_str(), next.fresh), ("again\n", true));
}
