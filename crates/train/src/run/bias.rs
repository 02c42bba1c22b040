//! Whether what is trained on is what was sampled: shares per skill and length, before and after whatever may lose episodes.
//!
//! Episodes are lost when the infrastructure fails, and where time or age end them it is the long ones that are lost. The meter
//! compares all episodes of an iteration with those that are compared with each other: valid, and not alone in their group.
//! Groups without signal are not lost in this sense: that they teach nothing does not depend on how long they took.

use std::collections::BTreeMap;

use basis_gym::episode::Episode;

use super::metrics::sampled;

/// A skill, and the number of binary digits of the sampled tokens.
type Kind<'a> = (&'a str, u32);

/// `bias/<skill>`: the share among the episodes that are used, minus the share among all. `bias/all`: half the sum, over skills
/// and lengths, of the distances of shares (their total variation), from 0 for none to 1.
pub(super) fn bias(episodes: &[Episode]) -> Vec<(String, f64)> {
    let mut valid: BTreeMap<&str, usize> = BTreeMap::new();
    for episode in episodes.iter().filter(|episode| episode.reward().is_some()) {
        *valid.entry(&episode.task).or_default() += 1;
    }
    distance(episodes, &|episode| episode.reward().is_some() && valid[episode.task.as_str()] > 1)
}

fn distance(episodes: &[Episode], used: &dyn Fn(&Episode) -> bool) -> Vec<(String, f64)> {
    let kept: Vec<&Episode> = episodes.iter().filter(|episode| used(episode)).collect();
    if kept.is_empty() {
        return Vec::new();
    }
    let (all, kept) = (shares(episodes.iter()), shares(kept.into_iter()));
    let mut skills: BTreeMap<&str, f64> = BTreeMap::new();
    let mut distance = 0.0;
    for (kind, share) in &all {
        let difference = kept.get(kind).copied().unwrap_or(0.0) - share;
        *skills.entry(kind.0).or_default() += difference;
        distance += difference.abs() / 2.0;
    }
    let skills = skills.into_iter().map(|(skill, difference)| (format!("bias/{skill}"), difference));
    skills.chain([("bias/all".to_owned(), distance)]).collect()
}

fn shares<'a>(episodes: impl Iterator<Item = &'a Episode>) -> BTreeMap<Kind<'a>, f64> {
    let kinds: Vec<Kind<'a>> = episodes.map(kind).collect();
    let one = 1.0 / kinds.len() as f64;
    let mut shares = BTreeMap::new();
    kinds.into_iter().for_each(|kind| *shares.entry(kind).or_default() += one);
    shares
}

fn kind(episode: &Episode) -> Kind<'_> {
    (&episode.skill, usize::BITS - sampled(episode).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sampled;

    fn of(used: &dyn Fn(&Episode) -> bool) -> BTreeMap<String, f64> {
        let short = (0..6).map(|n| sampled("edit", &format!("e{n}"), 1.0, 3));
        let long = (0..2).map(|n| sampled("edit", &format!("l{n}"), 1.0, 300));
        let review = (0..8).map(|n| sampled("review", &format!("r{n}"), 1.0, 3));
        distance(&short.chain(long).chain(review).collect::<Vec<_>>(), used).into_iter().collect()
    }

    #[test]
    fn nothing_lost_is_no_bias() {
        let bias = of(&|_| true);
        assert_eq!(bias, BTreeMap::from(["bias/all", "bias/edit", "bias/review"].map(|name| (name.to_owned(), 0.0))));
    }

    #[test]
    fn losing_the_long_ones_shows_by_how_much() {
        let bias = of(&|episode| !episode.task.starts_with('l'));
        // 6 and 8 of 14 instead of 8 and 8 of 16; the long ones were 2 of 16.
        assert!((bias["bias/edit"] - (6.0 / 14.0 - 0.5)).abs() < 1e-12, "{bias:?}");
        assert!((bias["bias/all"] - 0.125).abs() < 1e-12, "{bias:?}");
    }
}
