//! What every command gets.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::{Failure, Kind};
use crate::layers::Effective;
use crate::printer::Printer;
use crate::settings::Settings;

/// Settings, output and the wish to stop.
pub(crate) struct Context<'a> {
    /// The settings in effect.
    pub(crate) settings: Settings,
    /// The same as text, with their origins; what a run store keeps.
    pub(crate) effective: Effective,
    /// The only way to print.
    pub(crate) printer: &'a Printer,
    /// Set by the first Ctrl-C or SIGTERM: finish what is cheap to finish, then call [`Context::check_stop`].
    pub(crate) stop: Arc<AtomicBool>,
}

impl Context<'_> {
    /// The directory that holds the runs.
    pub(crate) fn runs(&self) -> PathBuf {
        PathBuf::from(&self.settings.run.dir)
    }

    /// Fails with exit code 130 when the user wants to stop.
    pub(crate) fn check_stop(&self) -> Result<(), Failure> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(
                Failure::new(Kind::Interrupted, "interrupted").hint("the same command goes on where this one stopped")
            );
        }
        Ok(())
    }
}
