//! What a test run showed, and whether it can be believed.
//!
//! Statuses form a lattice in which the worst event of a test wins. Only `passed` counts as passing: skipped, missing and
//! unexpectedly passing tests do not. The verdict is made here, on the host, never by the code that was tested.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Coverage;
use crate::record::{Symptom, TestId};

/// How one test ended, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All phases passed.
    Passed,
    /// Was expected to fail and passed.
    Xpass,
    /// Failed as expected.
    Xfail,
    /// Did not run.
    Skipped,
    /// Was asked for and gave no event.
    Missing,
    /// Failed in its call phase.
    Failed,
    /// Its setup or teardown failed.
    Error,
}

/// The part of a test that decided its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the test.
    Setup,
    /// The test itself.
    Call,
    /// After the test.
    Teardown,
}

/// The outcome of one test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestOutcome {
    /// The worst status of its phases.
    pub status: Status,
    /// The phase with that status.
    pub phase: Phase,
    /// One line for people: class and message of what was raised; empty when it passed.
    pub detail: String,
    /// Facts about the failure, when they were asked for.
    pub symptom: Option<Symptom>,
    /// Wall time of all phases.
    pub duration: Duration,
    /// Processor time of all phases.
    pub processor: Duration,
}

impl TestOutcome {
    /// Whether the test passed.
    pub fn passed(&self) -> bool {
        self.status == Status::Passed
    }

    /// Whether the test failed in its call phase: a kill, in the words of mutation testing.
    pub fn failed_in_call(&self) -> bool {
        self.status == Status::Failed && self.phase == Phase::Call
    }
}

/// Whether the report of a run can be believed, and if not, what contradicts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "health", content = "detail", rename_all = "snake_case")]
pub enum Health {
    /// Nothing contradicts the report.
    Sound,
    /// Some test files could not be imported; outcomes of the others are believable. One line per file.
    CollectFailed(Vec<String>),
    /// The test that always passes did not pass, or the one that always fails did not fail.
    CanaryBroken,
    /// Lines without the nonce stood in the report.
    Forged,
    /// The process ended before the runner did; how it ended.
    NoEnd(String),
    /// Exit status and counts do not fit what was reported.
    ExitMismatch(String),
    /// Killed at its wall-time limit.
    TimedOut,
    /// Killed at its memory limit.
    OutOfMemory,
    /// A test reported a phase twice.
    DuplicateIds(TestId),
    /// The report was longer than the output limit.
    TooLong,
}

impl Health {
    /// The code of the failure taxonomy; `ok` when sound.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Sound => "ok",
            Self::CollectFailed(_) => "collect_failed",
            Self::CanaryBroken => "canary_broken",
            Self::Forged => "forged_channel",
            Self::NoEnd(_) | Self::ExitMismatch(_) => "exit_mismatch",
            Self::TimedOut => "timeout_grade",
            Self::OutOfMemory => "oom",
            Self::DuplicateIds(_) | Self::TooLong => "ids_extra",
        }
    }

    /// Whether outcomes can be believed: sound, or sound but for files that could not be imported.
    pub fn believable(&self) -> bool {
        matches!(self, Self::Sound | Self::CollectFailed(_))
    }

    /// One line for people.
    pub fn detail(&self) -> String {
        match self {
            Self::Sound => String::new(),
            Self::CollectFailed(files) => files.join("; "),
            Self::NoEnd(how) => format!("the test process ended early: {how}"),
            Self::ExitMismatch(how) => how.clone(),
            Self::DuplicateIds(id) => format!("`{id}` was reported twice"),
            Self::CanaryBroken => "a test that must fail did not fail, or one that must pass did not pass".to_owned(),
            Self::Forged => "the report has lines that the runner did not write".to_owned(),
            Self::TimedOut => "the tests did not end in time".to_owned(),
            Self::OutOfMemory => "the tests used more memory than allowed".to_owned(),
            Self::TooLong => "the report is longer than allowed".to_owned(),
        }
    }
}

/// What a test run showed.
#[derive(Debug, Clone, PartialEq)]
pub struct TestReport {
    /// Outcomes by test; selected tests that gave no event are there as [`Status::Missing`].
    pub outcomes: BTreeMap<TestId, TestOutcome>,
    /// Whether the report can be believed.
    pub health: Health,
    /// Which functions each test entered, when that was asked for.
    pub coverage: Option<Coverage>,
    /// Wall time of the test process.
    pub duration: Duration,
    /// Processor time of the test process; zero when it did not come to its end.
    pub processor: Duration,
}

impl TestReport {
    /// Whether exactly these tests all passed in a believable run; else a code of the failure taxonomy and one line for people. A
    /// failing test has the code `test_failed`, which callers rename to what the test was for them.
    ///
    /// # Errors
    /// The code and the line.
    pub fn all_passed(&self, expected: &[TestId]) -> Result<(), (&'static str, String)> {
        if !self.health.believable() {
            return Err((self.health.code(), self.health.detail()));
        }
        for id in expected {
            match self.outcomes.get(id).map(|outcome| (outcome.status, &outcome.detail)) {
                Some((Status::Passed, _)) => {}
                None | Some((Status::Missing, _)) if self.health != Health::Sound => {
                    return Err((self.health.code(), self.health.detail()));
                }
                None | Some((Status::Missing, _)) => return Err(("ids_missing", format!("`{id}` did not run"))),
                Some((Status::Failed | Status::Error, detail)) => {
                    return Err(("test_failed", format!("`{id}`: {detail}")));
                }
                Some((status, _)) => {
                    return Err(("test_failed", format!("`{id}` did not pass but was {status:?}").to_lowercase()));
                }
            }
        }
        Ok(())
    }

    /// The tests that passed, in order.
    pub fn passing(&self) -> Vec<TestId> {
        self.outcomes.iter().filter(|(_, outcome)| outcome.passed()).map(|(id, _)| id.clone()).collect()
    }

    /// The tests that did not pass, in order.
    pub fn not_passing(&self) -> Vec<TestId> {
        self.outcomes.iter().filter(|(_, outcome)| !outcome.passed()).map(|(id, _)| id.clone()).collect()
    }
}
