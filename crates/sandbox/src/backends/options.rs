//! What backends are told beyond the specification of a sandbox. Known in every build, used by the backend that it names.

use std::path::PathBuf;

/// A part for each backend that needs to be told something.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// For `container`.
    pub container: ContainerOptions,
}

/// Which engine, and where files are shared with it.
#[derive(Debug, Clone)]
pub struct ContainerOptions {
    /// The engine's socket, as a path or as an address like those of DOCKER_HOST; the first one at the usual places when `None`.
    pub socket: Option<String>,
    /// A directory of this machine in which programs may be run and to which the engine has access too.
    pub directory: PathBuf,
}

impl Default for ContainerOptions {
    fn default() -> Self {
        Self { socket: None, directory: "/tmp".into() }
    }
}
