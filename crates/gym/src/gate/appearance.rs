//! Whether review tasks can be answered without reading the change: a shallow classifier of its lengths and counts must not tell right
//! from wrong.

use std::collections::BTreeMap;

use super::Objection;
use super::facts::Facts;
use crate::stats::separation::{Example, auc, auc_by_chance, cross_validated};
use crate::surface;
use crate::task::Task;

/// The area under the ROC curve that the classifier may reach. In small sets chance reaches more.
const MOST: f64 = 0.6;
/// Part of the pairs that is left out at once.
const STEP: usize = 20;

/// How well the classifier does on whole pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Appearance {
    /// Pairs of a right and a wrong change.
    pub pairs: usize,
    /// Area under the ROC curve, cross-validated.
    pub auc: f64,
    /// What it may be: 0.6, or what chance exceeds in one of twenty sets of this size.
    pub limit: f64,
}

/// How well the look of a change tells its label; `None` without any whole pair.
pub fn appearance(tasks: &[&Task]) -> Option<Appearance> {
    let pairs = pairs(tasks);
    (!pairs.is_empty()).then(|| judged(&pairs).0)
}

/// Pairs that have to be left out so that the look of the others tells nothing, and the objection to them.
pub fn telling_pairs(tasks: &[&Task]) -> Option<(Vec<String>, Objection)> {
    let mut left = pairs(tasks);
    let first = (!left.is_empty()).then(|| judged(&left).0)?;
    let mut out = Vec::new();
    while !left.is_empty() {
        let (appearance, mut margins) = judged(&left);
        if appearance.auc <= appearance.limit {
            break;
        }
        margins.sort_by(|one, other| other.1.total_cmp(&one.1));
        margins.truncate(left.len().div_ceil(STEP));
        left.retain(|pair| !margins.iter().any(|(name, _)| *name == pair.name));
        out.extend(margins.into_iter().map(|(name, _)| name.to_owned()));
    }
    let detail = format!(
        "what the change looks like tells YES from NO with an AUC of {:.2}, at most {:.2}; without {} of {} pairs it does not",
        first.auc,
        first.limit,
        out.len(),
        first.pairs
    );
    (!out.is_empty()).then(|| (out, Objection::new("told_by_appearance", detail)))
}

/// A right and a wrong change of one issue.
struct Pair<'a> {
    name: &'a str,
    family: &'a str,
    right: [f64; surface::COUNT],
    wrong: [f64; surface::COUNT],
}

fn pairs<'a>(tasks: &[&'a Task]) -> Vec<Pair<'a>> {
    let mut sides: BTreeMap<&str, (Option<&Task>, Option<&Task>)> = BTreeMap::new();
    for &task in tasks.iter().filter(|task| task.skill == "review" && !task.pair.is_empty()) {
        let sides = sides.entry(&task.pair).or_default();
        match Facts::of(task).ok().and_then(|facts| facts.label).as_deref() {
            Some("YES") => sides.0 = Some(task),
            Some("NO") => sides.1 = Some(task),
            _ => {}
        }
    }
    let whole = sides.into_iter().filter_map(|(name, sides)| {
        let (right, wrong) = (sides.0?, sides.1?);
        let (family, right, wrong) = (right.family.as_str(), surface::of(&right.prompt), surface::of(&wrong.prompt));
        Some(Pair { name, family, right, wrong })
    });
    whole.collect()
}

/// The result, and by how much each pair's right change is told from its wrong one.
fn judged<'a>(pairs: &[Pair<'a>]) -> (Appearance, Vec<(&'a str, f64)>) {
    let sides = pairs.iter().flat_map(|pair| [(pair, &pair.right, true), (pair, &pair.wrong, false)]);
    let examples: Vec<Example<'_>> =
        sides.map(|(pair, numbers, label)| Example { numbers, label, group: pair.family }).collect();
    let labels: Vec<bool> = examples.iter().map(|example| example.label).collect();
    let scores = cross_validated(&examples);
    let (auc, limit) = (auc(&scores, &labels), auc_by_chance(pairs.len()).max(MOST));
    let margins = pairs.iter().zip(scores.chunks(2)).map(|(pair, scores)| (pair.name, scores[0] - scores[1]));
    (Appearance { pairs: pairs.len(), auc, limit }, margins.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit;

    /// Pairs of one changed line each; every other right one is `longer` than its wrong one.
    fn tasks(count: usize, longer: &str) -> Vec<Task> {
        let side = |at: usize, label: &str| {
            let extra = if (label == "YES") != at.is_multiple_of(8) { longer } else { "" };
            let mut task = testkit::task();
            task.skill = "review".into();
            task.prompt = format!("Right?\n--- a.py\n+++ a.py\n@@ -1,1 +1,1 @@\n-return {at}\n+return {at}{extra}\n");
            task.hidden = serde_json::json!({ "label": label });
            (task.family, task.pair) = (at.to_string(), at.to_string());
            task.sealed()
        };
        (0..count).flat_map(|at| [side(at, "YES"), side(at, "NO")]).collect()
    }

    #[test]
    fn pairs_whose_labels_show_are_left_out_until_the_others_tell_nothing() {
        let tasks = tasks(48, " + more");
        let all: Vec<&Task> = tasks.iter().collect();
        assert!(appearance(&all).expect("there are pairs").auc > 0.8);
        let (out, objection) = telling_pairs(&all).expect("they tell");
        assert_eq!(objection.code, "told_by_appearance");
        let rest: Vec<&Task> = tasks.iter().filter(|task| !out.contains(&task.pair)).collect();
        let rest = appearance(&rest).expect("some are left");
        assert!(rest.auc <= rest.limit && rest.pairs < 48, "{rest:?}");
    }

    #[test]
    fn pairs_that_look_alike_stay() {
        let tasks = tasks(48, "");
        assert_eq!(telling_pairs(&tasks.iter().collect::<Vec<_>>()), None);
        assert_eq!(appearance(&[]), None);
    }
}
