//! One file or folder per backend, and the registry that opens one by name.

#[cfg(target_os = "linux")]
mod namespace;

use std::sync::Arc;

use crate::{Backend, SandboxError};

type Open = fn() -> Result<Arc<dyn Backend>, SandboxError>;

const REGISTRY: &[(&str, Open)] = &[
    #[cfg(target_os = "linux")]
    ("namespace", namespace::open),
];

/// Opens the backend called `name`; opening proves that the machine can run it.
///
/// # Errors
/// [`SandboxError::Unavailable`] says what the machine lacks; [`SandboxError::Spec`] that no backend has this name.
pub fn open(name: &str) -> Result<Arc<dyn Backend>, SandboxError> {
    match REGISTRY.iter().find(|(known, _)| *known == name) {
        Some((_, open)) => open(),
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
