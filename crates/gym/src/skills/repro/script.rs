//! The script: where it is handed in, how it is run, and what its exit status means.

use basis_sandbox::{Outcome, Sandbox, SandboxError};

use crate::episode::{InvalidCause, Submission};
use crate::grade::Workshop;
use crate::issue::Issue;
use crate::languages::{self, Authoring};
use crate::project::TestSetup;
use crate::record::BugRecord;
use crate::tree::Tree;

const MAX_BYTES: usize = 32 << 10;

/// How the script ended. Only the exit status counts; nothing it prints is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Correct,
    Failure,
    Broken,
    Killed,
    TimedOut,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Correct => "exit 0",
            Self::Failure => "exit 1",
            Self::Broken => "another exit status",
            Self::Killed => "killed",
            Self::TimedOut => "timed out",
        })
    }
}

/// The script of a submission, or code and detail of what is wrong with it.
pub(super) fn submitted<'a>(submission: &'a Submission, path: &str) -> Result<&'a str, (&'static str, String)> {
    let file = submission.files.iter().find(|file| file.path == path);
    let text = file.and_then(|file| file.content.as_deref()).ok_or(("no_artifact", format!("no `{path}`")))?;
    if text.len() > MAX_BYTES {
        return Err(("bad_format", format!("`{path}` has {} bytes, at most {MAX_BYTES} are allowed", text.len())));
    }
    Ok(text)
}

/// Whether the script, in a fresh sandbox, makes the functions that leave a mark be entered.
pub(super) fn enters(
    workshop: &Workshop,
    tests: &TestSetup,
    layers: &[&Tree],
    script: &str,
    mark: &str,
) -> Result<bool, InvalidCause> {
    let (_, mut sandbox) = run_once(workshop, tests, layers, script)?;
    match sandbox.read(mark, 0) {
        Ok(_) => Ok(true),
        Err(SandboxError::Lost(error)) => Err(InvalidCause::Sandbox(error)),
        Err(_) => Ok(false),
    }
}

/// Runs the script in a fresh sandbox, and once more when it was killed, which may have come from outside. Nothing but the script is
/// taken from the agent's tree.
pub(super) fn run(
    workshop: &Workshop,
    tests: &TestSetup,
    layers: &[&Tree],
    script: &str,
) -> Result<Exit, InvalidCause> {
    match run_once(workshop, tests, layers, script)?.0 {
        Exit::Killed => Ok(run_once(workshop, tests, layers, script)?.0),
        exit => Ok(exit),
    }
}

fn run_once(
    workshop: &Workshop,
    tests: &TestSetup,
    layers: &[&Tree],
    script: &str,
) -> Result<(Exit, Box<dyn Sandbox>), InvalidCause> {
    let lost = |error: SandboxError| InvalidCause::Sandbox(error.to_string());
    let mut sandbox = workshop.sandbox(tests, layers, &workshop.suite_limits(tests))?;
    let path = authoring(tests).map_err(InvalidCause::Task)?.script_path();
    sandbox.write(path, script.as_bytes()).map_err(lost)?;
    let outcome = workshop.environment(tests)?.run_script(sandbox.as_mut(), path).map_err(lost)?;
    let exit = match outcome {
        Outcome::Exited(0) => Exit::Correct,
        Outcome::Exited(1) => Exit::Failure,
        Outcome::Exited(_) => Exit::Broken,
        Outcome::Signalled(_) | Outcome::OutOfMemory | Outcome::TooMuchOutput | Outcome::Interrupted => Exit::Killed,
        Outcome::TimedOut => Exit::TimedOut,
    };
    Ok((exit, sandbox))
}

/// How scripts are written in the language of a project.
pub(super) fn authoring(tests: &TestSetup) -> Result<&'static dyn Authoring, String> {
    let language = languages::of_runner(tests.runner);
    language.authoring().ok_or_else(|| format!("no scripts are written in {}", language.name()))
}

/// What a script needs to make a call that a failing test showed.
pub(super) fn imports(record: &BugRecord, authoring: &dyn Authoring, issue: &Issue) -> Option<String> {
    let symptom = record.symptoms.iter().find(|symptom| symptom.call.as_deref() == Some(&issue.call))?;
    let file = symptom.test.split("::").next()?;
    let names = authoring.names(&record.buggy, &record.tests, file, authoring.script_path())?;
    Some(if issue.set_up.is_empty() { names } else { format!("{names}\n{}", issue.set_up) })
}
