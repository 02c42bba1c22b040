//! What every backend must hold to.

use std::collections::BTreeMap;
use std::fs;

use basis_sandbox::{Change, ChangeKind, Command, Limits, Outcome, SandboxSpec, backends};

#[test]
fn a_command_runs_on_a_copy_and_its_changes_are_seen_after_freeze() {
    let backend = backends::open("namespace").expect("this machine can run the backend");
    let layer = tempfile::tempdir().expect("a directory");
    fs::write(layer.path().join("kept.txt"), "hello").expect("written");
    fs::create_dir(layer.path().join("gone")).expect("made");
    let spec = SandboxSpec {
        layers: vec![layer.path().into()],
        workdir: "/work".into(),
        mounts: vec![],
        env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        limits: Limits::default(),
    };
    let mut sandbox = backend.create(&spec).expect("created");
    let mut command = Command::new(["sh", "-c", "touch kept.txt; rmdir gone; cat > new.txt; echo report >&3"]);
    command.report = true;
    command.stdin = b"from stdin".to_vec();
    let output = sandbox.exec(&command).expect("run");
    assert_eq!(output.outcome, Outcome::Exited(0));
    assert_eq!(output.report.bytes, b"report\n");
    sandbox.freeze().expect("frozen");
    assert_eq!(sandbox.read("new.txt", 100).expect("read"), b"from stdin");
    let changes = [
        Change { path: "gone".into(), kind: ChangeKind::Deleted },
        Change { path: "new.txt".into(), kind: ChangeKind::File { size: 10, mode: 0o644 } },
    ];
    assert_eq!(sandbox.changes().expect("listed"), changes);
}
