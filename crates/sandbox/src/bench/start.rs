//! From nothing to a command and back to nothing, and a command in a sandbox that lives.

use std::collections::BTreeMap;
use std::path::Path;

use super::others::{Tool, fork_and_exec, spawn};
use super::turns::{Case, compare};
use super::{Section, Target};
use crate::{Backend, Command, Limits, SandboxError, SandboxSpec, backends};

const TRUE: &str = "/bin/true";
const WHOLE: &str = "namespace: create, exec, destroy";
const LIVE: &str = "namespace: exec in a live sandbox";

/// Runs `/bin/true` in every way, `rounds` times each. What other tools need is made in the directory `scratch`.
///
/// # Errors
/// [`SandboxError`] when the `namespace` backend or a plain process cannot run here. Other tools are left out if they cannot.
pub fn start(rounds: usize, scratch: &Path) -> Result<Section, SandboxError> {
    let backend = backends::open("namespace")?;
    let mut living = backend.create(&spec())?;
    let (tools, notes) = tools(scratch);
    let mut cases = vec![
        Case::new("plain process: fork, exec", || fork_and_exec(&[TRUE])),
        Case::new("plain process: posix_spawn", || spawn(&[TRUE])),
        Case::new(WHOLE, || whole(backend.as_ref())),
        Case::new("namespace: create, destroy", || backend.create(&spec())?.destroy()),
        Case::new(LIVE, || living.exec(&Command::new([TRUE])).map(drop)),
    ];
    cases.extend(tools.iter().map(|(tool, every)| Case::new(tool.name, || tool.run()).every(*every)));
    let rows = compare(cases, rounds)?;
    let title = format!("`{TRUE}`, {rounds} rounds in turns");
    let mut section = Section { title, rows, targets: Vec::new(), notes };
    section.targets = targets(&section);
    Ok(section)
}

/// The tools that can be run here, with how many rounds there are to each of theirs, and why the others cannot.
fn tools(scratch: &Path) -> (Vec<(Tool, usize)>, Vec<String>) {
    let all = [
        ("bubblewrap", vec![Ok(Tool::bubblewrap())], 1),
        ("crun", vec![Tool::runtime("crun", scratch)], 2),
        ("runc", vec![Tool::runtime("runc", scratch)], 4),
        // Not every runtime of these two works on every machine.
        ("podman run", vec![Tool::podman("crun", scratch), Tool::podman("runc", scratch)], 10),
    ];
    let (mut usable, mut notes) = (Vec::new(), Vec::new());
    for (name, variants, every) in all {
        match first_usable(variants) {
            Ok(tool) => usable.push((tool, every)),
            Err(objection) => notes.push(format!("without {name}: {objection}")),
        }
    }
    (usable, notes)
}

/// The first one that works, or why the last one does not.
fn first_usable(variants: Vec<Result<Tool, SandboxError>>) -> Result<Tool, String> {
    let mut reason = String::new();
    for variant in variants {
        match variant.map(|tool| (tool.objection(), tool)) {
            Ok((None, tool)) => return Ok(tool),
            Ok((Some(objection), _)) => reason = objection,
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason)
}

fn targets(section: &Section) -> Vec<Target> {
    let p10 = |name: &str| section.row(name).map(|row| row.p10.as_secs_f64());
    let (Some(plain), Some(whole), Some(live)) =
        (section.rows.first().map(|row| row.p10.as_secs_f64()), p10(WHOLE), p10(LIVE))
    else {
        return Vec::new();
    };
    let mut targets = vec![Target::at_most("exec in a live sandbox / fork, exec (p10)", live / plain, 1.4)];
    if let Some(bubblewrap) = p10("bubblewrap") {
        targets.push(Target::at_most("create, exec, destroy / bubblewrap (p10)", whole / bubblewrap, 0.5));
    }
    if let Some(podman) = p10("podman run") {
        targets.push(Target::at_least("podman run / create, exec, destroy (p10)", podman / whole, 40.0));
    }
    targets
}

fn whole(backend: &dyn Backend) -> Result<(), SandboxError> {
    let mut sandbox = backend.create(&spec())?;
    sandbox.exec(&Command::new([TRUE]))?;
    sandbox.destroy()
}

/// A sandbox over a directory that every machine has.
pub(super) fn spec() -> SandboxSpec {
    SandboxSpec {
        root: Vec::new(),
        layers: vec!["/usr/share".into()],
        workdir: "/work".into(),
        mounts: Vec::new(),
        env: BTreeMap::new(),
        limits: Limits::default(),
    }
}
