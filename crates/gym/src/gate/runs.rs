//! Gates that judge submissions: nothing, the reference, both again, attacks.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::examine::{Objection, Run, Subject};
use crate::attacks::battery;
use crate::episode::{FileChange, Grade, Score, Submission};
use crate::languages::{self, Health, Surroundings};
use crate::parallel;
use crate::rollout::World;
use crate::skills;

/// Where the reference has to be worth the same: far east, far west, and with other hashes of strings.
const ELSEWHERE: [Surroundings; 3] = [
    Surroundings { time_zone: "EAST-14", hash_seed: 1 },
    Surroundings { time_zone: "WEST12", hash_seed: 2 },
    Surroundings { time_zone: "UTC", hash_seed: 3 },
];
/// Judgments at once, and who hands in then.
const AT_ONCE: usize = 4;
const AMONG_OTHERS: &str = "reference among others";
/// Share of the wall time of a run that the reference may take.
const USUAL_SHARE: f64 = 0.25;

/// The suite that the agent sees runs to its end in a sandbox without network.
pub(super) fn hermetic(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let (workshop, tests) = (subject.workshop, &subject.task.context.tests);
    let broken = |cause: crate::episode::InvalidCause| Objection::new("environment", format!("{cause:?}"));
    let tree = workshop.blobs.tree(&subject.task.context.tree);
    let tree = tree.map_err(|error| Objection::new("tree", error.to_string()))?;
    let files: Vec<String> = tests.files.iter().filter(|file| tree.contains(file)).cloned().collect();
    let report = workshop.run_suite(tests, &tree, files).map_err(broken)?;
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
    let language = languages::of_runner(subject.task.context.tests.runner);
    let sources = tree.paths().filter(|path| language.is_source(path));
    let files = sources.map(|path| FileChange { path: path.to_owned(), content: tree.text(path).map(str::to_owned) });
    Submission { answer: String::new(), files: files.collect() }
}

pub(super) fn reference(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let reference = reference_of(subject)?;
    let score = scored(subject.judge("reference", &reference))?;
    match score.reward == 1.0 {
        true => Ok(()),
        false => Err(Objection::new(&format!("reference.{}", score.code), score.detail)),
    }
}

/// The same grade for the reference every time: at other hours, with other hashes of strings, and several at once.
pub(super) fn repeated(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let reference = reference_of(subject)?;
    let repeats: Vec<Surroundings> =
        ELSEWHERE.iter().cycle().take(subject.depth.reference.saturating_sub(1)).cloned().collect();
    let (alone, together) = repeats.split_at(repeats.len().div_ceil(2));
    for elsewhere in alone {
        let grade = judge_elsewhere(subject, &reference, elsewhere);
        still_full(subject, grade, "reference", elsewhere)?;
    }
    let workers = together.len().min(AT_ONCE);
    let judge = |elsewhere: &Surroundings| judge_elsewhere(subject, &reference, elsewhere);
    let judged = parallel::map(together, workers, &AtomicBool::new(false), &judge);
    for (elsewhere, grade) in together.iter().zip(judged) {
        still_full(subject, grade, AMONG_OTHERS, elsewhere)?;
    }
    Ok(())
}

fn judge_elsewhere(subject: &Subject<'_>, reference: &Submission, elsewhere: &Surroundings) -> (u64, Grade) {
    let start = Instant::now();
    let grade = subject.workshop.under(elsewhere.clone()).grade(subject.task, reference);
    (start.elapsed().as_millis() as u64, grade)
}

/// Keeps the evidence, and objects unless the grade is still the full reward.
fn still_full(
    subject: &mut Subject<'_>,
    (milliseconds, grade): (u64, Grade),
    who: &str,
    elsewhere: &Surroundings,
) -> Result<(), Objection> {
    let Surroundings { time_zone, hash_seed } = elsewhere;
    let submission = format!("{who} with time zone {time_zone} and hash seed {hash_seed}");
    subject.runs.push(Run { submission: submission.clone(), milliseconds, grade: grade.clone() });
    match scored(grade)? {
        score if score.reward == 1.0 => Ok(()),
        score => Err(Objection::new("flaky", format!("{submission}: {}: {}", score.code, score.detail))),
    }
}

/// The median judgment of the reference takes a small share of what its runs may take.
pub(super) fn in_time(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let alone = |run: &&Run| run.submission.starts_with("reference") && !run.submission.starts_with(AMONG_OTHERS);
    let own = subject.runs.iter().filter(alone);
    let per_run = |run: &Run| match &run.grade {
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

fn reference_of(subject: &Subject<'_>) -> Result<Submission, Objection> {
    let skill = skills::find(&subject.task.skill).ok_or_else(|| Objection::new("skill", "unknown"))?;
    skill.reference(subject.workshop, subject.task).map_err(|reason| Objection::new("hidden", reason))
}

fn scored(grade: Grade) -> Result<Score, Objection> {
    match grade {
        Grade::Scored(score) => Ok(score),
        Grade::Invalid(cause) => Err(Objection::new("not_judged", format!("{cause:?}"))),
    }
}
