//! Runs each attack once on each backend and remembers what came of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use basis_sandbox::{Backend, SandboxError, backends};

use crate::{Attack, registry};

/// What came of one attack: nothing, or the message of the check that failed.
pub(crate) type Result = std::result::Result<(), String>;

/// Fails the calling test unless the attack is contained on every backend.
pub(crate) fn check(number: usize) {
    for (index, backend) in opened().iter().enumerate() {
        if let Err(message) = result(number, index) {
            panic!("`{}` does not contain it: {message}", backend.name());
        }
    }
}

/// The result of an attack on the backend with this index; runs it at the first call.
pub(crate) fn result(number: usize, backend: usize) -> Result {
    static RESULTS: OnceLock<Vec<Vec<OnceLock<Result>>>> = OnceLock::new();
    let fresh = || (0..opened().len()).map(|_| registry::ALL.iter().map(|_| OnceLock::new()).collect()).collect();
    let place = registry::ALL.iter().position(|attack| attack.number == number).expect("registered");
    RESULTS.get_or_init(fresh)[backend][place].get_or_init(|| run(number, backend)).clone()
}

fn run(number: usize, backend: usize) -> Result {
    let attack = registry::ALL.iter().find(|attack| attack.number == number).expect("registered");
    attempt(attack, opened()[backend].as_ref())
}

/// Runs an attack on a backend.
pub(crate) fn attempt(attack: &Attack, backend: &dyn Backend) -> Result {
    let caught = catch_unwind(AssertUnwindSafe(|| (attack.run)(backend)));
    caught.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// The backends of the registry that this machine can run; pods have a test of their own.
pub(crate) fn opened() -> &'static [Arc<dyn Backend>] {
    static OPENED: OnceLock<Vec<Arc<dyn Backend>>> = OnceLock::new();
    let names = || backends::names().iter().filter(|name| **name != "kubernetes");
    OPENED.get_or_init(|| names().filter_map(|name| available(name)).collect())
}

/// Opens a backend; pods only in a cluster that was named.
pub(crate) fn open(name: &str) -> std::result::Result<Arc<dyn Backend>, SandboxError> {
    match name {
        #[cfg(feature = "kubernetes-tests")]
        "kubernetes" => crate::clusters::open_named(),
        _ => crate::fixture::open(name),
    }
}

fn available(name: &str) -> Option<Arc<dyn Backend>> {
    match open(name) {
        Ok(backend) => Some(backend),
        Err(SandboxError::Unavailable { backend, reason }) => {
            eprintln!("skipped: backend `{backend}` is not available here: {reason}");
            None
        }
        Err(error) => panic!("opening `{name}`: {error}"),
    }
}
