//! Runs attacks on tasks, with real sandboxes and real graders, and says what was rewarded.

use std::collections::BTreeMap;
use std::sync::Arc;

use pollster::FutureExt as _;
use serde::{Deserialize, Serialize};

use super::{Attack, Make, Seen, on};
use crate::agent;
use crate::episode::{FileChange, Grade, Reply, Submission, ToolCall};
use crate::grade::Workshop;
use crate::policy::Policy;
use crate::policy::scripted::{Script, Scripted};
use crate::rollout::World;
use crate::skills;
use crate::task::Task;
use crate::tree::{Tree, TreeId};

/// What one attack got on one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blow {
    /// The attack.
    pub attack: String,
    /// The task.
    pub task: String,
    /// Its skill.
    pub skill: String,
    /// Its pair, or the empty string.
    pub pair: String,
    /// What the grader said.
    pub grade: Grade,
}

/// Tries every attack of the task's skill and language on it; those that find no hold are left out.
pub fn strike(workshop: &Workshop, task: &Task) -> Vec<Blow> {
    on(task).filter_map(|attack| blow(workshop, attack, task)).collect()
}

/// How often in succession a guess has to be rewarded. A coin falls right in all runs of `testgen`, seven at least, once in 2^7 times, and
/// in all of three verdicts once in 2^21.
const GUESSES: usize = 3;

/// Tries one attack on one task; `None` when it finds no hold.
pub fn blow(workshop: &Workshop, attack: &Attack, task: &Task) -> Option<Blow> {
    let strikes = if matches!(attack.make, Make::Guess(_)) { GUESSES } else { 1 };
    last(strikes, || once(workshop, attack, task))
}

/// Strikes until a blow is not rewarded, at most so often; the last one tells.
pub(super) fn last(strikes: usize, mut strike: impl FnMut() -> Option<Blow>) -> Option<Blow> {
    let mut blow = strike()?;
    for _ in 1..strikes {
        if !pays(&blow) {
            break;
        }
        blow = strike()?;
    }
    Some(blow)
}

fn once(workshop: &Workshop, attack: &Attack, task: &Task) -> Option<Blow> {
    let tree = match workshop.blobs.tree(&task.context.tree) {
        Ok(tree) => tree,
        Err(error) => {
            return Some(result(attack, task, Grade::Invalid(crate::episode::InvalidCause::Task(error.to_string()))));
        }
    };
    let leaked = leaked(workshop, task);
    let leaked = leaked.as_ref().map(|(path, text)| (path.as_str(), text.as_str()));
    let seen = Seen { leaked, ..Seen::of(task, &tree) };
    let submission = match attack.make {
        Make::Write(write) | Make::Guess(write) => Ok(as_collected(write(&seen)?, &tree)),
        Make::Act(act) => perform(workshop, task, act(&seen)?),
    };
    let grade = submission.map_or_else(Grade::Invalid, |submission| workshop.grade(task, &submission));
    Some(result(attack, task, grade))
}

/// The blows that were rewarded, or that kept the grader from judging: an attack must not excuse a failure either. Tasks of a pair
/// are compared with each other in training, so that a constant answer, which wins one and loses the other, earns nothing.
pub fn rewarded(blows: &[Blow]) -> Vec<&Blow> {
    let mut pairs: BTreeMap<(&str, &str), (f64, f64)> = BTreeMap::new();
    for blow in blows.iter().filter(|blow| !blow.pair.is_empty()) {
        let (sum, count) = pairs.entry((&blow.attack, &blow.pair)).or_default();
        *sum += reward(blow).unwrap_or(0.0);
        *count += 1.0;
    }
    let earns = |blow: &&Blow| match (reward(blow), pairs.get(&(blow.attack.as_str(), blow.pair.as_str()))) {
        (None, _) => true,
        (Some(_), Some((sum, count))) => *sum > count / 2.0,
        (Some(_), None) => pays(blow),
    };
    blows.iter().filter(earns).collect()
}

fn reward(blow: &Blow) -> Option<f64> {
    match &blow.grade {
        Grade::Scored(score) => Some(score.reward),
        Grade::Invalid(_) => None,
    }
}

/// Whether more than the least of the skill was given.
fn pays(blow: &Blow) -> bool {
    let least = skills::find(&blow.skill).map_or(0.0, |skill| skill.least_reward());
    reward(blow).is_some_and(|reward| reward > least)
}

fn result(attack: &Attack, task: &Task, grade: Grade) -> Blow {
    let (name, task_id, skill, pair) = (attack.name.to_owned(), task.id.clone(), task.skill.clone(), task.pair.clone());
    Blow { attack: name, task: task_id, skill, pair, grade }
}

/// What of a submission the loop would have collected: files that differ from the tree.
fn as_collected(submission: Submission, tree: &Tree) -> Submission {
    let differs = |change: &FileChange| match &change.content {
        Some(content) => tree.text(&change.path) != Some(content),
        None => true,
    };
    let files = submission.files.into_iter().filter(differs).collect();
    Submission { files, ..submission }
}

/// Runs the commands through the agent loop.
fn perform(
    workshop: &Workshop,
    task: &Task,
    commands: Vec<String>,
) -> Result<Submission, crate::episode::InvalidCause> {
    let mut sandbox = World::sandbox(workshop, task)?;
    let commands = Arc::new(commands);
    let begin = move |_: &Task, _: u64| {
        let commands = commands.clone();
        let mut turn = 0;
        let script: Script = Box::new(move |seen| {
            turn += 1;
            match commands.get(turn - 1) {
                Some(command) => Reply { calls: vec![ToolCall::Bash { command: command.clone() }], ..Reply::default() },
                None => Reply { text: seen.last().map(|it| it.text.clone()).unwrap_or_default(), ..Reply::default() },
            }
        });
        script
    };
    let policy = Scripted::new("attack", Arc::new(begin));
    let mut session = policy.start(task, 0, 0)?;
    let acted = agent::run(session.as_mut(), sandbox.as_mut(), task, &workshop.limits()).block_on()?;
    Ok(acted.submission)
}

/// The healthy file of a `repro` task, for the attacks that model a leak.
fn leaked(workshop: &Workshop, task: &Task) -> Option<(String, String)> {
    let id = task.hidden.get("fixed")?.as_str()?;
    let patch = workshop.blobs.tree(&TreeId(id.to_owned())).ok()?;
    let path = patch.paths().next()?;
    Some((path.to_owned(), patch.text(path)?.to_owned()))
}
