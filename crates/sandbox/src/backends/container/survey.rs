//! Finds the containers and stages of all controllers of this machine, and removes those of dead ones.
//!
//! Nothing is asked of an engine that was not named and is not at a usual place. Where one was named and does not answer, that is
//! said: there may be something that cannot be seen.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::engine::Engine;
use super::owner::Owner;
use super::request::LABEL;
use super::{NAME, socket, stage};
use crate::backends::processes::{Processes, command_line, memory};
use crate::backends::{ContainerOptions, Options};
use crate::{Holding, SandboxError};

/// Everything that controllers hold of this backend.
pub(in crate::backends) fn holdings(options: &Options) -> Result<Vec<Holding>, SandboxError> {
    let engine = reach(&options.container)?;
    let processes = Processes::read()?;
    let all = held(engine.as_ref(), &options.container)?;
    Ok(all.into_iter().map(|(owner, held)| held.describe(&owner, &processes)).collect())
}

/// Removes what a dead controller left.
pub(in crate::backends) fn collect(holding: &Holding, options: &Options) -> Result<(), SandboxError> {
    let wrong = |reason: &str| SandboxError::Spec { path: holding.name.clone().into(), reason: reason.into() };
    let owner: Owner = holding.name.parse().map_err(|()| wrong("not a holding of this backend"))?;
    if !owner.is_dead() {
        return Err(wrong("its controller is alive, or of another pid namespace; end that process instead"));
    }
    let engine = reach(&options.container)?;
    let Some(held) = held(engine.as_ref(), &options.container)?.remove(&owner) else { return Ok(()) };
    if let Some(engine) = engine {
        held.containers.iter().try_for_each(|container| engine.remove(&container.id))?;
    }
    held.stages.iter().try_for_each(|stage| match fs::remove_dir_all(stage) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SandboxError::system(format!("remove {}", stage.display()), error))
        }
        _ => Ok(()),
    })
}

/// What one controller holds.
#[derive(Default)]
struct Held {
    containers: Vec<Container>,
    stages: Vec<PathBuf>,
}

struct Container {
    id: String,
    /// As this machine numbers it; `None` when the container does not run.
    first_process: Option<u32>,
}

impl Held {
    fn describe(&self, owner: &Owner, processes: &Processes) -> Holding {
        let running: Vec<u32> = self.containers.iter().filter_map(|container| container.first_process).collect();
        let family = processes.family(&running);
        let containers = self.containers.iter().map(|container| format!("container {:.12}", container.id));
        let stages = self.stages.iter().map(|stage| stage.display().to_string());
        Holding {
            backend: NAME,
            name: owner.to_string(),
            controller: owner.pid,
            command: if owner.is_here() { command_line(owner.pid) } else { String::new() },
            is_left: owner.is_dead(),
            sandboxes: running.len(),
            processes: family.len(),
            memory_bytes: family.iter().map(|pid| memory(*pid)).sum(),
            remains: containers.chain(stages).collect(),
        }
    }
}

/// By owner, as the engine and the directory of stages tell it.
fn held(engine: Option<&Engine>, options: &ContainerOptions) -> Result<BTreeMap<Owner, Held>, SandboxError> {
    let mut all: BTreeMap<Owner, Held> = BTreeMap::new();
    if let Some(engine) = engine {
        for listed in engine.list(LABEL)? {
            let Some(owner) = listed.owner() else { continue };
            // It may be gone meanwhile.
            let first_process = engine.first_process(&listed.id).ok().flatten().and_then(|pid| u32::try_from(pid).ok());
            all.entry(owner).or_default().containers.push(Container { id: listed.id, first_process });
        }
    }
    for (owner, directory) in stage::all(&options.directory) {
        all.entry(owner).or_default().stages.push(directory);
    }
    Ok(all)
}

/// The engine; `None` if none was named and there is none that this user may ask.
fn reach(options: &ContainerOptions) -> Result<Option<Engine>, SandboxError> {
    let found = socket::find(options.socket.as_deref()).and_then(|path| Engine::connect(&path));
    match found {
        Ok((engine, _)) => Ok(Some(engine)),
        Err(_) if options.socket.is_none() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_of_a_dead_controller_is_listed_and_collected_without_an_engine() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let live = Owner::this().expect("known");
        let dead: Owner = format!("0.1.{}.1", live.pid).parse().expect("an owner");
        for owner in [&live, &dead] {
            fs::create_dir(directory.path().join(format!("basis-container-{owner}-0"))).expect("made");
        }
        let options = ContainerOptions { socket: None, directory: directory.path().into() };
        let all = held(None, &options).expect("listed");
        let processes = Processes::read().expect("read");
        let [left, used] = [&dead, &live].map(|owner| all[owner].describe(owner, &processes));
        assert!(left.is_left && left.command.is_empty() && left.remains.len() == 1, "{left:?}");
        assert!(!used.is_left && !used.command.is_empty(), "{used:?}");
        let options = Options { container: options, ..Options::default() };
        collect(&left, &options).expect("collected");
        collect(&left, &options).expect("twice is fine");
        let error = collect(&used, &options).expect_err("refused").to_string();
        assert!(error.contains("its controller is alive"), "{error}");
        assert_eq!(stage::all(directory.path()).len(), 1);
    }

    #[test]
    fn an_engine_that_was_named_and_does_not_answer_is_an_error() {
        let mut options = Options::default();
        options.container.socket = Some("/nonexistent/engine.sock".into());
        let error = holdings(&options).expect_err("refused").to_string();
        assert!(error.contains("no engine listens on `/nonexistent/engine.sock`"), "{error}");
    }
}
