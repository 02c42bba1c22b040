//! A teacher's episodes as token sequences, and as texts for a tokenizer.

use std::collections::BTreeSet;

use basis_gym::episode::{Episode, Message, Observation, Role, Sequence, TokenTrace, ToolCall};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::SftConfig;
use crate::batch::datum;
use crate::engines::Datum;
use crate::renderer::Renderer;

/// Rendered episodes, apart from those that only measure.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// To train on. Each target of an assistant's id weighs 1, each other one `context_weight`.
    pub train: Vec<Datum>,
    /// To measure on; shares no task with `train`. Only the assistant's ids weigh.
    pub held_out: Vec<Datum>,
    /// Episodes with malformed turns or without turns.
    pub unusable: usize,
    /// Episodes longer than the context.
    pub too_long: usize,
}

impl Data {
    /// Renders `episodes` and puts all episodes of a share of the tasks aside, chosen by the seed.
    pub fn new(episodes: &[Episode], renderer: &dyn Renderer, context: usize, config: &SftConfig) -> Self {
        let aside = choose_tasks(episodes, config.held_out, config.seed);
        let mut data = Self::default();
        for episode in episodes {
            match sequence(episode, renderer) {
                None => data.unusable += 1,
                Some(datum) if datum.ids.len() > context => data.too_long += 1,
                Some(datum) if aside.contains(episode.task.as_str()) => data.held_out.push(datum),
                Some(datum) => data.train.push(read_too(datum, config.context_weight)),
            }
        }
        data
    }
}

/// One episode as a sequence with loss on the assistant's ids; `None` when a turn is malformed or there is none.
pub fn sequence(episode: &Episode, renderer: &dyn Renderer) -> Option<Datum> {
    let prompt = Message { role: Role::User, content: episode.prompt.clone() };
    let mut trace = TokenTrace::default();
    append(&mut trace, renderer.prompt(&prompt), false);
    for step in &episode.steps {
        if step.reply.malformed.is_some() {
            return None;
        }
        append(&mut trace, renderer.encode_reply(&step.reply), true);
        append(&mut trace, renderer.observations(&messages(&step.observations)), false);
    }
    datum(Sequence { trace: &trace, from: 0 }, 1.0, 0.0)
}

/// Gives what is read a weight as well.
fn read_too(mut datum: Datum, weight: f32) -> Datum {
    datum.weights.iter_mut().filter(|own| **own == 0.0).for_each(|own| *own = weight);
    datum
}

/// Everything that the episodes say, for training a tokenizer.
pub fn texts(episodes: &[Episode]) -> Vec<String> {
    let mut texts = Vec::new();
    for episode in episodes {
        texts.push(episode.prompt.clone());
        for step in &episode.steps {
            texts.push(step.reply.text.clone());
            texts.extend(step.reply.calls.iter().flat_map(call_texts));
            texts.extend(step.observations.iter().map(|observation| observation.text.clone()));
        }
    }
    texts.retain(|text| !text.is_empty());
    texts
}

fn call_texts(call: &ToolCall) -> Vec<String> {
    match call {
        ToolCall::Bash { command } => vec![command.clone()],
        ToolCall::StrReplace { path, old, new } => vec![path.clone(), old.clone(), new.clone()],
    }
}

fn messages(observations: &[Observation]) -> Vec<Message> {
    observations.iter().map(|seen| Message { role: Role::Tool, content: seen.text.clone() }).collect()
}

fn append(trace: &mut TokenTrace, ids: Vec<u32>, learned: bool) {
    trace.sampled.extend(std::iter::repeat_n(learned, ids.len()));
    trace.logprobs.extend(std::iter::repeat_n(0.0, ids.len()));
    trace.ids.extend(ids);
}

/// At least one task when a share is asked for and there are two tasks or more.
fn choose_tasks(episodes: &[Episode], share: f64, seed: u64) -> BTreeSet<&str> {
    let tasks: BTreeSet<&str> = episodes.iter().map(|episode| episode.task.as_str()).collect();
    let mut tasks: Vec<&str> = tasks.into_iter().collect();
    let count = ((tasks.len() as f64 * share).ceil() as usize).min(tasks.len().saturating_sub(1));
    tasks.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    tasks.into_iter().take(count).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use basis_gym::episode::{Reply, Step};

    use super::*;
    use crate::testing::{episode, renderer};

    fn taught(task: &str) -> Episode {
        let call = ToolCall::Bash { command: "ls".to_owned() };
        let look = Reply { text: "look".to_owned(), calls: vec![call], malformed: None };
        let seen = Observation { text: "a.py".to_owned(), status: Some(0), duration: Duration::ZERO };
        let answer = Reply { text: "a.py".to_owned(), ..Reply::default() };
        let steps =
            vec![Step { reply: look, observations: vec![seen] }, Step { reply: answer, observations: Vec::new() }];
        Episode { prompt: "where?".to_owned(), steps, ..episode("localize", task, 1.0) }
    }

    #[test]
    fn the_loss_is_on_the_turns_of_the_assistant_and_their_ends() {
        let renderer = renderer();
        let datum = sequence(&taught("a"), renderer.as_ref()).expect("is well-formed");
        let learned: Vec<u32> =
            datum.ids[1..].iter().zip(&datum.weights).filter(|(_, weight)| **weight > 0.0).map(|(id, _)| *id).collect();
        let turns: Vec<u32> = taught("a").steps.iter().flat_map(|step| renderer.encode_reply(&step.reply)).collect();
        assert_eq!(learned, turns);
    }

    fn config(held_out: f64) -> SftConfig {
        SftConfig { held_out, ..SftConfig::default() }
    }

    #[test]
    fn what_is_read_weighs_less_in_training_and_nothing_in_measuring() {
        let config = SftConfig { context_weight: 0.25, ..config(0.5) };
        let data = Data::new(&[taught("a"), taught("b")], renderer().as_ref(), 2048, &config);
        let own = sequence(&taught("a"), renderer().as_ref()).expect("is well-formed");
        let expected: Vec<f32> = own.weights.iter().map(|weight| weight.max(0.25)).collect();
        assert_eq!((&data.train[0].weights, &data.held_out[0].weights), (&expected, &own.weights));
    }

    #[test]
    fn an_episode_with_a_malformed_turn_is_left_out_and_counted() {
        let mut bad = taught("a");
        bad.steps[0].reply.malformed = Some("cut off".to_owned());
        let data = Data::new(&[bad, taught("b"), taught("c")], renderer().as_ref(), 2048, &config(0.5));
        assert_eq!((data.unusable, data.train.len() + data.held_out.len()), (1, 2));
    }

    #[test]
    fn episodes_beyond_the_context_are_counted_and_not_cut() {
        let data = Data::new(&[taught("a")], renderer().as_ref(), 5, &config(0.0));
        assert_eq!((data.too_long, data.train.len()), (1, 0));
    }

    #[test]
    fn all_episodes_of_a_task_are_on_the_same_side() {
        let episodes: Vec<Episode> = (0..40).map(|n| taught(&format!("t{}", n % 10))).collect();
        let data = Data::new(&episodes, renderer().as_ref(), 2048, &config(0.2));
        assert_eq!((data.train.len(), data.held_out.len()), (32, 8));
    }

    #[test]
    fn a_tokenizer_learns_from_everything_that_is_said() {
        assert_eq!(texts(&[taught("a")]), ["where?", "look", "ls", "a.py", "a.py"]);
    }
}
