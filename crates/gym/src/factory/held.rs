//! What held back a commit or a pair of releases, and at which stage.

use serde::{Deserialize, Serialize};

use super::{Stage, Yield};
use crate::validate;

/// Something that came to nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) at: At,
    pub(super) code: String,
    pub(super) detail: String,
    /// Whether only the infrastructure failed.
    pub(super) is_open: bool,
}

/// The stage that held it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum At {
    Candidate,
    Buildable,
    History,
    CandidatePair,
    BuildablePair,
    Releases,
}

impl At {
    pub(super) fn stage(self) -> Stage {
        match self {
            Self::Candidate => Stage::Candidate,
            Self::Buildable => Stage::Buildable,
            Self::History => Stage::History,
            Self::CandidatePair => Stage::CandidatePair,
            Self::BuildablePair => Stage::BuildablePair,
            Self::Releases => Stage::Releases,
        }
    }

    pub(super) fn holds(self, code: impl Into<String>, detail: impl Into<String>) -> Held {
        Held { at: self, code: code.into(), detail: detail.into(), is_open: false }
    }

    pub(super) fn rejects(self, rejection: &validate::Rejection) -> Held {
        Held { is_open: rejection.is_infrastructure(), ..self.holds(rejection.code(), rejection.to_string()) }
    }
}

impl Yield {
    /// Counts something at each of some stages, up to the one that held it back.
    pub(super) fn passed(&mut self, stages: &[At], held: Option<&Held>) {
        for at in stages {
            let held = held.filter(|held| held.at == *at);
            self.funnel.count(at.stage(), held.map_or(Ok(()), |held| Err(&held.code)));
            if held.is_some() {
                break;
            }
        }
    }
}
