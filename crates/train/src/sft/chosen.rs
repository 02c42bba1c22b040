//! Rejection sampling: of graded episodes, those that are worth imitating.
//!
//! A policy imitates its own successes (STaR, arXiv 2203.14465; RAFT, arXiv 2304.06767). Of each task the newest ones are kept, so
//! that easy tasks with many successes do not crowd out hard ones, and each sequence of turns once.

use std::collections::{BTreeMap, BTreeSet};

use basis_gym::episode::Episode;

/// Episodes with a reward above 0 that ended by themselves and without malformed turns: of each task at most `per_task` (all when
/// 0), the last ones of `episodes` first. They come back in the order in which they were given.
pub fn chosen(episodes: Vec<Episode>, per_task: usize) -> Vec<Episode> {
    let limit = if per_task == 0 { usize::MAX } else { per_task };
    let mut turns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut kept = Vec::new();
    for episode in episodes.into_iter().rev().filter(is_success) {
        let seen = turns.entry(episode.task.clone()).or_default();
        let replies: Vec<_> = episode.steps.iter().map(|step| &step.reply).collect();
        if seen.len() < limit && seen.insert(format!("{replies:?}")) {
            kept.push(episode);
        }
    }
    kept.reverse();
    kept
}

fn is_success(episode: &Episode) -> bool {
    let clean = episode.steps.iter().all(|step| step.reply.malformed.is_none());
    episode.reward().is_some_and(|reward| reward > 0.0) && episode.end.is_some() && clean && !episode.steps.is_empty()
}

#[cfg(test)]
mod tests {
    use basis_gym::episode::{End, Reply, Step};

    use super::*;
    use crate::testing::{episode, invalid};

    fn said(task: &str, reward: f64, text: &str) -> Episode {
        let reply = Reply { text: text.to_owned(), ..Reply::default() };
        let steps = vec![Step { reply, observations: Vec::new() }];
        Episode { steps, end: Some(End::Submitted), ..episode("edit", task, reward) }
    }

    fn texts(episodes: &[Episode]) -> Vec<String> {
        episodes.iter().map(|episode| format!("{}:{}", episode.task, episode.steps[0].reply.text)).collect()
    }

    #[test]
    fn successes_are_kept_each_once_and_the_newest_of_a_task_first() {
        let episodes = vec![
            said("a", 1.0, "old"),
            said("a", 1.0, "same"),
            said("b", 0.0, "failed"),
            said("a", 1.0, "same"),
            said("a", 1.0, "new"),
            said("c", 1.0, "only"),
            invalid("edit", "d"),
        ];
        assert_eq!(texts(&chosen(episodes.clone(), 2)), ["a:same", "a:new", "c:only"]);
        assert_eq!(texts(&chosen(episodes, 0)), ["a:old", "a:same", "a:new", "c:only"]);
    }

    #[test]
    fn malformed_turns_and_cut_off_episodes_are_not_imitated() {
        let mut malformed = said("a", 1.0, "x");
        malformed.steps[0].reply.malformed = Some("no".to_owned());
        let cut = Episode { end: None, ..said("b", 1.0, "y") };
        assert!(chosen(vec![malformed, cut], 0).is_empty());
    }
}
