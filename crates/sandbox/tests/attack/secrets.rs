//! What only the host may know or decide.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use basis_sandbox::{Backend, Outcome, Sandbox, SandboxSpec};
use tempfile::TempDir;

use crate::fixture::{empty, fails, layer, run, spec, supported, text};

fn with_env(backend: &dyn Backend, change: impl FnOnce(&mut SandboxSpec)) -> (TempDir, Box<dyn Sandbox>) {
    let layer = layer(&[]);
    let mut spec = spec(&[&layer]);
    change(&mut spec);
    let sandbox = backend.create(&spec).expect("created");
    (layer, sandbox)
}

pub(crate) fn hidden_files_are_nowhere(backend: &dyn Backend) {
    let hidden = layer(&[("tests/hidden.txt", "qX7-canary-of-the-grader")]);
    let (_layer, mut sandbox) = empty(backend);
    // The pattern is written so that the search does not find itself.
    let script = "cat /proc/*/environ /proc/*/maps /proc/*/mountinfo /proc/*/cmdline 2>/dev/null | grep -a -c 'qX7-[c]anary'; \
                  grep -r -l -a -s 'qX7-[c]anary' /work /tmp /var /run /etc /dev/shm /opt /home /root /mnt 2>/dev/null";
    assert_eq!(run(sandbox.as_mut(), script).stdout.text(), "0\n");
    let name = hidden.path().file_name().expect("named").to_string_lossy().into_owned();
    assert_eq!(run(sandbox.as_mut(), &format!("cat /proc/self/mountinfo | grep -c '{name}'")).stdout.text(), "0\n");
}

pub(crate) fn a_planted_file_does_not_win(backend: &dyn Backend) {
    let repository = layer(&[("src", "code")]);
    let hidden = layer(&[("tests/test_hidden", "of the grader")]);
    let place = layer(&[]);
    let mut agent = backend.create(&spec(&[&repository])).expect("created");
    text(agent.as_mut(), "mkdir tests; echo planted > tests/test_hidden; echo more > tests/extra; echo done > src");
    let handed_in = place.path().join("layer");
    if supported(agent.snapshot(&handed_in)).is_none() {
        hand_in(agent.as_mut(), &handed_in);
    }
    let mut grading = spec(&[&repository]);
    grading.layers.extend([handed_in, hidden.path().to_owned()]);
    let mut grader = backend.create(&grading).expect("created");
    assert_eq!(text(grader.as_mut(), "cat tests/test_hidden src"), "of the graderdone\n");
}

/// What changed, as a layer, where the backend makes none.
fn hand_in(agent: &mut dyn Sandbox, layer: &Path) {
    for change in agent.changes().expect("listed") {
        let place = layer.join(&change.path);
        fs::create_dir_all(place.parent().expect("it is below the layer")).expect("made");
        fs::write(place, agent.read(&change.path, 1000).expect("read")).expect("written");
    }
}

pub(crate) fn the_environment_holds_no_secrets(backend: &dyn Backend) {
    let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("GIVEN".to_owned(), "yes".to_owned())]);
    let (_layer, mut sandbox) = with_env(backend, |spec| spec.env = env);
    let own = sandbox.exec(&basis_sandbox::Command::new(["env"])).expect("ran").stdout.text();
    let mut names: Vec<&str> = own.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["GIVEN", "PATH"]);
    fails(sandbox.as_mut(), "cat /proc/1/environ");
    // What every test process has in its own environment.
    let all = run(
        sandbox.as_mut(),
        "cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep -v -E '^(GIVEN|PATH|PWD|SHLVL|_|OLDPWD)='",
    );
    assert_eq!(all.stdout.text(), "");
}

pub(crate) fn no_descriptors_are_inherited(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    assert_eq!(text(sandbox.as_mut(), "ls /proc/self/fd | tr '\\n' ' '"), "0 1 2 3 ", "3 is that of the listing");
    let script = "for n in $(seq 3 100); do (eval \"echo x >&$n\") 2>/dev/null && echo $n; done; true";
    assert_eq!(text(sandbox.as_mut(), script), "");
}

pub(crate) fn the_host_runs_nothing_of_the_tree(backend: &dyn Backend) {
    let place = layer(&[]);
    let (_layer, mut sandbox) = empty(backend);
    let canary = place.path().join("executed");
    let script = format!(
        "mkdir -p .git/hooks .git/objects .git/refs; echo 'ref: refs/heads/main' > .git/HEAD; \
         printf '[core]\\n\\tfsmonitor = touch {0}\\n\\tpager = touch {0}\\n[filter \"x\"]\\n\\tclean = touch {0}\\n' > .git/config; \
         echo '* filter=x' > .gitattributes; printf '#!/bin/sh\\ntouch {0}\\n' > .git/hooks/post-checkout; chmod +x .git/hooks/*; echo > file",
        canary.display()
    );
    text(sandbox.as_mut(), &script);
    sandbox.read(".git/config", 10_000).expect("read");
    sandbox.freeze().expect("frozen");
    sandbox.changes().expect("listed");
    let _ = supported(sandbox.snapshot(&place.path().join("layer")));
    let _ = supported(sandbox.fork());
    sandbox.destroy().expect("destroyed");
    assert!(!canary.exists());
}

pub(crate) fn the_control_channel_is_out_of_reach(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    fails(sandbox.as_mut(), "ls /proc/1/fd/");
    let script = "for fd in /proc/[0-9]*/fd/*; do readlink $fd; done 2>/dev/null | grep -c socket";
    assert_eq!(run(sandbox.as_mut(), script).stdout.text(), "0\n");
    let forged = run(
        sandbox.as_mut(),
        "for n in $(seq 3 255); do printf '\\x10\\0\\0\\0{\"Exited\":{\"status\":0}}' >&$n; done 2>/dev/null; exit 9",
    );
    assert_eq!(forged.outcome, Outcome::Exited(9));
}

pub(crate) fn printed_text_decides_nothing(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let script = "echo '{\"Exited\":{\"status\":0,\"out_of_memory\":false}}'; echo 'exit status: 0'; printf '\\0\\0\\0\\0' >&2; echo 0 >&3; exit 5";
    let output = run(sandbox.as_mut(), script);
    assert_eq!(output.outcome, Outcome::Exited(5));
    assert!(output.report.bytes.is_empty());
}

pub(crate) fn history_outside_the_layer_is_not_there(backend: &dyn Backend) {
    let outer = layer(&[
        (".git/HEAD", "ref: refs/heads/main"),
        (".git/packed-refs", "future"),
        ("repo/file", "x"),
        ("other/fix.patch", "fix"),
    ]);
    let mut spec = spec(&[]);
    spec.layers = vec![outer.path().join("repo")];
    let mut sandbox = backend.create(&spec).expect("created");
    fails(sandbox.as_mut(), "ls -d ../.git ../other ../../.git /.git");
    assert_eq!(
        text(sandbox.as_mut(), "find / -xdev -name packed-refs -o -xdev -name fix.patch 2>/dev/null | wc -l").trim(),
        "0"
    );
    assert!(fs::exists(outer.path().join(".git/HEAD")).expect("looked"));
}
