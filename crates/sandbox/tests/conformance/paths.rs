//! Reading and writing single files from the host side.

use basis_sandbox::{Backend, SandboxError};

use crate::fixture::{empty, layer, spec, text};

const MAX: u64 = 1 << 20;

pub(crate) fn bytes_come_back_as_they_were_written(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let bytes: Vec<u8> = (0..700_000_u32).map(|index| (index * 7 % 256) as u8).collect();
    sandbox.write("a/b c/ü.bin", &bytes).expect("written");
    assert_eq!(sandbox.read("a/b c/ü.bin", MAX).expect("read"), bytes);
    sandbox.write("a/b c/ü.bin", b"").expect("written");
    assert_eq!(sandbox.read("a/b c/ü.bin", 0).expect("read"), b"");
}

pub(crate) fn writing_keeps_the_mode_and_makes_parents(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    sandbox.write("./deep/er/run.sh", b"echo one").expect("written");
    text(sandbox.as_mut(), "chmod 750 deep/er/run.sh");
    sandbox.write("deep/er/run.sh", b"#!/bin/sh\necho two").expect("written");
    assert_eq!(text(sandbox.as_mut(), "./deep/er/run.sh; stat -c %a deep/er/run.sh deep"), "two\n750\n755\n");
    text(sandbox.as_mut(), "chmod 0 deep/er/run.sh; chmod 0 deep");
    sandbox.write("deep/er/run.sh", b"three").expect("written whatever the modes are");
}

pub(crate) fn commands_see_what_the_host_writes_and_the_other_way_round(backend: &dyn Backend) {
    let lower = layer(&[("kept", "from the layer")]);
    let mut sandbox = backend.create(&spec(&[&lower])).expect("created");
    assert_eq!(sandbox.read("kept", MAX).expect("read"), b"from the layer");
    sandbox.write("kept", b"from the host").expect("written");
    assert_eq!(text(sandbox.as_mut(), "cat kept; printf inside > kept"), "from the host");
    assert_eq!(sandbox.read("kept", MAX).expect("read"), b"inside");
    text(sandbox.as_mut(), "rm kept");
    assert!(matches!(sandbox.read("kept", MAX), Err(SandboxError::NotFound(_))));
}

pub(crate) fn reading_says_what_is_wrong(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    text(sandbox.as_mut(), "mkdir d; echo 12345 > f; truncate -s 1T sparse 2>/dev/null; true");
    assert!(matches!(sandbox.read("nothing", MAX), Err(SandboxError::NotFound(_))));
    assert!(matches!(sandbox.read("f/below", MAX), Err(SandboxError::NotFound(_))));
    for path in ["d", "d/", "", ".", "..", "../work/f", "d/../f", "/work/f", "/etc/passwd"] {
        assert!(matches!(sandbox.read(path, MAX), Err(SandboxError::NotRegular(_))), "{path}");
    }
    match sandbox.read("f", 5) {
        Err(SandboxError::TooLarge { size: 6, max: 5, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(sandbox.read("f", 6).expect("read"), b"12345\n");
}

pub(crate) fn links_are_never_followed(backend: &dyn Backend) {
    let lower = layer(&[("real/file", "kept")]);
    let outside = layer(&[("secret", "of the host")]);
    let mut sandbox = backend.create(&spec(&[&lower])).expect("created");
    let script = format!(
        "ln -s {0}/secret absolute; ln -s {0} directory; ln -s real inside; ln -s real/file near; ln -s / root; \
         ln -s /proc/self/root magic; ln -s ../../../../etc up",
        outside.path().display()
    );
    text(sandbox.as_mut(), &script);
    let paths =
        ["absolute", "directory/secret", "inside/file", "near", "root/etc/passwd", "magic/etc/passwd", "up/passwd"];
    for path in paths {
        assert_refused(path, sandbox.read(path, MAX));
        assert_refused(path, sandbox.write(path, b"overwritten"));
    }
    for path in ["directory/new", "inside/new", "inside/deep/new", "../new", "/tmp/new", "a/../../new"] {
        assert_refused(path, sandbox.write(path, b"planted"));
    }
    assert_eq!(std::fs::read(outside.path().join("secret")).expect("read"), b"of the host");
    assert_eq!(text(sandbox.as_mut(), "cat real/file; ls real"), "keptfile\n");
}

fn assert_refused<T: std::fmt::Debug>(path: &str, result: Result<T, SandboxError>) {
    assert!(matches!(result, Err(SandboxError::NotRegular(_) | SandboxError::NotFound(_))), "{path}: {result:?}");
}

pub(crate) fn fifos_do_not_block(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    text(sandbox.as_mut(), "mkfifo fifo");
    assert!(matches!(sandbox.read("fifo", MAX), Err(SandboxError::NotRegular(_))));
    assert!(matches!(sandbox.write("fifo", b"x"), Err(SandboxError::NotRegular(_))));
}

pub(crate) fn what_is_made_unreadable_is_read_all_the_same(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    text(sandbox.as_mut(), "mkdir -p a/b; echo hidden > a/b/c; chmod 0 a/b/c a/b a");
    assert_eq!(sandbox.read("a/b/c", MAX).expect("read"), b"hidden\n");
    sandbox.freeze().expect("frozen");
    assert_eq!(sandbox.read("a/b/c", MAX).expect("read"), b"hidden\n");
    let changes = sandbox.changes().expect("listed");
    let kinds: Vec<String> = changes.iter().map(|change| format!("{} {:?}", change.path, change.kind)).collect();
    assert_eq!(kinds, ["a/b/c File { edit: Added, size: 7, mode: 0 }"]);
}
