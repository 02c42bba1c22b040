//! What a sandbox is made of.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use basis_sandbox::{Backend, Command, SandboxError};

use crate::fixture::{fails, layer, mount, put, spec, text};

pub(crate) fn later_layers_win(backend: &dyn Backend) {
    let first = layer(&[("a", "1"), ("d/b", "1"), ("d/c", "1"), ("x/y", "1")]);
    let second = layer(&[("d/b", "2"), ("d/e", "2")]);
    let third = layer(&[("d/e", "3"), ("x", "3")]);
    let mut sandbox = backend.create(&spec(&[&first, &second, &third])).expect("created");
    assert_eq!(text(sandbox.as_mut(), "cat a d/b d/c d/e x"), "12133");
    assert_eq!(sandbox.read("d/e", 10).expect("read"), b"3");
    text(sandbox.as_mut(), "rm -r d; mkdir d; printf 2 > d/b; printf 9 > d/e");
    let changed: Vec<String> = sandbox.changes().expect("listed").into_iter().map(|change| change.path).collect();
    assert_eq!(changed, ["d/c", "d/e"]);
}

pub(crate) fn mounts_are_shown_and_cannot_be_written(backend: &dyn Backend) {
    let lower = layer(&[("src/x", "")]);
    let tools = layer(&[("bin/tool", "#!/bin/sh\necho tool $1\n"), ("single", "file")]);
    fs::set_permissions(tools.path().join("bin/tool"), PermissionsExt::from_mode(0o755)).expect("set");
    let mut spec = spec(&[&lower]);
    spec.mounts = vec![
        mount(tools.path().join("bin"), "/opt/long/way/to/bin"),
        mount(tools.path().join("single"), "/opt/single.txt"),
        mount(tools.path(), "/work/src/vendor"),
        mount(tools.path(), "/tmp/tools"),
    ];
    let mut sandbox = backend.create(&spec).expect("created");
    let output = sandbox.exec(&Command::new(["/opt/long/way/to/bin/tool", "works"])).expect("ran");
    assert_eq!(output.stdout.text(), "tool works\n");
    assert_eq!(text(sandbox.as_mut(), "cat /opt/single.txt src/vendor/single /tmp/tools/single"), "filefilefile");
    for path in ["/opt/long/way/to/bin/tool", "/opt/single.txt", "/work/src/vendor/single", "/tmp/tools/new"] {
        fails(sandbox.as_mut(), &format!("echo x >> {path}"));
        fails(sandbox.as_mut(), &format!("chmod 777 {path} || rm {path}"));
    }
    assert!(sandbox.changes().expect("listed").is_empty());
    assert_eq!(fs::read_to_string(tools.path().join("single")).expect("read"), "file");
}

pub(crate) fn a_mount_can_be_shown_inside_another_one(backend: &dyn Backend) {
    let (lower, outer, inner) =
        (layer(&[]), layer(&[("lib/site/old", "1"), ("bin/tool", "2")]), layer(&[("new", "3")]));
    let mut spec = spec(&[&lower]);
    spec.mounts = vec![mount(inner.path(), "/opt/a/prefix/lib/site"), mount(outer.path(), "/opt/a/prefix")];
    let mut sandbox = backend.create(&spec).expect("created");
    assert_eq!(text(sandbox.as_mut(), "cd /opt/a/prefix; ls lib/site; cat lib/site/new bin/tool"), "new\n32");
    fails(sandbox.as_mut(), "echo x > /opt/a/prefix/lib/site/new");
}

pub(crate) fn a_private_directory_can_be_shown(backend: &dyn Backend) {
    let home = layer(&[("private/layer/a", "1"), ("private/tool/b", "2")]);
    let private = home.path().join("private");
    for path in ["", "layer", "tool"] {
        fs::set_permissions(private.join(path), PermissionsExt::from_mode(0o700)).expect("set");
    }
    fs::set_permissions(private.join("tool/b"), PermissionsExt::from_mode(0o600)).expect("set");
    let mut spec = spec(&[]);
    spec.layers = vec![private.join("layer")];
    spec.mounts = vec![mount(private.join("tool"), "/opt/tool")];
    let mut sandbox = backend.create(&spec).expect("created");
    assert_eq!(text(sandbox.as_mut(), "cat a /opt/tool/b; echo more >> a; cat a"), "121more\n");
}

pub(crate) fn a_wrong_specification_is_an_error_that_names_the_path(backend: &dyn Backend) {
    let lower = layer(&[]);
    put(&lower.path().join("file"), "");
    let good = spec(&[&lower]);
    let refused = |change: &dyn Fn(&mut basis_sandbox::SandboxSpec), named: &str| {
        let mut spec = good.clone();
        change(&mut spec);
        match backend.create(&spec).map(drop) {
            Err(SandboxError::Spec { path, .. }) => assert!(path.to_string_lossy().contains(named), "{path:?}"),
            other => panic!("{named}: {other:?}"),
        }
    };
    refused(&|spec| spec.layers.clear(), "/work");
    refused(&|spec| spec.layers.push("/no/such/layer".into()), "/no/such/layer");
    refused(&|spec| spec.layers.push("relative".into()), "relative");
    refused(&|spec| spec.layers.push(lower.path().join("file")), "file");
    refused(&|spec| spec.workdir = "work".into(), "work");
    refused(&|spec| spec.workdir = "/".into(), "/");
    refused(&|spec| spec.workdir = "/a/../b".into(), "/a/../b");
    refused(&|spec| spec.workdir = "/usr/no-such-place".into(), "/usr/no-such-place");
    refused(&|spec| spec.mounts = vec![mount("/no/such/mount", "/opt/x")], "/no/such/mount");
    refused(&|spec| spec.mounts = vec![mount("/usr/bin", "opt")], "opt");
    refused(&|spec| spec.mounts = vec![mount("/usr/bin", "/proc/new")], "/proc/new");
    backend.create(&good).expect("the backend still works");
}
