//! Roots of their own, on both backends that run on this machine: layers of an image in place of the host's system.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use basis_sandbox::{Backend, Command, Limits, Sandbox, SandboxError, SandboxSpec};
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use tempfile::TempDir;

use crate::fixture::{open, put};

/// A root with nothing but busybox, below a second layer that takes away and adds; `None` where busybox is not installed.
fn layers() -> Option<[TempDir; 2]> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().map(Path::new).find(|path| path.exists());
    let Some(busybox) = busybox else {
        eprintln!("skipped: the package busybox-static is not installed");
        return None;
    };
    let [lower, upper] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary directory"));
    let at = |path: &str| lower.path().join(path);
    fs::create_dir_all(at("bin")).expect("made");
    fs::copy(busybox, at("bin/busybox")).expect("copied");
    fs::set_permissions(at("bin/busybox"), PermissionsExt::from_mode(0o755)).expect("set");
    for name in ["sh", "cat", "ls", "id", "rm", "touch", "whoami"] {
        symlink("busybox", at("bin").join(name)).expect("linked");
    }
    put(&at("etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
    put(&at("testbed/kept"), "from the image");
    put(&at("testbed/gone"), "hidden by the second layer");
    put(&at("data/old"), "hidden too");
    symlink("/testbed", at("link")).expect("linked");
    put(&upper.path().join("testbed/added"), "by the second layer");
    put(&upper.path().join("data/new"), "in its place");
    let gone = upper.path().join("testbed/gone");
    rustix::fs::mknodat(CWD, &gone, FileType::CharacterDevice, Mode::empty(), 0).expect("a whiteout");
    rustix::fs::setxattr(upper.path().join("data"), "user.overlay.opaque", b"y", XattrFlags::empty()).expect("set");
    Some([lower, upper])
}

fn spec(layers: &[TempDir], workdir: &str) -> SandboxSpec {
    SandboxSpec {
        root: layers.iter().map(|layer| layer.path().into()).collect(),
        layers: Vec::new(),
        workdir: workdir.into(),
        mounts: Vec::new(),
        env: BTreeMap::from([("PATH".into(), "/bin".into())]),
        limits: Limits::default(),
    }
}

/// Runs `check` on each of the two backends that is available.
fn on_each(check: fn(&dyn Backend, &[TempDir])) {
    let Some(layers) = layers() else { return };
    for name in ["namespace", "container"] {
        match open(name) {
            Ok(backend) => check(Arc::as_ref(&backend), &layers),
            Err(SandboxError::Unavailable { reason, .. }) => eprintln!("skipped on `{name}`: {reason}"),
            Err(error) => panic!("{error}"),
        }
    }
}

fn shell(sandbox: &mut dyn Sandbox, script: &str) -> String {
    let output = sandbox.exec(&Command::new(["sh", "-c", script])).expect("ran");
    assert!(output.outcome.success(), "{script}: {:?}\n{}", output.outcome, output.stderr.text());
    output.stdout.text()
}

#[test]
fn the_root_is_that_of_the_image_with_all_its_marks() {
    on_each(|backend, layers| {
        let mut sandbox = backend.create(&spec(layers, "/testbed")).expect("created");
        let sandbox = sandbox.as_mut();
        assert_eq!(shell(sandbox, "ls /testbed /data"), "/data:\nnew\n\n/testbed:\nadded\nkept\n");
        assert_eq!(shell(sandbox, "ls /"), "bin\ndata\ndev\netc\nlink\nproc\ntestbed\ntmp\nvar\n");
        assert_eq!(shell(sandbox, "whoami; cat /etc/passwd").lines().next(), Some("user"));
        assert!(shell(sandbox, "cat /etc/hosts").contains("localhost"));
        assert!(sandbox.changes().expect("listed").is_empty());
    });
}

#[test]
fn what_is_written_is_seen_from_outside_and_stays_out_of_the_layers() {
    on_each(|backend, layers| {
        let mut sandbox = backend.create(&spec(layers, "/testbed")).expect("created");
        let sandbox = sandbox.as_mut();
        shell(sandbox, "echo changed > kept; rm added; touch /etc/new /bin/new; echo x > /tmp/x; echo y > new");
        sandbox.write("from/outside", b"written").expect("written");
        assert_eq!(shell(sandbox, "cat kept from/outside"), "changed\nwritten");
        let changed: Vec<String> = sandbox.changes().expect("listed").into_iter().map(|change| change.path).collect();
        assert_eq!(changed, ["added", "from/outside", "kept", "new"]);
        assert!(!layers[0].path().join("etc/new").exists() && !layers[1].path().join("etc/new").exists());
        let fresh = backend.create(&spec(layers, "/testbed")).expect("created").read("kept", 99).expect("read");
        assert_eq!(fresh, b"from the image");
    });
}

#[test]
fn a_working_directory_that_the_image_lacks_is_made_and_one_behind_a_link_is_refused() {
    on_each(|backend, layers| {
        let mut sandbox = backend.create(&spec(layers, "/usr/src/app")).expect("created");
        assert_eq!(shell(sandbox.as_mut(), "touch here; ls /usr/src/app"), "here\n");
        assert_eq!(sandbox.changes().expect("listed").len(), 1);
        match backend.create(&spec(layers, "/link")).map(drop) {
            Err(SandboxError::Spec { reason, .. }) => assert!(reason.contains("link in the image"), "{reason}"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn nothing_of_the_host_is_seen_in_a_root_of_its_own() {
    on_each(|backend, layers| {
        let mut sandbox = backend.create(&spec(layers, "/testbed")).expect("created");
        let script = "cat /proc/self/mounts; ls /proc/1/root/ 2>/dev/null; ls /.root /.box /.basis 2>/dev/null; true";
        let seen = shell(sandbox.as_mut(), script);
        for layer in layers {
            assert!(!seen.contains(&layer.path().display().to_string()) || seen.contains("lowerdir"), "{seen}");
        }
        let output = sandbox.exec(&Command::new(["sh", "-c", "ls /usr/bin/env /home /root"])).expect("ran");
        assert!(!output.outcome.success(), "{}", output.stdout.text());
    });
}
