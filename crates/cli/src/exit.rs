//! How a command fails: a kind that decides the exit code, an error with its causes, perhaps a hint.

use std::fmt;
use std::process::ExitCode;

use basis_gym::formats::FormatError;
use basis_gym::languages::python::PythonError;
use basis_gym::store::StoreError;
use basis_sandbox::SandboxError;
use basis_train::engines::EngineError;

use crate::printer::Printer;

/// Shown at the end of `basis --help`.
pub(crate) const HELP: &str = "\
Exit codes:
    0  success
    1  unexpected failure
    2  wrong usage or settings
    3  bad input: a path, pack, package, checkpoint or run
    4  this machine lacks something: interpreter, isolation, disk space
    5  the policy or its model server failed
    6  finished, but a gate or criterion was not met
  130  interrupted; runs can be resumed";

/// Why a command ends without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A defect of basis, or something that has no kind of its own.
    Unexpected,
    /// Wrong arguments or settings.
    Usage,
    /// A path, pack, package, checkpoint or run is missing or bad.
    Input,
    /// The machine lacks something.
    Machine,
    /// The policy or its model server failed.
    Policy,
    /// The command finished, but a gate or criterion was not met.
    Criterion,
    /// The user stopped the command.
    Interrupted,
}

impl Kind {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    fn number(self) -> u8 {
        match self {
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::Input => 3,
            Self::Machine => 4,
            Self::Policy => 5,
            Self::Criterion => 6,
            Self::Interrupted => 130,
        }
    }
}

/// An outcome that is not success.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    /// A failure from a message.
    pub(crate) fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self { kind, error: anyhow::anyhow!("{message}"), hint: None }
    }

    /// A failure from an error with its causes.
    pub(crate) fn from_error(kind: Kind, error: impl Into<anyhow::Error>) -> Self {
        Self { kind, error: error.into(), hint: None }
    }

    /// Adds the next step.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Ends the process with this failure, from a thread other than the one that cannot go on.
    pub(crate) fn end(&self, printer: &Printer) -> ! {
        printer.failure(self);
        std::process::exit(i32::from(self.kind.number()))
    }

    /// The next step, if one is known.
    pub(crate) fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// All causes on one line; a cause whose text is part of the one before is not repeated.
impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = String::new();
        for cause in self.error.chain() {
            let text = cause.to_string().replace('\n', " ");
            if last.is_empty() {
                write!(formatter, "{text}")?;
            } else if !last.contains(&text) {
                write!(formatter, ": {text}")?;
            }
            last = text;
        }
        Ok(())
    }
}

/// Gives an error its kind: `load(path).kind(Kind::Input)?`.
pub(crate) trait ResultExt<T> {
    /// Turns the error into a failure of this kind.
    fn kind(self, kind: Kind) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> ResultExt<T> for Result<T, E> {
    fn kind(self, kind: Kind) -> Result<T, Failure> {
        self.map_err(|error| Failure::from_error(kind, error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::NoRun { .. }
            | StoreError::NoEpisode { .. }
            | StoreError::Ambiguous { .. }
            | StoreError::Running { .. }
            | StoreError::Complete { .. }
            | StoreError::Newer { .. }
            | StoreError::Damaged { .. } => Kind::Input,
            StoreError::DiskFull { .. } | StoreError::Io { .. } => Kind::Machine,
            StoreError::Unstorable { .. } | StoreError::Database { .. } => Kind::Unexpected,
        };
        Self::from_error(kind, error)
    }
}

impl From<PythonError> for Failure {
    fn from(error: PythonError) -> Self {
        let kind = match &error {
            PythonError::NotFound { .. }
            | PythonError::Unusable { .. }
            | PythonError::TooOld { .. }
            | PythonError::NoInstaller { .. }
            | PythonError::Io(_) => Kind::Machine,
            PythonError::Requirements { .. } => Kind::Input,
        };
        Self::from_error(kind, error)
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let kind = match &error {
            SandboxError::Unavailable { .. }
            | SandboxError::Unsupported { .. }
            | SandboxError::Image { .. }
            | SandboxError::System { .. } => Kind::Machine,
            SandboxError::Spec { .. } => Kind::Usage,
            SandboxError::Lost(_)
            | SandboxError::NotFound(_)
            | SandboxError::NotRegular(_)
            | SandboxError::TooLarge { .. } => Kind::Unexpected,
        };
        Self::from_error(kind, error)
    }
}

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        let kind = match &error {
            FormatError::Taken(_)
            | FormatError::Nothing { .. }
            | FormatError::Field { .. }
            | FormatError::File { .. }
            | FormatError::Source(_)
            | FormatError::Blob(_) => Kind::Input,
            FormatError::Io(_) => Kind::Machine,
        };
        Self::from_error(kind, error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let kind = match &error {
            EngineError::Unknown { .. } => Kind::Usage,
            EngineError::Damaged { .. } | EngineError::Invalid { .. } | EngineError::TooLong { .. } => Kind::Input,
            EngineError::Io { .. } | EngineError::Unavailable { .. } => Kind::Machine,
            EngineError::NotFinite { .. } | EngineError::Remote { .. } => Kind::Policy,
        };
        Self::from_error(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_stand_on_one_line_without_repetition() {
        let error = anyhow::anyhow!("no such file").context("`a.toml`: no such file").context("read settings");
        let failure = Failure::from_error(Kind::Input, error);
        assert_eq!(failure.to_string(), "read settings: `a.toml`: no such file");
    }
}
