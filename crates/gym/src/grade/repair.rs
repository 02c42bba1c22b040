//! The grader of everything that hands in a changed tree: hidden tests run on the pristine buggy tree with the allowed
//! part of the submission, in fresh sandboxes.

use serde::{Deserialize, Serialize};

use super::policy;
use super::verdict::{Table, Verdict, full, nothing};
use super::workshop::Workshop;
use crate::blobs::Blobs;
use crate::draft;
use crate::episode::{FileChange, InvalidCause, Score, Submission};
use crate::languages::python::{Selection, TestReport};
use crate::record::{BugRecord, TestId};
use crate::skills::Rejection;
use crate::task::Task;
use crate::tree::{Tree, TreeId};

/// What the grader of a repair knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repair {
    /// The buggy tree with all tests.
    pub buggy: TreeId,
    /// The healthy tree with all tests.
    pub fixed: TreeId,
    /// Tests that the repair must make pass.
    pub fail_to_pass: Vec<TestId>,
    /// Tests that must keep passing.
    pub pass_to_pass: Vec<TestId>,
}

impl Repair {
    /// The hidden part of a repair task made from a record.
    ///
    /// # Errors
    /// When the trees cannot be stored.
    pub fn of(workshop: &Workshop, record: &BugRecord) -> Result<Self, Rejection> {
        Ok(Self {
            buggy: draft::store(&workshop.blobs, &record.buggy)?,
            fixed: draft::store(&workshop.blobs, &record.fixed)?,
            fail_to_pass: record.fail_to_pass.clone(),
            pass_to_pass: record.pass_to_pass.clone(),
        })
    }

    /// The gold change: every file in which the healthy tree differs.
    ///
    /// # Errors
    /// When a tree cannot be read.
    pub fn reference(&self, workshop: &Workshop) -> Result<Submission, String> {
        let (buggy, fixed) = self.trees(&workshop.blobs).map_err(|cause| format!("{cause:?}"))?;
        let changed = fixed.iter().filter(|(path, bytes)| buggy.get(path) != Some(bytes));
        let files = changed
            .map(|(path, bytes)| FileChange { path: path.into(), content: String::from_utf8(bytes.to_vec()).ok() })
            .collect();
        Ok(Submission { answer: "Done.".into(), files })
    }

    fn trees(&self, blobs: &Blobs) -> Result<(std::sync::Arc<Tree>, std::sync::Arc<Tree>), InvalidCause> {
        let read = |id| blobs.tree(id).map_err(|error| InvalidCause::Task(error.to_string()));
        Ok((read(&self.buggy)?, read(&self.fixed)?))
    }
}

/// Judges a repair: fail-to-pass tests first, then pass-to-pass; the first file with a missing or failing test decides.
///
/// # Errors
/// Only failures of infrastructure or of the task.
pub fn grade(workshop: &Workshop, task: &Task, repair: &Repair, submission: &Submission) -> Verdict {
    let allowed = policy::sources_only(&submission.files);
    if allowed.files.is_empty() && allowed.deleted.is_empty() {
        let detail = if allowed.stripped.is_empty() {
            "nothing was changed".into()
        } else {
            format!("only protected: {:?}", allowed.stripped)
        };
        return Ok(nothing("policy_stripped_empty", detail, Table::new()));
    }
    let (buggy, _) = repair.trees(&workshop.blobs)?;
    let mut base = (*buggy).clone();
    for path in &allowed.deleted {
        base.remove_below(path, &policy::is_protected);
    }
    // Tests that were failing come first: most wrong repairs end there, in one cheap run.
    for (expected, code) in [(&repair.fail_to_pass, "f2p_failed"), (&repair.pass_to_pass, "p2p_failed")] {
        let report = workshop.run_tests(&task.context.tests, &[&base, &allowed.files], &Selection::tests(expected))?;
        if let Some(score) = shortfall(&report, expected, code) {
            return Ok(score);
        }
    }
    let table =
        repair.fail_to_pass.iter().chain(&repair.pass_to_pass).map(|id| (id.clone(), "passed".into())).collect();
    Ok(full(table))
}

fn shortfall(report: &TestReport, expected: &[TestId], code: &str) -> Option<Score> {
    let (found, detail) = report.all_passed(expected).err()?;
    let table = report
        .outcomes
        .iter()
        .map(|(id, outcome)| (id.clone(), format!("{:?}", outcome.status).to_lowercase()))
        .collect();
    Some(nothing(if found == "test_failed" { code } else { found }, detail, table))
}
