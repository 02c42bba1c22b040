//! The reasons for which a mutation makes no bug record, each with a code for counting.

use basis_sandbox::SandboxError;

use crate::record::TestId;

/// Why a mutation makes no bug record.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The bytes to be replaced are not those of the healthy file, or nothing changes.
    #[error("the edit does not fit `{path}`")]
    DoesNotFit {
        /// The file.
        path: String,
    },
    /// No reliable test enters the mutated function.
    #[error("no test enters `{function}`")]
    NotCovered {
        /// The function.
        function: String,
    },
    /// Every test still passes.
    #[error("every test still passes")]
    Survived,
    /// The bug breaks too much to be one bug.
    #[error("{failing} tests fail, more than {allowed}")]
    TooManyFail {
        /// Failing tests.
        failing: usize,
        /// The most that may fail.
        allowed: usize,
    },
    /// Nothing is left that could show a wrong fix.
    #[error("no test passes on both trees")]
    NonePasses,
    /// Test files cannot be imported any more.
    #[error("tests cannot be collected: {0}")]
    CollectFailed(String),
    /// The buggy tree hangs.
    #[error("the tests hang")]
    Hangs,
    /// Tests vanish or are skipped instead of failing.
    #[error("`{0}` neither passes nor fails")]
    Vanished(TestId),
    /// Two mutations have no symptom in common that each of them causes alone.
    #[error("one of the two files suffices to explain every symptom")]
    OneFileSuffices,
    /// The tests use what only the repair brings, so that nobody could write it.
    #[error("the tests need an interface that is not there: {0}")]
    NeedsInterface(String),
    /// The changed tests give no results even with the repair.
    #[error("the changed tests give no results: {0}")]
    NothingCaptured(String),
    /// No test that fails without the repair passes with it.
    #[error("no test fails without the change and passes with it")]
    NothingRepaired,
    /// The commit breaks a test.
    #[error("`{0}` passes before the commit and fails after it")]
    PassToFail(TestId),
    /// A repair is longer than one is.
    #[error("{lines} lines of code differ, at most {allowed} may")]
    TooLong {
        /// Lines that differ.
        lines: usize,
        /// The most that may.
        allowed: usize,
    },
    /// A test passes in the newer release without a difference that it needed on top of the older one.
    #[error("the newer release does not need what differs at `{path}` line {line}")]
    NotNecessary {
        /// The file.
        path: String,
        /// A line of the newer release.
        line: usize,
    },
    /// The differences of two releases could not be told apart in so many runs.
    #[error("after {0} runs of tests it is not known which differences repair something")]
    TooCostly(usize),
    /// The run cannot be believed.
    #[error("the run cannot be believed: {code}: {detail}")]
    Unbelievable {
        /// A code of the failure taxonomy.
        code: &'static str,
        /// One line.
        detail: String,
    },
    /// The infrastructure failed; says nothing about the mutation.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A tree could not be written; says nothing about the mutation.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Rejection {
    /// A short code, for counting.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DoesNotFit { .. } => "does_not_fit",
            Self::NotCovered { .. } => "not_covered",
            Self::Survived => "survived",
            Self::TooManyFail { .. } => "too_many_fail",
            Self::NonePasses => "none_passes",
            Self::CollectFailed(_) => "collect_failed",
            Self::Hangs => "hangs",
            Self::Vanished(_) => "vanished",
            Self::OneFileSuffices => "one_file_suffices",
            Self::NeedsInterface(_) => "needs_interface",
            Self::NothingCaptured(_) => "nothing_captured",
            Self::NothingRepaired => "no_f2p",
            Self::PassToFail(_) => "pass_to_fail",
            Self::TooLong { .. } => "too_long",
            Self::NotNecessary { .. } => "not_necessary",
            Self::TooCostly(_) => "too_costly",
            Self::Unbelievable { code, .. } => code,
            Self::Sandbox(_) => "infra_sandbox",
            Self::Io(_) => "infra_files",
        }
    }

    /// Whether the code does not run here at all, whatever it does.
    pub fn is_of_build(&self) -> bool {
        matches!(self, Self::NothingCaptured(_))
    }

    /// Whether the infrastructure failed, so that the mutation may be tried again.
    pub fn is_infrastructure(&self) -> bool {
        matches!(self, Self::Sandbox(_) | Self::Io(_))
    }
}
