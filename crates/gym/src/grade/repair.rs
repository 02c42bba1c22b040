//! The grader of everything that hands in a changed tree: hidden tests run on the pristine buggy tree with the allowed
//! part of the submission, in fresh sandboxes.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::policy;
use super::suspicion::suspicious;
use super::twins::Twins;
use super::verdict::{Table, Verdict, full, nothing};
use super::workshop::Workshop;
use crate::blobs::Blobs;
use crate::draft;
use crate::episode::{FileChange, InvalidCause, Score, Submission};
use crate::languages::{self, Language, Selection, TestOutcome, TestReport};
use crate::project::TestSetup;
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
    /// Seconds of processor time that each run may take; absent where the wall time is limit enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor_seconds: Option<u64>,
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
            pass_to_pass: record.guards.clone(),
            processor_seconds: record.processor.map(|limit| limit.as_secs()),
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

    fn trees(&self, blobs: &Blobs) -> Result<(Arc<Tree>, Arc<Tree>), InvalidCause> {
        let read = |id| blobs.tree(id).map_err(|error| InvalidCause::Task(error.to_string()));
        Ok((read(&self.buggy)?, read(&self.fixed)?))
    }
}

/// Judges a repair: what stands in it, then fail-to-pass tests, then pass-to-pass together with copies of the first that must fail; the first missing
/// or failing test decides.
///
/// # Errors
/// Only failures of infrastructure or of the task.
pub fn grade(workshop: &Workshop, task: &Task, repair: &Repair, submission: &Submission) -> Verdict {
    let language = languages::of_runner(task.context.tests.runner);
    let (buggy, fixed) = repair.trees(&workshop.blobs)?;
    let mut allowed = policy::sources_only(&submission.files, &task.context.tests);
    let (used, unused) = policy::without_unused(&allowed.files, &|path| buggy.contains(path) || fixed.contains(path));
    (allowed.files, allowed.stripped) = (used, [allowed.stripped, unused].concat());
    if allowed.files.is_empty() && allowed.deleted.is_empty() {
        let detail = if allowed.stripped.is_empty() {
            "nothing was changed".into()
        } else {
            format!("only protected: {:?}", allowed.stripped)
        };
        return Ok(nothing("policy_stripped_empty", detail, Table::new()));
    }
    if let Some((path, word)) = suspicious(language, &allowed.files, [&buggy, &fixed]) {
        return Ok(nothing(
            "suspicious_code",
            format!("`{path}` brings in `{word}`, which no repair needs"),
            Table::new(),
        ));
    }
    let files = with_hidden_tests(language, &allowed.files, &buggy);
    let mut base = (*buggy).clone();
    for path in &allowed.deleted {
        base.remove_below(path, &|path| language.is_protected(path));
    }
    let tests = &task.context.tests;
    let limit = repair.processor_seconds.map(Duration::from_secs);
    // Tests that were failing come first: most wrong repairs end there, in one cheap run.
    // A change that no test names has none.
    if !repair.fail_to_pass.is_empty() {
        let selection = Selection::tests(&repair.fail_to_pass).within(limit);
        let first = workshop.run_tests(tests, &[&base, &files], &selection)?;
        if let Some(score) = shortfall(&first, &repair.fail_to_pass, "f2p_failed") {
            return Ok(score);
        }
    }
    let copied = if repair.fail_to_pass.is_empty() { &repair.pass_to_pass } else { &repair.fail_to_pass };
    // Which copies must fail is a function of the submission, which cannot contain its own hash.
    let seed = blake3::hash(format!("{}{}", task.id, allowed.files.id().0).as_bytes());
    let twins = Twins::of(&(*buggy).clone().with(&files), copied, *seed.as_bytes());
    let healthy = || Some((fixed.clone(), Twins::of(&fixed, copied, *seed.as_bytes())?));
    // Copies are further tests, which take their time, too.
    let limit = limit.map(|limit| if twins.is_some() { limit * 2 } else { limit });
    let run = |held: &[TestId], twins: Option<&Twins>| {
        let none = Tree::new();
        let changed = twins.map_or(&none, |twins| &twins.files);
        let selection = Selection::tests(held.iter().chain(twins.iter().flat_map(|twins| twins.ids())));
        workshop.run_tests(tests, &[&base, &files, changed], &selection.within(limit))
    };
    // Copies stand in the place of their tests, which have to run as well where they are not those of the first run.
    let is_apart = repair.fail_to_pass.is_empty() && twins.is_some();
    let mut second = run(&repair.pass_to_pass, twins.as_ref().filter(|_| !is_apart))?;
    if let Some(score) = shortfall(&second, &repair.pass_to_pass, "p2p_failed") {
        return Ok(score);
    }
    if is_apart {
        second = run(&[], twins.as_ref())?;
        if let Some(score) = shortfall(&second, &[], "p2p_failed") {
            return Ok(score);
        }
    }
    if let Some(twins) = &twins
        && let Some(id) = proved_surprise(workshop, tests, twins, &healthy, limit, &second)?
    {
        let must = if twins.expected[&id] { "pass" } else { "fail, because it expects another value" };
        let detail = format!("`{id}`, a copy of a hidden test, must {must}");
        return Ok(nothing("canary_broken", detail, table(&second)));
    }
    let table =
        repair.fail_to_pass.iter().chain(&repair.pass_to_pass).map(|id| (id.clone(), "passed".into())).collect();
    Ok(full(table))
}

/// What was handed in, with the hidden tests where source files hold tests.
fn with_hidden_tests(language: &dyn Language, submitted: &Tree, original: &Tree) -> Tree {
    let mut files = submitted.clone();
    for path in submitted.paths().filter(|_| language.tests_in_sources()) {
        if let (Some(text), Some(original)) = (submitted.text(path), original.text(path)) {
            files.insert(path, language.with_tests_of(text, original));
        }
    }
    files
}

/// The first copy that did not do what it must, where the healthy tree shows that it must.
fn proved_surprise(
    workshop: &Workshop,
    tests: &TestSetup,
    twins: &Twins,
    healthy: &dyn Fn() -> Option<(Arc<Tree>, Twins)>,
    limit: Option<Duration>,
    report: &TestReport,
) -> Result<Option<TestId>, InvalidCause> {
    let surprises: Vec<&TestId> = twins.surprises(report).collect();
    if surprises.is_empty() {
        return Ok(None);
    }
    // The same copies, in the files of the healthy tree.
    let Some((fixed, same)) = healthy() else { return Ok(None) };
    let selection = Selection::tests(same.ids()).within(limit);
    let healthy = workshop.run_tests(tests, &[&fixed, &same.files], &selection)?;
    let void: Vec<&TestId> = same.surprises(&healthy).collect();
    Ok(surprises.into_iter().find(|id| !void.contains(id)).cloned())
}

fn table(report: &TestReport) -> Table {
    let row = |(id, outcome): (&TestId, &TestOutcome)| (id.clone(), format!("{:?}", outcome.status).to_lowercase());
    report.outcomes.iter().map(row).collect()
}

fn shortfall(report: &TestReport, expected: &[TestId], code: &str) -> Option<Score> {
    let (found, detail) = report.all_passed(expected).err()?;
    Some(nothing(if found == "test_failed" { code } else { found }, detail, table(report)))
}
