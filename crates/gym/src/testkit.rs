//! What several modules' tests need: a task that says as little as possible, and a real sandbox on a few files.

use basis_sandbox::{Limits, Sandbox, SandboxSpec, backends};

use crate::project::{Origin, RunnerKind, TestSetup};
use crate::task::{Context, SCHEMA_VERSION, Task};
use crate::tree::Tree;

/// An `edit` task on an empty tree with 4 turns.
pub(crate) fn task() -> Task {
    let tests = TestSetup { runner: RunnerKind::Plain, files: vec![], import_roots: vec![], requirements: vec![] };
    Task {
        id: String::new(),
        schema_version: SCHEMA_VERSION,
        skill: "edit".into(),
        prompt: "do it".into(),
        context: Context { tree: Tree::new().id(), tests, max_turns: 4 },
        hidden: serde_json::Value::Null,
        grader: "none 1".into(),
        origin: Origin { source: "generated".into(), locator: "0".into(), licence: String::new() },
        project: "sample".into(),
        family: String::new(),
        pair: String::new(),
    }
    .sealed()
}

/// A sandbox on these files; the directory holds its layer.
pub(crate) fn sandbox(files: &[(&str, &str)]) -> (tempfile::TempDir, Box<dyn Sandbox>) {
    let layer = tempfile::tempdir().expect("there is room for a layer");
    let mut tree = Tree::new();
    files.iter().for_each(|(path, text)| tree.insert(*path, text.as_bytes()));
    tree.write_to(layer.path()).expect("the layer is writable");
    let spec = SandboxSpec {
        layers: vec![layer.path().to_owned()],
        workdir: "/repo".into(),
        mounts: vec![],
        env: [("PATH".into(), "/usr/bin:/bin".into())].into(),
        limits: Limits::default(),
    };
    let backend = backends::open("namespace").expect("this machine has namespaces");
    let sandbox = backend.create(&spec).expect("a sandbox starts");
    (layer, sandbox)
}
