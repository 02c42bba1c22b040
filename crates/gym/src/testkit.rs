//! What several modules' tests need: a task that says as little as possible.

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
