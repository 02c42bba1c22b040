//! Ctrl-C and SIGTERM: the first asks to stop, the second ends the process at once with exit code 130.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::{Failure, Kind};

/// Installs the handlers and returns the flag that the first signal sets.
pub(crate) fn install() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let register = || {
        for signal in [SIGINT, SIGTERM] {
            // Handlers run in the order of registration: this one sees the flag only as an earlier signal left it.
            flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
            flag::register(signal, Arc::clone(&stop))?;
        }
        Ok(())
    };
    register().map_err(|error: std::io::Error| Failure::new(Kind::Unexpected, format!("signal handlers: {error}")))?;
    Ok(stop)
}
