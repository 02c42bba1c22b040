//! What becomes of the newest commit of a repository.

use std::time::Duration;

use basis_gym::baseline::baseline;
use basis_gym::languages::{Surroundings, of_runner};
use basis_gym::project::RunnerKind;
use basis_gym::record::BugRecord;
use basis_gym::sources::history::screen;
use basis_gym::validate::{Ground, Lab, Rejection, try_fix, validate_fix};
use basis_sandbox::{Backend, Limits};

use crate::repository::Scene;

/// Longer runs hang.
pub(crate) const WALL: Duration = Duration::from_secs(120);

/// The sandboxes of this machine, or why it has none.
pub(crate) fn backend() -> Option<std::sync::Arc<dyn Backend>> {
    match basis_sandbox::backends::open("namespace") {
        Ok(backend) => Some(backend),
        Err(error) => {
            skip(&error);
            None
        }
    }
}

/// Says why a test does nothing on this machine.
#[expect(clippy::print_stderr, reason = "the reason must be seen")]
pub(crate) fn skip(reason: &dyn std::fmt::Display) {
    eprintln!("skipped: {reason}");
}

/// Takes the newest commit apart and runs what execution has to say about it; every run takes `wall` at most.
pub(crate) fn proved(backend: &dyn Backend, scene: &Scene, wall: Duration) -> Result<BugRecord, Rejection> {
    let (repository, commits) = scene.commits();
    let site = scene.site(&repository);
    let mut fix = screen(&site, &commits[0]).unwrap_or_else(|unfit| panic!("{unfit:?}"));
    if fix.project.tests.runner == RunnerKind::Pytest {
        // These tests need nothing but an interpreter.
        fix.project.tests.runner = RunnerKind::Plain;
    }
    let (project, layers) = (&fix.project, site.scratch);
    let language = of_runner(project.tests.runner);
    let environment = language
        .prepare(backend, site.toolchains, layers, &project.tests, Surroundings::default())
        .expect("an environment");
    let (environment, limits) = (environment.as_ref(), Limits { wall, ..Limits::default() });
    let lab = Lab { backend, environment, layers, limits: limits.clone() };
    let shown = try_fix(&lab, &fix)?;
    let baseline = baseline(backend, environment, layers, project, &limits).expect("a healthy suite");
    let ground = Ground { backend, environment, layers, project, baseline: &baseline };
    validate_fix(&ground, &fix, &shown)
}
