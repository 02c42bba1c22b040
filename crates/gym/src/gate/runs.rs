//! Gates that judge submissions: nothing, the reference, both again, attacks.

use super::examine::{Objection, Subject};
use crate::attacks::battery;
use crate::episode::{FileChange, Grade, Score, Submission};
use crate::grade::policy::is_source;
use crate::languages::python::{Health, Selection};
use crate::skills;

/// Share of the wall time of a run that the reference may take.
const USUAL_SHARE: f64 = 0.25;

/// The suite that the agent sees runs to its end in a sandbox without network.
pub(super) fn hermetic(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let (workshop, tests) = (subject.workshop, &subject.task.context.tests);
    let broken = |cause: crate::episode::InvalidCause| Objection::new("environment", format!("{cause:?}"));
    let tree = workshop.blobs.tree(&subject.task.context.tree);
    let tree = tree.map_err(|error| Objection::new("tree", error.to_string()))?;
    let files: Vec<String> = tests.files.iter().filter(|file| tree.contains(file)).cloned().collect();
    let report = workshop.run_tests(tests, &[&tree], &Selection::files(files)).map_err(broken)?;
    match &report.health {
        Health::Sound => Ok(()),
        health => Err(Objection::new("suite", format!("{}: {}", health.code(), health.detail()))),
    }
}

/// No answer and an unchanged tree are worth nothing.
pub(super) fn nothing(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let least = skills::find(&subject.task.skill).map_or(0.0, |skill| skill.least_reward());
    for submission in [Submission::default(), unchanged(subject)] {
        for _ in 0..subject.depth.nothing {
            let score = scored(subject.judge("nothing", &submission))?;
            if score.reward != least {
                return Err(Objection::new(
                    "nothing_scores",
                    format!("nothing scored {} ({})", score.reward, score.code),
                ));
            }
        }
    }
    Ok(())
}

/// Every source file written again as it is.
fn unchanged(subject: &Subject<'_>) -> Submission {
    let tree = subject.workshop.blobs.tree(&subject.task.context.tree).unwrap_or_default();
    let sources = tree.paths().filter(|path| is_source(path));
    let files = sources.map(|path| FileChange { path: path.to_owned(), content: tree.text(path).map(str::to_owned) });
    Submission { answer: String::new(), files: files.collect() }
}

pub(super) fn reference(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let score = hand_in_reference(subject)?;
    match score.reward == 1.0 {
        true => Ok(()),
        false => Err(Objection::new(&format!("reference.{}", score.code), score.detail)),
    }
}

/// The same grade for the reference every time.
pub(super) fn repeated(subject: &mut Subject<'_>) -> Result<(), Objection> {
    for repeat in 1..subject.depth.reference {
        let score = hand_in_reference(subject)?;
        if score.reward != 1.0 {
            return Err(Objection::new(
                "flaky",
                format!("judgment {repeat} of the reference: {}: {}", score.code, score.detail),
            ));
        }
    }
    Ok(())
}

/// The median judgment of the reference takes a small share of what its runs may take.
pub(super) fn in_time(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let own = subject.runs.iter().filter(|run| run.submission == "reference");
    let per_run = |run: &super::Run| match &run.grade {
        Grade::Scored(score) if matches!(subject.task.skill.as_str(), "testgen" | "repro") => {
            run.milliseconds / score.table.len().max(1) as u64
        }
        // Two runs: tests that failed, and those that did not.
        _ => run.milliseconds / 2,
    };
    let mut times: Vec<u64> = own.map(per_run).collect();
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let limit = subject.workshop.suite_limits(&subject.task.context.tests).wall.as_millis() as f64;
    match median as f64 <= USUAL_SHARE * limit {
        true => Ok(()),
        false => Err(Objection::new("slow", format!("a run of the reference takes {median} ms of {limit} ms"))),
    }
}

/// Attacks on tasks of a pair are judged for both together, by [`super::among`]'s caller.
pub(super) fn attacks(subject: &mut Subject<'_>) -> Result<(), Objection> {
    if !subject.depth.attacks || !subject.task.pair.is_empty() {
        return Ok(());
    }
    let blows = battery::strike(subject.workshop, subject.task);
    match battery::rewarded(&blows).first() {
        Some(blow) => Err(Objection::new("attack", format!("`{}` is rewarded: {:?}", blow.attack, blow.grade))),
        None => Ok(()),
    }
}

fn hand_in_reference(subject: &mut Subject<'_>) -> Result<Score, Objection> {
    let skill = skills::find(&subject.task.skill).ok_or_else(|| Objection::new("skill", "unknown"))?;
    let reference =
        skill.reference(subject.workshop, subject.task).map_err(|reason| Objection::new("hidden", reason))?;
    scored(subject.judge("reference", &reference))
}

fn scored(grade: Grade) -> Result<Score, Objection> {
    match grade {
        Grade::Scored(score) => Ok(score),
        Grade::Invalid(cause) => Err(Objection::new("not_judged", format!("{cause:?}"))),
    }
}
