//! Facts that can be stated about a bug: what a call gives on the buggy tree and what it gives on the healthy one.
//!
//! A test shows a call in the middle of other things. Here the call is evaluated alone, in fresh sandboxes, on both trees; it is only
//! kept if the buggy tree shows what the test showed, and the healthy tree something else.

use std::collections::BTreeSet;

use basis_sandbox::SandboxError;

use crate::languages::{Call, Observation, TestReport};
use crate::record::{Symptom, TestId};

/// Evaluates calls on one tree.
pub(super) type Evaluate<'a> = dyn Fn(&[Call]) -> Result<Vec<Observation>, SandboxError> + 'a;

/// More calls than these say nothing new.
const MOST_CALLS: usize = 24;

/// What the failing tests showed; at least class and message each.
pub(super) fn seen(failing: &[TestId], report: &TestReport) -> Vec<Symptom> {
    let bare = |id: &TestId| Symptom {
        test: id.clone(),
        call: None,
        actual: None,
        expected: None,
        exception: Some(report.outcomes[id].detail.clone()),
    };
    failing.iter().map(|id| report.outcomes[id].symptom.clone().unwrap_or_else(|| bare(id))).collect()
}

/// Evaluates the calls of symptoms on both trees and drops those that do not show the bug by themselves. Symptoms that say most come
/// first.
///
/// # Errors
/// What the evaluations return.
pub(super) fn settle(
    mut symptoms: Vec<Symptom>,
    on_buggy: &Evaluate<'_>,
    on_healthy: &Evaluate<'_>,
) -> Result<Vec<Symptom>, SandboxError> {
    let calls = calls(&symptoms);
    if !calls.is_empty() {
        let (buggy, healthy) = (on_buggy(&calls)?, on_healthy(&calls)?);
        for symptom in &mut symptoms {
            let at = call_of(symptom).and_then(|call| calls.iter().position(|known| *known == call));
            match at.filter(|&at| shows(symptom, &buggy[at], &healthy[at])) {
                Some(at) => symptom.expected = healthy[at].value.clone(),
                None => symptom.call = None,
            }
        }
    }
    symptoms.sort_by_key(|symptom| {
        let unknown = usize::from(symptom.call.is_none()) * 2 + usize::from(symptom.expected.is_none());
        (unknown, symptom.call.as_ref().map_or(0, String::len))
    });
    Ok(symptoms)
}

/// The shortest calls, each once.
fn calls(symptoms: &[Symptom]) -> Vec<Call> {
    let distinct: BTreeSet<Call> = symptoms.iter().filter_map(call_of).collect();
    let mut calls: Vec<Call> = distinct.into_iter().collect();
    calls.sort_by_key(|call| call.source.len());
    calls.truncate(MOST_CALLS);
    calls
}

pub(super) fn call_of(symptom: &Symptom) -> Option<Call> {
    let path = symptom.test.split("::").next()?.to_owned();
    Some(Call { path, source: symptom.call.clone()? })
}

fn shows(symptom: &Symptom, buggy: &Observation, healthy: &Observation) -> bool {
    let same = match &symptom.exception {
        Some(_) => buggy.exception == symptom.exception,
        None => buggy.value.is_some() && buggy.value == symptom.actual,
    };
    same && buggy != healthy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symptom(call: &str, actual: &str) -> Symptom {
        let own = |text: &str| Some(text.to_owned());
        Symptom {
            test: "t.py::t".to_owned(),
            call: own(call),
            actual: own(actual),
            expected: own("3"),
            exception: None,
        }
    }

    fn settled(actual: &str, buggy: &str, healthy: &str) -> Symptom {
        let gives = |value: &str| Observation { value: Some(value.to_owned()), exception: None };
        let symptoms =
            settle(vec![symptom("f(1)", actual)], &|_| Ok(vec![gives(buggy)]), &|_| Ok(vec![gives(healthy)]));
        symptoms.expect("no sandbox is needed").remove(0)
    }

    #[test]
    fn what_the_healthy_tree_gives_is_expected() {
        assert_eq!(settled("2", "2", "3.0").expected.as_deref(), Some("3.0"));
    }

    #[test]
    fn a_call_that_shows_the_bug_only_inside_its_test_is_dropped() {
        assert_eq!(settled("2", "1", "3").call, None);
        assert_eq!(settled("2", "2", "2").call, None);
    }
}
