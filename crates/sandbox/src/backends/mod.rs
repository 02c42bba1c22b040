//! One file or folder per backend, and the registry that opens one by name.

#[cfg(target_os = "linux")]
mod container;
#[cfg(feature = "kubernetes")]
mod kubernetes;
#[cfg(target_os = "linux")]
mod namespace;
mod options;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(any(target_os = "linux", feature = "kubernetes"))]
mod same_bytes;
#[cfg(target_os = "linux")]
mod trial;

pub use options::{ContainerOptions, KubernetesOptions, Medium, Options};

use std::sync::Arc;

use crate::{Backend, Holding, SandboxError};

type Open = fn(&Options) -> Result<Arc<dyn Backend>, SandboxError>;
type Survey = fn(&Options) -> Result<Vec<Holding>, SandboxError>;
type Collect = fn(&Holding, &Options) -> Result<(), SandboxError>;

const REGISTRY: &[(&str, Open)] = &[
    #[cfg(target_os = "linux")]
    ("namespace", |_| namespace::open()),
    #[cfg(target_os = "linux")]
    ("container", container::open),
    #[cfg(feature = "kubernetes")]
    ("kubernetes", kubernetes::open),
];

/// How what controllers hold of a backend is found, and how what dead ones left is removed.
const SURVEYS: &[(&str, Survey, Collect)] = &[
    #[cfg(target_os = "linux")]
    ("namespace", namespace::holdings, namespace::collect),
    #[cfg(target_os = "linux")]
    ("container", container::holdings, container::collect),
    #[cfg(feature = "kubernetes")]
    ("kubernetes", kubernetes::holdings, kubernetes::collect),
];

/// What controllers hold of each backend, and what dead ones left. A backend that cannot be asked, because the service that
/// `options` name is not there for example, has its error instead.
pub fn holdings(options: &Options) -> Vec<(&'static str, Result<Vec<Holding>, SandboxError>)> {
    SURVEYS.iter().map(|(name, survey, _)| (*name, survey(options))).collect()
}

/// Removes what a dead controller left, and waits until it is gone.
///
/// # Errors
/// [`SandboxError::Spec`] when the controller lives; others when something could not be removed, as things of another user.
pub fn collect(holding: &Holding, options: &Options) -> Result<(), SandboxError> {
    match SURVEYS.iter().find(|(name, ..)| *name == holding.backend) {
        Some((.., collect)) => collect(holding, options),
        None => Ok(()),
    }
}

/// Opens the backend called `name` with default [`Options`]; opening proves that the machine can run it.
///
/// # Errors
/// [`SandboxError::Unavailable`] says what the machine lacks; [`SandboxError::Spec`] that no backend has this name.
pub fn open(name: &str) -> Result<Arc<dyn Backend>, SandboxError> {
    open_with(name, &Options::default())
}

/// Opens the backend called `name`; it reads its own part of `options`.
///
/// # Errors
/// Those of [`open`].
pub fn open_with(name: &str, options: &Options) -> Result<Arc<dyn Backend>, SandboxError> {
    match REGISTRY.iter().find(|(known, _)| *known == name) {
        Some((_, open)) => open(options),
        None => Err(SandboxError::Spec {
            path: name.into(),
            reason: format!("no such sandbox backend; known: {}", names().join(", ")),
        }),
    }
}

/// The names of all backends that this build knows, whether or not the machine can run them.
pub fn names() -> &'static [&'static str] {
    const NAMES: [&str; REGISTRY.len()] = {
        let mut names = [""; REGISTRY.len()];
        let mut index = 0;
        while index < names.len() {
            names[index] = REGISTRY[index].0;
            index += 1;
        }
        names
    };
    &NAMES
}
