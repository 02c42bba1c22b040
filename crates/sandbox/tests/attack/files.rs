//! Files of the host and of the toolchain.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use basis_sandbox::{Backend, SandboxError};

use crate::fixture::{empty, fails, layer, run, shell, spec, text};

const SECRET: &str = "secret of the host";

pub(crate) fn links_do_not_lead_the_host_out(backend: &dyn Backend) {
    let outside = layer(&[("secret", SECRET)]);
    let (_layer, mut sandbox) = empty(backend);
    let at = outside.path().display();
    let script = format!(
        "ln -s {at}/secret one; ln -s {at} two; ln -s / three; ln -s /proc/self/root four; ln -s ../../../.. five"
    );
    text(sandbox.as_mut(), &script);
    for path in
        ["one", "two/secret", &format!("three{at}/secret"), &format!("four{at}/secret"), &format!("five{at}/secret")]
    {
        match sandbox.read(path, 1000) {
            Err(SandboxError::NotRegular(_) | SandboxError::NotFound(_)) => {}
            other => panic!("{path}: {other:?}"),
        }
        assert!(sandbox.write(path, b"overwritten").is_err(), "{path}");
    }
    assert_eq!(fs::read_to_string(outside.path().join("secret")).expect("read"), SECRET);
}

pub(crate) fn hard_links_do_not_take_files_out(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    for path in ["/usr/bin/env", "/etc/passwd", "/proc/self/exe", "/proc/self/fd/0"] {
        fails(sandbox.as_mut(), &format!("ln {path} here"));
        fails(sandbox.as_mut(), &format!("ln -L {path} here"));
    }
}

pub(crate) fn layers_stay_as_they_are(backend: &dyn Backend) {
    let lower = layer(&[("a", "1"), ("d/b", "2"), ("d/c", "3"), ("e/f/g", "4"), ("h", "5")]);
    let before = picture(lower.path());
    let mut sandbox = backend.create(&spec(&[&lower])).expect("created");
    let script = "echo x >> a; : > d/b; chmod 777 d d/c e; mv e moved; ln h link; echo 6 >> link; touch -d 1990-01-01 a; \
                  fallocate -l 100 d/c 2>/dev/null; exec 9<>h; echo 7 >&9; rm -r moved; mv d e; cp -f a h; mkdir d; rm -rf *";
    run(sandbox.as_mut(), script);
    sandbox.write("d/b", b"from the host").expect("written");
    sandbox.destroy().expect("destroyed");
    assert_eq!(picture(lower.path()), before);
}

fn picture(root: &Path) -> BTreeMap<String, (u32, u32, i64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(path) = left.pop() {
        let data = fs::symlink_metadata(&path).expect("read");
        let bytes = if data.is_dir() { Vec::new() } else { fs::read(&path).expect("read") };
        if data.is_dir() {
            left.extend(fs::read_dir(&path).expect("listed").map(|entry| entry.expect("read").path()));
        }
        all.insert(path.display().to_string(), (data.mode(), data.uid(), data.mtime_nsec(), bytes));
    }
    all
}

pub(crate) fn magic_links_stay_inside(backend: &dyn Backend) {
    let outside = layer(&[("secret", SECRET)]);
    let (_layer, mut sandbox) = empty(backend);
    let at = outside.path().display();
    fails(sandbox.as_mut(), "ls /proc/1/root/ /proc/1/cwd/ /proc/1/fd/");
    let script = format!(
        "for root in /proc/*/root /proc/*/cwd /proc/*/fd/* /proc/self/task/*/root; do cat $root{at}/secret $root/../../../..{at}/secret; done"
    );
    assert!(!run(sandbox.as_mut(), &script).stdout.text().contains(SECRET));
    assert_eq!(text(sandbox.as_mut(), "ls -d /proc/self/root/work"), "/proc/self/root/work\n");
}

pub(crate) fn the_toolchain_cannot_be_written(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    for path in ["/usr/bin/env", "/bin/sh", "/usr/lib", "/etc/passwd", "/usr/bin/bash"] {
        fails(sandbox.as_mut(), &format!("exec 9>> {path}"));
        fails(sandbox.as_mut(), &format!("cp /work /tmp/x -r; mv -T /tmp/x {path} 2>&1"));
        fails(sandbox.as_mut(), &format!("rm -rf {path} && test ! -e {path}"));
        fails(sandbox.as_mut(), &format!("chmod 777 {path}"));
        fails(sandbox.as_mut(), &format!("mount --bind /tmp {path}"));
    }
    for place in ["/new", "/usr/bin/new", "/usr/local/bin/new", "/etc/ld.so.preload", "/opt/new"] {
        fails(sandbox.as_mut(), &format!("echo > {place}"));
    }
}

pub(crate) fn odd_files_do_not_hang_the_host(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    text(sandbox.as_mut(), "mkfifo fifo; mkdir dir wide; (cd wide; seq 10000 | xargs touch); ln -s /dev/zero zero");
    for path in ["fifo", "dir", "wide", "zero"] {
        assert!(matches!(sandbox.read(path, 100), Err(SandboxError::NotRegular(_))), "{path}");
        assert!(sandbox.write(path, b"x").is_err(), "{path}");
    }
    assert_eq!(sandbox.changes().expect("listed").len(), 10_002);
}

pub(crate) fn swapping_directories_and_links_gains_nothing(backend: &dyn Backend) {
    let outside = layer(&[("file", SECRET)]);
    let (_layer, mut sandbox) = empty(backend);
    let at = outside.path().display();
    text(sandbox.as_mut(), "mkdir real; echo inside > real/file");
    let swap = format!(
        "setsid bash -c 'while :; do ln -sfn {at} swap; rm swap; mv real swap; mv swap real; done' > /dev/null 2>&1 &"
    );
    sandbox.exec(&shell(&format!("{swap} sleep 0.1"))).expect("ran");
    for _ in 0..500 {
        if let Ok(bytes) = sandbox.read("swap/file", 1000) {
            assert_ne!(bytes, SECRET.as_bytes());
        }
        // It may or may not be there at this moment.
        let _ = sandbox.write("swap/file", b"written");
        let _ = sandbox.write("swap/new", b"written");
    }
    assert_eq!(fs::read_to_string(outside.path().join("file")).expect("read"), SECRET);
    assert!(!outside.path().join("new").exists());
}
