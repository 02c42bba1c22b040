//! Verdicts with the codes of the failure taxonomy.

use crate::episode::{InvalidCause, Score};
use crate::record::TestId;

/// What a grader returns: a judged submission, or the boundary that failed.
pub type Verdict = Result<Score, InvalidCause>;

/// The outcome of each run or test, for the record.
pub type Table = Vec<(TestId, String)>;

/// Full reward.
pub fn full(table: Table) -> Score {
    Score { reward: 1.0, code: "ok".into(), detail: String::new(), table }
}

/// No reward, with the code of the taxonomy and one line for people.
pub fn nothing(code: &str, detail: impl Into<String>, table: Table) -> Score {
    Score { reward: 0.0, code: code.into(), detail: detail.into(), table }
}
