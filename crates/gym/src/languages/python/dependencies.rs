//! Packages that tests need: resolved once, recorded as a lock, installed into a read-only layer.

use std::path::PathBuf;

use super::{PythonError, Toolchain};
use crate::tree::LayerStore;

/// What `pip` resolved: one `name==version --hash=sha256:…` per line, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock(pub Vec<String>);

/// The layer with pytest and `requirements`.
///
/// # Errors
/// [`PythonError`] when they cannot be resolved or fetched.
pub fn install(_: &LayerStore, toolchain: &Toolchain, _: &[String]) -> Result<(PathBuf, Lock), PythonError> {
    Err(PythonError::NoInstaller { path: toolchain.executable.clone(), reason: "not built yet".to_owned() })
}
