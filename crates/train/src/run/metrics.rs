//! The numbers of one iteration, by name. Times are in seconds, `train/*` are means per target.

use std::collections::BTreeMap;
use std::time::Duration;

use basis_gym::episode::Episode;
use basis_gym::rollout::SharedCounts;
use basis_gym::stats::Evaluation;

use super::collect::Collected;
use super::update::Update;
use crate::batch::importance::Importance;

/// Names and values, in the order in which people want to read them.
pub(super) fn metrics(collected: &Collected, update: &Update, training: Duration) -> Vec<(String, f64)> {
    let mut values = per_skill(update);
    values.extend(lengths(&collected.episodes));
    let sampled: usize = collected.episodes.iter().map(sampled).sum();
    let per_target = |sum: f64| sum / update.targets.max(1) as f64;
    let invalid = collected.episodes.iter().filter(|episode| episode.reward().is_none()).count();
    let timing = &collected.timing;
    let fixed = [
        ("train/kl", per_target(update.kl)),
        ("train/clip_fraction", per_target(update.clipped as f64)),
        ("train/entropy", per_target(update.entropy)),
        ("train/loss", update.loss / update.steps.max(1) as f64),
        ("train/grad_norm", update.grad_norm),
        ("train/steps", update.steps as f64),
        ("tokens/sampled", sampled as f64),
        ("tokens/trained", update.targets as f64),
        ("tokens/trained_with_context", update.tokens as f64),
        ("episodes/all", collected.episodes.len() as f64),
        ("episodes/invalid", invalid as f64),
        ("episodes/reused", collected.reused as f64),
        ("time/rollout", timing.wall.as_secs_f64()),
        ("time/sampling", timing.sampling.as_secs_f64()),
        ("time/training", training.as_secs_f64()),
        ("work/sandbox", timing.sandbox.as_secs_f64()),
        ("work/grading", timing.grading.as_secs_f64()),
        ("rate/sampled_tokens", timing.tokens as f64 / timing.sampling.as_secs_f64().max(1e-9)),
        ("rate/trained_tokens", update.tokens as f64 / training.as_secs_f64().max(1e-9)),
    ];
    values.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    values.extend(collected.shared.iter().flat_map(sharing));
    values.extend(update.distance.map(|sum| ("train/kl_start".to_owned(), per_target(sum))));
    values.extend(update.importance.iter().flat_map(importance));
    values
}

/// What episodes asked of their sandboxes and what of it was done; sandboxes that they wanted and that were made.
fn sharing(counts: &SharedCounts) -> [(String, f64); 4] {
    let SharedCounts { asked, done, wanted, made } = *counts;
    [("asked", asked), ("done", done), ("wanted", wanted), ("made", made)]
        .map(|(name, count)| (format!("sharing/{name}"), count as f64))
}

/// Means per target: the weight, how many were cut off, and how far sampler and trainer are apart.
fn importance(importance: &Importance) -> [(String, f64); 3] {
    let mean = |sum: f64| sum / importance.targets.max(1) as f64;
    [
        ("importance/weight".to_owned(), mean(importance.weight)),
        ("importance/truncated".to_owned(), mean(importance.truncated as f64)),
        ("importance/distance".to_owned(), mean(importance.distance)),
    ]
}

/// Success on held-out tasks, per skill and kind.
pub(super) fn held_out(evaluation: &Evaluation) -> Vec<(String, f64)> {
    let skills = evaluation.skills.iter().filter(|(_, score)| score.tasks > 0);
    let skills = skills.map(|(name, score)| (format!("held_out/{name}"), score.success));
    skills.chain([("held_out/mean".to_owned(), evaluation.average)]).collect()
}

pub(super) fn sampled(episode: &Episode) -> usize {
    episode.sequences().map(|sequence| sequence.counted().filter(|counted| *counted).count()).sum()
}

fn per_skill(update: &Update) -> Vec<(String, f64)> {
    let mut values = Vec::new();
    let (mut solved_rates, mut sets, mut with_signal) = (Vec::new(), 0, 0);
    let pulls: f64 = update.shares.values().map(|share| share.pull).sum();
    for (skill, counts) in &update.signal.skills {
        let valid = counts.valid.max(1) as f64;
        let share = update.shares.get(skill).copied().unwrap_or_default();
        solved_rates.push(counts.solved as f64 / valid);
        sets += counts.sets;
        with_signal += counts.with_signal;
        values.push((format!("reward/{skill}"), counts.reward / valid));
        values.push((format!("success/{skill}"), counts.solved as f64 / valid));
        values.push((format!("signal/{skill}"), counts.share()));
        values.push((format!("trained/{skill}"), counts.trained_solved as f64 / counts.trained.max(1) as f64));
        values.push((format!("share/{skill}"), share.weight));
        values.push((format!("pull/{skill}"), share.pull / if pulls > 0.0 { pulls } else { 1.0 }));
    }
    let mean = solved_rates.iter().sum::<f64>() / solved_rates.len().max(1) as f64;
    values.push(("success/mean".to_owned(), mean));
    values.push(("signal/all".to_owned(), with_signal as f64 / f64::from(u32::max(1, sets as u32))));
    values
}

/// Mean sampled tokens of an episode, per skill.
fn lengths(episodes: &[Episode]) -> Vec<(String, f64)> {
    let mut sums: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for episode in episodes.iter().filter(|episode| episode.tokens.is_some()) {
        let (tokens, count) = sums.entry(&episode.skill).or_default();
        *tokens += sampled(episode);
        *count += 1;
    }
    sums.into_iter().map(|(skill, (tokens, count))| (format!("length/{skill}"), tokens as f64 / count as f64)).collect()
}
