//! Output while a command runs, and commands that are ended from another thread.

use basis_sandbox::{Backend, Outcome, ShellLine, Stream};

use crate::fixture::{empty, eventually, limited, marker, run, shell, sleepers, supported};

pub(crate) fn output_arrives_while_the_command_runs(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let Some(interrupter) = supported(sandbox.interrupter()) else { return };
    let mut heard = Vec::new();
    // Ends only if the first output arrives before the end.
    let mut sink = |stream, bytes: &[u8]| {
        heard.push((stream, bytes.to_vec()));
        interrupter.interrupt().expect("told");
    };
    let command = shell("echo first; exec sleep 60");
    let Some(output) = supported(sandbox.exec_streaming(&command, &mut sink)) else { return };
    assert_eq!(output.outcome, Outcome::Interrupted);
    assert_eq!(heard, [(Stream::Stdout, b"first\n".to_vec())]);
}

pub(crate) fn a_sink_gets_all_of_both_streams(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| limits.output_bytes = 10_000);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut sink = |stream, bytes: &[u8]| match stream {
        Stream::Stdout => out.extend_from_slice(bytes),
        Stream::Stderr => err.extend_from_slice(bytes),
    };
    let command = shell("head -c 200000 /dev/zero; printf oops >&2");
    let Some(output) = supported(sandbox.exec_streaming(&command, &mut sink)) else { return };
    assert_eq!((out.len(), err.as_slice()), (200_000, &b"oops"[..]));
    assert_eq!((output.stdout.bytes.len(), output.stdout.total), (10_000, 200_000));
}

pub(crate) fn a_command_is_interrupted_from_another_thread(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let Some(interrupter) = supported(sandbox.interrupter()) else { return };
    interrupter.interrupt().expect("nothing runs, nothing happens");
    assert_eq!(run(sandbox.as_mut(), "echo unhurt").stdout.text(), "unhurt\n");
    for stubborn in ["", "trap '' INT; "] {
        let marker = marker();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                eventually("the command runs", || !sleepers(&marker).is_empty());
                interrupter.interrupt().expect("told");
            });
            let output = run(sandbox.as_mut(), &format!("{stubborn}sleep {marker}; sleep {marker}; echo survived"));
            assert_eq!((output.outcome, output.stdout.text().as_str()), (Outcome::Interrupted, ""));
        });
        assert_eq!(sleepers(&marker), Vec::<i32>::new());
    }
    assert_eq!(run(sandbox.as_mut(), "exit 3").outcome, Outcome::Exited(3));
}

pub(crate) fn a_line_is_interrupted_and_its_shell_lives_on(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let Some(interrupter) = supported(sandbox.interrupter()) else { return };
    let mut line = |text: &str| supported(sandbox.shell(&ShellLine::new(text), &mut |_, _| ()));
    if line("x=kept").is_none() {
        return;
    }
    let marker = marker();
    let interrupted = |line: &mut dyn FnMut(&str) -> Option<basis_sandbox::ShellOutput>, text: String| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                eventually("the line runs", || !sleepers(&marker).is_empty());
                interrupter.interrupt().expect("told");
            });
            assert_eq!(line(&text).expect("supported").output.outcome, Outcome::Interrupted);
        });
    };
    interrupted(&mut line, format!("sleep {marker}"));
    let after = line("echo $x").expect("supported");
    assert_eq!((after.output.stdout.text().as_str(), after.fresh), ("kept\n", false));
    interrupted(&mut line, format!("while :; do sleep {marker}; done"));
    assert!(line("true").expect("supported").fresh, "what does not heed it is killed with its shell");
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
}
