//! Confirms that a bug and a mutation in another file make one bug: there is a call that goes wrong as long as either of them is there.

use super::confirm::{Ground, Suspect, apply, confirm};
use super::{Rejection, symptom};
use crate::languages::Call;
use crate::record::{BugRecord, Mutation, Symptom};
use crate::tree::Tree;

/// Adds `second` to a record. Only symptoms that each of the two mutations causes alone are kept, so that both files have to be
/// changed before any of them is gone. The record stays in the family of the first one.
///
/// # Errors
/// [`Rejection`] with the reason.
pub fn validate_pair(ground: &Ground, first: &BugRecord, second: &Mutation) -> Result<BugRecord, Rejection> {
    let known = first.symptoms.iter().filter(|symptom| symptom.expected.is_some());
    let (symptoms, calls): (Vec<&Symptom>, Vec<Call>) =
        known.filter_map(|symptom| Some((symptom, symptom::call_of(symptom)?))).unzip();
    if calls.is_empty() || first.change.paths().contains(&second.path) {
        return Err(Rejection::OneFileSuffices);
    }
    // The first bug alone causes all of them; this is cheaper than the tests, and most second mutations end here.
    let mut overlay = Tree::new();
    overlay.insert(second.path.clone(), apply(ground.project, second)?);
    let layers = [ground.baseline.layer.clone(), ground.layers.layer(&overlay)?];
    let alone = ground.observe(&layers, &calls, ground.touching(&second.place()).as_ref())?;
    let is_right = |symptom: &Symptom, value: &Option<String>| value.is_none() || *value == symptom.expected;
    let shared: Vec<Call> = calls
        .into_iter()
        .zip(symptoms.iter().zip(&alone))
        .filter(|(_, (symptom, seen))| seen.exception.is_some() || !is_right(symptom, &seen.value))
        .map(|(call, _)| call)
        .collect();
    if shared.is_empty() {
        return Err(Rejection::OneFileSuffices);
    }
    for path in first.change.paths() {
        overlay.insert(path.clone(), first.buggy.get(&path).unwrap_or_default());
    }
    let places = first.change.places.iter().cloned().chain([second.place()]).collect();
    let mut record = confirm(ground, &Suspect::of(ground, overlay, places)?)?;
    record.symptoms.retain(|symptom| symptom::call_of(symptom).is_some_and(|call| shared.contains(&call)));
    record.id.clone_from(&first.id);
    if record.symptoms.is_empty() { Err(Rejection::OneFileSuffices) } else { Ok(record) }
}
