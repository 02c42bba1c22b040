//! How many candidates each stage of a factory let through, and why it held back the others.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

/// What a candidate has to pass, in the order in which it is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A commit may be a repair, by what it changes.
    Candidate,
    /// Its environment can be made, and its suite runs.
    Buildable,
    /// Its tests prove the repair.
    History,
    /// Two releases may differ by repairs.
    CandidatePair,
    /// The environment of the newer one can be made, and its suite runs.
    BuildablePair,
    /// Its tests prove that a smallest set of differences repairs something.
    Releases,
    /// A mutation is noticed.
    Mutation,
    /// A second bug belongs to a first one.
    SeveralFiles,
    /// A task of this skill is built and passes its gates.
    Skill(String),
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Candidate => "candidate commits",
            Self::Buildable => "buildable commits",
            Self::History => "bug records from history",
            Self::CandidatePair => "candidate pairs of releases",
            Self::BuildablePair => "buildable pairs of releases",
            Self::Releases => "bug records from releases",
            Self::Mutation => "bug records by mutation",
            Self::SeveralFiles => "bug records in two files",
            Self::Skill(name) => name,
        })
    }
}

impl Serialize for Stage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What one stage did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Passage {
    /// What it let through.
    pub made: usize,
    /// What it held back, by code.
    pub rejected: BTreeMap<String, usize>,
}

impl Passage {
    /// Everything that came to the stage.
    pub fn seen(&self) -> usize {
        self.made + self.rejected.values().sum::<usize>()
    }
}

/// All stages that saw something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Funnel(pub BTreeMap<Stage, Passage>);

impl Funnel {
    /// Counts something that a stage let through, or held back for a reason with a code.
    pub fn count(&mut self, stage: Stage, outcome: Result<(), &str>) {
        let passage = self.0.entry(stage).or_default();
        match outcome {
            Ok(()) => passage.made += 1,
            Err(code) => *passage.rejected.entry(code.to_owned()).or_default() += 1,
        }
    }

    /// Counts as held back what was let through before.
    pub fn take_back(&mut self, stage: Stage, code: &str) {
        self.0.entry(stage.clone()).or_default().made -= 1;
        self.count(stage, Err(code));
    }

    /// Adds the counts of another one.
    pub fn merge(&mut self, other: Funnel) {
        for (stage, passage) in other.0 {
            let own = self.0.entry(stage).or_default();
            own.made += passage.made;
            for (code, count) in passage.rejected {
                *own.rejected.entry(code).or_default() += count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_is_held_back() {
        let skill = || Stage::Skill("review".to_owned());
        let mut funnel = Funnel::default();
        funnel.count(skill(), Ok(()));
        funnel.count(skill(), Ok(()));
        funnel.count(skill(), Err("no_symptom"));
        funnel.take_back(skill(), "surface");
        let mut sum = Funnel::default();
        sum.merge(funnel.clone());
        assert_eq!(sum, funnel);
        assert_eq!((sum.0[&skill()].made, sum.0[&skill()].seen()), (1, 3));
        let text = serde_json::to_string(&sum).expect("keys are text");
        assert_eq!(text, r#"{"review":{"made":1,"rejected":{"no_symptom":1,"surface":1}}}"#);
    }
}
