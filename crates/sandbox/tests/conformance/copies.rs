//! Sandboxes that go on from the files of others.

use std::fs;

use basis_sandbox::{Backend, Sandbox, SandboxError};

use crate::fixture::{daemon, empty, eventually, layer, marker, mount, run, shell, sleepers, spec, supported, text};

const FILES: &[(&str, &str)] = &[
    ("kept", "1"),
    ("changed", "2"),
    ("gone", "3"),
    ("mode", "4"),
    ("old/a", "5"),
    ("old/b", "6"),
    ("tree/deep/er/file", "7"),
    ("sealed/x", "8"),
];

/// Makes every kind of change.
const CHANGE: &str = "echo new > changed; rm gone; chmod 755 mode; rm -r old; mkdir old; echo c > old/c; rm -r tree/deep; \
                      mkdir -p n/ew; printf ü > 'n/ew/ü b'; printf x > $'n/bin\\xff'; ln -s ../kept n/link; ln n/link2 n 2>/dev/null; \
                      mkfifo n/fifo; echo twice > n/one; ln n/one n/two; truncate -s 20M n/sparse; touch -d 2001-02-03 n/one; \
                      chmod 700 n/ew; chmod 0 sealed";

/// Everything that a command sees of the working directory.
fn picture(sandbox: &mut dyn Sandbox) -> String {
    let script = "chmod 700 sealed; find . -type d -printf '%p d %m\\n' -o -printf '%p %y %s %n %m %l\\n' | sort; find . -type f -size -1M | sort | \
                  while IFS= read -r f; do printf '%s: ' \"$f\"; cat \"$f\"; done; stat -c %Y n/one; chmod 0 sealed";
    text(sandbox, script)
        .lines()
        .filter(|line| !line.starts_with("./sealed d ") && !line.contains(". d "))
        .collect::<Vec<_>>()
        .join("\n")
}

fn listed(sandbox: &mut dyn Sandbox) -> Vec<String> {
    sandbox.changes().expect("listed").iter().map(|change| format!("{} {:?}", change.path, change.kind)).collect()
}

/// Leave something, each after the one before.
const LEAVING: [&str; 13] = [
    "echo x > new",
    "printf y > kept; touch -d @0 kept",
    "printf z > kept; touch -d @0 kept",
    "touch changed",
    "rm gone",
    "chmod 600 mode",
    "mkdir /tmp/d; rmdir /tmp/d",
    "echo 1 > /dev/shm/x",
    "ln -s kept link",
    "ln new other",
    "mkfifo fifo",
    "mv tree moved",
    "chmod 700 .",
];

pub(crate) fn what_stands_tells_whether_a_command_left_anything(backend: &dyn Backend) {
    let lower = layer(FILES);
    let mut sandbox = backend.create(&spec(&[&lower])).expect("created");
    let Some(mut before) = supported(sandbox.standing()) else { return };
    assert!(before.is_some(), "nothing lives in a new one");
    for command in LEAVING {
        for nothing in
            ["cat kept; ls -R . /tmp; exit 3", "cd tree; X=1; export X", "sleep 100 & sleep 100 | cat & true"]
        {
            run(sandbox.as_mut(), nothing);
            assert_eq!(sandbox.standing().expect("looked at"), before, "`{nothing}` leaves nothing");
        }
        text(sandbox.as_mut(), command);
        let after = sandbox.standing().expect("looked at");
        assert!(after.is_some() && after != before, "`{command}` leaves something");
        before = after;
    }
    let marker = marker();
    text(sandbox.as_mut(), &daemon(&marker));
    assert_eq!(sandbox.standing().expect("looked at"), None, "a process lives");
    text(sandbox.as_mut(), "kill -9 -1 || true");
    eventually("it is gone", || sleepers(&marker).is_empty());
    text(sandbox.as_mut(), "head -c 9M /dev/zero > much");
    assert_eq!(sandbox.standing().expect("looked at"), None, "that is too much to look at");
}

pub(crate) fn a_fork_goes_on_from_the_same_files(backend: &dyn Backend) {
    let lower = layer(FILES);
    let mut first = backend.create(&spec(&[&lower])).expect("created");
    text(first.as_mut(), &format!("{CHANGE}; echo t > /tmp/t; echo s > /dev/shm/s"));
    let marker = marker();
    text(first.as_mut(), &daemon(&marker));
    let Some(mut second) = supported(first.fork()) else { return };
    eventually("its processes are not taken along", || sleepers(&marker).len() == 1);
    assert_eq!(listed(second.as_mut()), listed(first.as_mut()));
    assert_eq!(picture(second.as_mut()), picture(first.as_mut()));
    assert_eq!(text(second.as_mut(), "cat /tmp/t /dev/shm/s; du -k n/sparse | cut -f1"), "t\ns\n0\n");
    text(second.as_mut(), "echo theirs > kept; echo theirs > n/one; cat n/two");
    text(first.as_mut(), "echo ours > kept");
    assert_eq!(text(first.as_mut(), "cat kept n/two"), "ours\ntwice\n");
    assert_eq!(text(second.as_mut(), "cat kept n/two"), "theirs\ntheirs\n");
    first.freeze().expect("frozen");
    let mut third = first.fork().expect("a frozen one has files too");
    first.destroy().expect("destroyed");
    assert_eq!(text(third.as_mut(), "cat kept"), "ours\n");
}

pub(crate) fn a_fork_has_the_same_mounts_and_limits(backend: &dyn Backend) {
    let (lower, tools) = (layer(&[]), layer(&[("tool", "")]));
    let mut spec = spec(&[&lower]);
    spec.mounts = vec![mount(tools.path(), "/tmp/tools"), mount(tools.path(), "/work/vendor")];
    spec.limits.disk_bytes = 8 << 20;
    let mut first = backend.create(&spec).expect("created");
    text(first.as_mut(), "head -c 5M /dev/zero > five");
    let Some(mut second) = supported(first.fork()) else { return };
    assert_eq!(
        text(second.as_mut(), "ls /tmp/tools vendor; stat -c %s five"),
        "/tmp/tools:\ntool\n\nvendor:\ntool\n5242880\n"
    );
    let output = second.exec(&shell("head -c 5M /dev/zero > ten")).expect("ran");
    assert!(output.refused.disk && !output.outcome.success(), "{output:?}");
}

pub(crate) fn a_snapshot_is_a_layer_that_shows_the_same(backend: &dyn Backend) {
    let (lower, place) = (layer(FILES), layer(&[]));
    let mut first = backend.create(&spec(&[&lower])).expect("created");
    text(first.as_mut(), CHANGE);
    // A directory that nobody may enter cannot be in a layer of an ordinary user.
    text(first.as_mut(), "chmod 755 sealed");
    let target = place.path().join("layer");
    if supported(first.snapshot(&target)).is_none() {
        return;
    }
    let mut stacked = spec(&[&lower]);
    stacked.layers.push(target.clone());
    let mut second = backend.create(&stacked).expect("created");
    assert_eq!(listed(second.as_mut()), Vec::<String>::new());
    assert_eq!(picture(second.as_mut()), picture(first.as_mut()));
    text(
        second.as_mut(),
        "chmod 755 sealed; printf 3 > gone; rm -r old; mkdir old; printf 5 > old/a; mkdir -p tree/deep/er; echo > tree/deep/er/file",
    );
    let expected = [
        "gone File { edit: Added, size: 1, mode: 420 }",
        "old/a File { edit: Added, size: 1, mode: 420 }",
        "old/c Deleted",
        "tree/deep/er/file File { edit: Added, size: 1, mode: 420 }",
    ];
    assert_eq!(listed(second.as_mut()), expected);
    assert!(
        matches!(first.snapshot(&target), Err(SandboxError::System { .. })),
        "an existing directory is not written to"
    );
    assert_eq!(fs::read_to_string(lower.path().join("gone")).expect("read"), "3");
}

pub(crate) fn nothing_moves_while_files_are_copied(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    // Two files that differ for a moment in every round.
    let writer = "setsid bash -c 'i=0; while :; do i=$((i+1)); echo $i > a; echo $i > b; done' > /dev/null 2>&1 & until [ -e b ]; do :; done";
    text(sandbox.as_mut(), writer);
    for _ in 0..5 {
        let Some(mut copy) = supported(sandbox.fork()) else { return };
        let [a, b] = ["a", "b"].map(|name| String::from_utf8(copy.read(name, 100).expect("read")).expect("text"));
        let [a, b] = [a, b].map(|text| text.trim().parse::<i64>().ok());
        if let (Some(a), Some(b)) = (a, b) {
            assert!((0..=1).contains(&(a - b)), "{a} and {b}");
        }
    }
    let count = |sandbox: &mut dyn Sandbox| text(sandbox, "cat a").trim().parse::<i64>().unwrap_or(0);
    let before = count(sandbox.as_mut());
    for _ in 0..1000 {
        if count(sandbox.as_mut()) > before {
            return;
        }
    }
    panic!("the writer did not go on");
}
