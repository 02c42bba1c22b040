//! A large repository: until it is ready, what changed in it, and a second sandbox that goes on from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::others::fork_and_exec;
use super::start::spec;
use super::turns::{Case, compare};
use super::{Section, Target};
use crate::{Backend, Command, Sandbox, SandboxError, SandboxSpec, backends};

const FILES: usize = 10_000;
const BYTES: usize = 20_000;
const PER_DIRECTORY: usize = 100;

const SMALL: &str = "ready, over an almost empty layer";
const LARGE: &str = "ready, over the repository";
const CHANGES: &str = "changes, 20 of them in the repository";
const FORK: &str = "fork, with these changes";

/// Measures with a repository of 10,000 files and 200 MB, which is made in the directory `scratch` and removed again.
///
/// # Errors
/// [`SandboxError`] when the `namespace` backend cannot run here or the disk is full.
pub fn repository(rounds: usize, scratch: &Path) -> Result<Section, SandboxError> {
    let backend = backends::open("namespace")?;
    let repository = Repository::make(scratch.join("repository"))?;
    let small = scratch.join("small");
    fs::create_dir_all(&small).map_err(|error| SandboxError::system(format!("make {}", small.display()), error))?;
    let (small, large) = (over(&small), over(&repository.0));
    let mut changed = backend.create(&large)?;
    change(changed.as_mut())?;
    let mut forked = changed.fork();
    let forks = !matches!(forked, Err(SandboxError::Unsupported { .. }));
    if let Ok(forked) = &mut forked {
        forked.destroy()?;
    }
    let changed = std::cell::RefCell::new(changed);
    let mut cases = vec![
        Case::new("plain process: fork, exec", || fork_and_exec(&["/bin/true"])),
        Case::part(SMALL, || ready(backend.as_ref(), &small)),
        Case::part(LARGE, || ready(backend.as_ref(), &large)),
        Case::new(CHANGES, || changed.borrow_mut().changes().map(drop)),
    ];
    if forks {
        cases.push(Case::part(FORK, || {
            let start = Instant::now();
            let mut fork = changed.borrow_mut().fork()?;
            let time = start.elapsed();
            fork.destroy()?;
            Ok(time)
        }));
    }
    let rows = compare(cases, rounds)?;
    let title = format!("a repository of {FILES} files, {} MB, {rounds} rounds in turns", FILES * BYTES / 1_000_000);
    let notes = if forks { Vec::new() } else { vec!["without fork: this backend has none".into()] };
    let mut section = Section { title, rows, targets: Vec::new(), notes };
    section.bound_milliseconds(LARGE, 5.0);
    if let (Some(small), Some(large)) = (section.row(SMALL), section.row(LARGE)) {
        let ratio = large.p10.as_secs_f64() / small.p10.as_secs_f64();
        section.targets.push(Target::at_most(
            "ready, over the repository / over an almost empty layer (p10)",
            ratio,
            1.5,
        ));
    }
    section.bound_milliseconds(CHANGES, 2.0);
    section.bound_milliseconds(FORK, 10.0);
    Ok(section)
}

fn over(layer: &Path) -> SandboxSpec {
    SandboxSpec { layers: vec![layer.into()], ..spec() }
}

/// The time until a sandbox is ready; its end does not count.
fn ready(backend: &dyn Backend, spec: &SandboxSpec) -> Result<std::time::Duration, SandboxError> {
    let start = Instant::now();
    let mut sandbox = backend.create(spec)?;
    let time = start.elapsed();
    sandbox.destroy()?;
    Ok(time)
}

/// Ten files edited, five added, five removed.
fn change(sandbox: &mut dyn Sandbox) -> Result<(), SandboxError> {
    let script = "for n in 0 1 2 3 4 5 6 7 8 9; do echo edited >> $n/file1; done
        for n in 10 11 12 13 14; do echo added > $n/added; rm $n/file1; done";
    let output = sandbox.exec(&Command::new(["sh", "-c", script]))?;
    let changes = sandbox.changes()?.len();
    match output.outcome.success() && changes == 20 {
        true => Ok(()),
        false => Err(SandboxError::Lost(format!("{changes} changes instead of 20: {}", output.stderr.text()))),
    }
}

/// A directory that is removed when it is dropped.
struct Repository(PathBuf);

impl Repository {
    fn make(path: PathBuf) -> Result<Self, SandboxError> {
        let failed = |error| SandboxError::system(format!("make the repository {}", path.display()), error);
        let repository = Self(path.clone());
        let text = b"def function(argument):\n    return argument + 1\n".repeat(BYTES / 48 + 1);
        for file in 0..FILES {
            let directory = path.join((file / PER_DIRECTORY).to_string());
            if file % PER_DIRECTORY == 0 {
                fs::create_dir_all(&directory).map_err(failed)?;
            }
            fs::write(directory.join(format!("file{}", file % PER_DIRECTORY)), &text[..BYTES]).map_err(failed)?;
        }
        Ok(repository)
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        // What cannot be removed stays in the scratch directory, which belongs to the caller.
        let _ = fs::remove_dir_all(&self.0);
    }
}
