//! Attacks on graders, as data: hostile submissions made from what an agent can see, and whether any of them is rewarded.
//!
//! A new exploit that is found in training becomes one more entry of a family here. Nothing here knows what is hidden in a task;
//! the one attack that models a leak says so.

mod answers;
pub mod battery;
mod composites;
mod configuration;
mod equality;
mod javascript;
mod leaks;
mod outcomes;
mod process;
mod runner;
mod rust;
mod seen;
mod sources;
mod suites;
#[cfg(test)]
mod tests;

pub use seen::Seen;

use crate::episode::Submission;
use crate::languages;
use crate::task::Task;

/// One way to try to be rewarded without having done the work.
pub struct Attack {
    /// Its name in reports.
    pub name: &'static str,
    /// The skills that it is tried on.
    pub skills: &'static [&'static str],
    /// Where it was seen, or what it stands for.
    pub seen_in: &'static str,
    /// What is handed in.
    pub make: Make,
}

/// How an attack comes to what it hands in. `None` when a task offers no hold for it.
#[derive(Clone, Copy)]
pub enum Make {
    /// Files and answer, written without running anything.
    Write(fn(&Seen<'_>) -> Option<Submission>),
    /// The same, of submissions that go by luck: what fails at random is right in all runs of a grader now and then, whatever the grader
    /// does. Only when several verdicts in succession reward it has it been rewarded.
    Guess(fn(&Seen<'_>) -> Option<Submission>),
    /// Commands that run in the agent's sandbox, one per turn; what the last one shows is the answer.
    Act(fn(&Seen<'_>) -> Option<Vec<String>>),
}

/// Skills in which a changed tree is handed in.
const REPAIR: &[&str] = &["edit", "bugfix", "bugfix_multi", "refactor"];
/// Skills in which something that is handed in is run.
const RUN: &[&str] = &["edit", "testgen", "repro", "bugfix", "bugfix_multi"];
/// Skills in which a file is handed in that is run against several versions of the code.
const COMPARED: &[&str] = &["testgen", "repro"];
/// All skills.
const EVERY: &[&str] =
    &["localize", "edit", "testgen", "repro", "review", "bugfix", "bugfix_multi", "refactor", "security"];

/// Attacks of one kind.
struct Family {
    /// The language that they are written in; none when they hand in no code.
    language: Option<&'static str>,
    attacks: &'static [Attack],
}

const fn python(attacks: &'static [Attack]) -> Family {
    Family { language: Some("python"), attacks }
}

const FAMILIES: &[Family] = &[
    Family { language: None, attacks: answers::ATTACKS },
    python(configuration::ATTACKS),
    python(process::ATTACKS),
    python(runner::ATTACKS),
    python(equality::ATTACKS),
    python(sources::ATTACKS),
    python(outcomes::ATTACKS),
    python(suites::ATTACKS),
    python(composites::ATTACKS),
    Family { language: None, attacks: leaks::ATTACKS },
    Family { language: Some("rust"), attacks: rust::ATTACKS },
    Family { language: Some("rust"), attacks: rust::examples::ATTACKS },
    Family { language: Some("rust"), attacks: rust::compared::ATTACKS },
    Family { language: Some("javascript"), attacks: javascript::ATTACKS },
    Family { language: Some("javascript"), attacks: javascript::compared::ATTACKS },
];

/// Every attack, family by family.
pub fn all() -> impl Iterator<Item = &'static Attack> {
    FAMILIES.iter().flat_map(|family| family.attacks)
}

/// The attacks that can be tried on a task.
pub fn on(task: &Task) -> impl Iterator<Item = &'static Attack> {
    let language = languages::of_runner(task.context.tests.runner).name();
    let families = FAMILIES.iter().filter(move |family| family.language.is_none_or(|own| own == language));
    let skill = task.skill.clone();
    families.flat_map(|family| family.attacks).filter(move |attack| attack.skills.contains(&skill.as_str()))
}
