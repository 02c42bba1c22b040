//! Whether the label of a change is what probes say: calls whose values in healthy code are known.

use super::examine::{Objection, Subject};
use super::facts::Facts;
use crate::grade::probes;

pub(super) fn check(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let broken = |reason: String| Objection::new("hidden", reason);
    let facts = Facts::of(subject.task).map_err(broken)?;
    let (Some(label), Some(path), Some(known)) = (facts.label, facts.path, facts.probes) else { return Ok(()) };
    let shown = subject.workshop.blobs.tree(&subject.task.context.tree).map_err(|error| broken(error.to_string()))?;
    let text = shown.text(&path).ok_or_else(|| broken(format!("no file `{path}`")))?.to_owned();
    let tests = &subject.task.context.tests;
    let found = probes::differing(subject.workshop, tests, &shown, &path, &[text], &known)
        .map_err(|cause| Objection::new("not_judged", format!("{cause:?}")))?;
    match (label.as_str(), found.first().and_then(|differing| differing.first())) {
        ("YES", Some(at)) => {
            Err(Objection::new("label_probe", format!("YES, but `{}` does not give {}", known[*at].0, known[*at].1)))
        }
        ("NO", None) if !known.is_empty() => {
            Err(Objection::new("label_probe", "NO, but no probe gives anything else than in healthy code"))
        }
        _ => Ok(()),
    }
}
