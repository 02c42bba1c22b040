//! The weights in training, as a policy for the gym.
//!
//! [`with_policy`] lends an engine to a sampling thread for the time of a rollout. Each session appends ids and never decodes
//! in order to encode again: what it records is what was sampled. A failure of the engine makes episodes invalid, and is
//! returned once more to the caller.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use basis_gym::episode::{Message, Role, TokenTrace};
use basis_gym::policy::{Action, Policy, PolicyError, Session};
use basis_gym::task::Task;
use basis_gym::threads::held_up;
use serde::{Deserialize, Serialize};

use crate::batcher::{Answer, Batcher, while_sampling};
use crate::engines::{Engine, EngineError, Info, SampleRequest};
use crate::renderer::Renderer;
use crate::upstream::EngineUpstream;

/// How turns are sampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingOptions {
    /// Softmax temperature; 0 takes the most likely token. Log-probabilities are always recorded at 1. Default 1.
    pub temperature: f32,
    /// Tokens of one turn at most. Default 160.
    pub max_tokens: usize,
    /// Tokens that a turn must have room for, or else the episode ends as full; at most `max_tokens`. Default 16.
    pub min_tokens: usize,
    /// Tokens of one episode at most; the model's own context when that is shorter. Default 2048.
    pub context: usize,
    /// Seconds for which the engine may neither take a request nor finish one before those who wait for it give up; 0 for as
    /// long as it takes. Default 600.
    pub patience: f64,
}

impl Default for SamplingOptions {
    fn default() -> Self {
        Self { temperature: 1.0, max_tokens: 160, min_tokens: 16, context: 2048, patience: 600.0 }
    }
}

/// Runs `body` with a policy that samples from `engine` on a thread of its own; returns what `body` gave, and how sampling
/// ended.
pub fn with_policy<T>(
    engine: &mut dyn Engine,
    renderer: &Arc<dyn Renderer>,
    options: &SamplingOptions,
    body: impl FnOnce(&EnginePolicy) -> T,
) -> (T, Result<(), EngineError>) {
    let policy = EnginePolicy::new(&engine.info(), renderer, options);
    while_sampling(engine, &policy.shared.batcher, || body(&policy))
}

/// See the module.
pub struct EnginePolicy {
    shared: Arc<Shared>,
}

/// What all sessions have in common; sessions outlive the borrow of the policy.
pub(crate) struct Shared {
    batcher: Batcher,
    pub(crate) renderer: Arc<dyn Renderer>,
    pub(crate) options: SamplingOptions,
    engine: &'static str,
    pub(crate) vocab: usize,
    sessions: AtomicU64,
    waited_nanos: AtomicU64,
    sampled_tokens: AtomicU64,
}

impl EnginePolicy {
    fn new(info: &Info, renderer: &Arc<dyn Renderer>, options: &SamplingOptions) -> Self {
        let context = options.context.min(info.context);
        let batcher = Batcher::new(info.weight_version);
        let batcher = match options.patience > 0.0 {
            true => batcher.patient(Duration::from_secs_f64(options.patience)),
            false => batcher,
        };
        let shared = Shared {
            batcher,
            renderer: Arc::clone(renderer),
            options: SamplingOptions { context, ..options.clone() },
            engine: info.engine,
            vocab: info.vocab,
            sessions: AtomicU64::new(0),
            waited_nanos: AtomicU64::new(0),
            sampled_tokens: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Has the engine go on with the weights of `version`, which [`Engine::save`] wrote to `dir`. What is sampled after this
    /// call is sampled by them; a turn that has begun ends with the old ones.
    pub fn announce(&self, dir: PathBuf, version: u64) {
        self.shared.batcher.announce(dir, version);
    }

    /// The same weights for agents that bring their own loop; `name` is what they know the model by.
    pub fn upstream(&self, name: &str) -> EngineUpstream {
        EngineUpstream::new(Arc::clone(&self.shared), name)
    }

    /// How long all episodes together have waited for tokens so far.
    pub fn waited(&self) -> Duration {
        Duration::from_nanos(self.shared.waited_nanos.load(Ordering::Relaxed))
    }

    /// How long the engine has had tokens to sample so far.
    pub fn busy(&self) -> Duration {
        self.shared.batcher.busy()
    }

    /// Tokens sampled so far.
    pub fn sampled_tokens(&self) -> u64 {
        self.shared.sampled_tokens.load(Ordering::Relaxed)
    }
}

impl Policy for EnginePolicy {
    fn name(&self) -> String {
        format!("{}@{}", self.shared.engine, self.shared.batcher.announced())
    }

    fn start(&self, task: &Task, _sample: u32, seed: u64) -> Result<Box<dyn Session>, PolicyError> {
        Ok(Box::new(EngineSession {
            session: self.shared.new_session(),
            shared: Arc::clone(&self.shared),
            seed,
            turn: 0,
            max_turns: task.context.max_turns,
            trace: TokenTrace { weight_version: self.shared.batcher.announced(), ..TokenTrace::default() },
        }))
    }
}

impl Shared {
    /// A number for a new session.
    pub(crate) fn new_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits for the answer to a request.
    pub(crate) fn ask(&self, request: SampleRequest) -> Result<Answer, String> {
        self.timed(|| self.batcher.ask(request))
    }

    /// The same, and tells of each token when it is sampled.
    pub(crate) fn ask_hearing(&self, request: SampleRequest, heard: &mut dyn FnMut(u32)) -> Result<Answer, String> {
        self.timed(|| self.batcher.ask_hearing(request, heard))
    }

    fn timed(&self, ask: impl FnOnce() -> Result<Answer, String>) -> Result<Answer, String> {
        let start = Instant::now();
        let answer = ask()?;
        let waited = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.waited_nanos.fetch_add(waited, Ordering::Relaxed);
        self.sampled_tokens.fetch_add(answer.sampled.tokens.len() as u64, Ordering::Relaxed);
        Ok(answer)
    }
}

struct EngineSession {
    shared: Arc<Shared>,
    session: u64,
    seed: u64,
    turn: u32,
    max_turns: u32,
    trace: TokenTrace,
}

impl EngineSession {
    fn request(&self, max_tokens: usize) -> SampleRequest {
        SampleRequest {
            id: 0,
            prompt: self.trace.ids.clone(),
            session: self.session,
            last: self.turn + 1 >= self.max_turns,
            max_tokens,
            temperature: self.shared.options.temperature,
            stop: self.shared.renderer.stop_ids(),
            seed: turn_seed(self.seed, self.turn),
        }
    }

    /// The next ids were sampled by weights of `version`.
    fn note_version(&mut self, version: u64) {
        let from = self.trace.ids.len();
        if self.turn == 0 {
            self.trace.weight_version = version;
        } else if self.trace.version_at(from) != version {
            self.trace.takeovers.push((from, version));
        }
    }

    fn append(&mut self, ids: &[u32], logprobs: Option<&[f32]>) {
        self.trace.ids.extend(ids);
        self.trace.sampled.extend(std::iter::repeat_n(logprobs.is_some(), ids.len()));
        match logprobs {
            Some(logprobs) => self.trace.logprobs.extend(logprobs),
            None => self.trace.logprobs.extend(std::iter::repeat_n(0.0, ids.len())),
        }
    }
}

#[async_trait]
impl Session for EngineSession {
    async fn act(&mut self, new: &[Message]) -> Result<Action, PolicyError> {
        let ids = match new {
            [prompt] if prompt.role == Role::User => self.shared.renderer.prompt(prompt),
            messages => self.shared.renderer.observations(messages),
        };
        let options = &self.shared.options;
        let room = options.context.saturating_sub(self.trace.ids.len() + ids.len());
        if room < options.min_tokens.clamp(1, options.max_tokens.max(1)) {
            return Ok(Action::ContextFull);
        }
        let max_tokens = options.max_tokens.min(room);
        self.append(&ids, None);
        let Answer { sampled, version } =
            held_up(|| self.shared.ask(self.request(max_tokens))).map_err(PolicyError::Engine)?;
        if sampled.tokens.is_empty() || sampled.tokens.len() != sampled.logprobs.len() {
            let (tokens, logprobs) = (sampled.tokens.len(), sampled.logprobs.len());
            return Err(PolicyError::Engine(format!(
                "the engine gave {tokens} tokens with {logprobs} log-probabilities"
            )));
        }
        self.note_version(version);
        self.append(&sampled.tokens, Some(&sampled.logprobs));
        self.turn += 1;
        Ok(Action::Reply(self.shared.renderer.parse(&sampled.tokens)))
    }

    fn trace(&mut self) -> Option<TokenTrace> {
        Some(self.trace.clone())
    }
}

/// A seed for each turn of an episode (the output function of SplitMix64 over episode seed and turn).
fn turn_seed(episode: u64, turn: u32) -> u64 {
    let mut z = episode.wrapping_add(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(u64::from(turn) + 1));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use basis_gym::episode::Reply;
    use pollster::FutureExt as _;

    use super::*;
    use crate::testing::{Script, renderer, task};

    fn message(role: Role, content: &str) -> Message {
        Message { role, content: content.to_owned() }
    }

    /// The turn that the scripted engine gives each time.
    fn turn(renderer: &dyn Renderer) -> Vec<u32> {
        renderer.encode_reply(&Reply { text: "look".to_owned(), ..Reply::default() })
    }

    #[test]
    fn a_trace_is_prompt_turn_observation_turn_with_the_ids_as_they_were_sampled() {
        let renderer = renderer();
        let turn = turn(renderer.as_ref());
        let mut engine = Script::new(turn.clone());
        let (trace, outcome) = with_policy(&mut engine, &renderer, &SamplingOptions::default(), |policy| {
            let mut session = policy.start(&task("edit", "a", ""), 0, 1).expect("starts");
            session.act(&[message(Role::User, "at")]).block_on().expect("acts");
            session.act(&[message(Role::Tool, "it")]).block_on().expect("acts");
            session.trace().expect("has tokens")
        });
        outcome.expect("the engine ends well");
        let prompt = renderer.prompt(&message(Role::User, "at"));
        let seen = renderer.observations(&[message(Role::Tool, "it")]);
        assert_eq!(trace.ids, [&prompt[..], &turn, &seen, &turn].concat());
        let sampled = |count: usize, value: bool| vec![value; count];
        let expected = [(prompt.len(), false), (turn.len(), true), (seen.len(), false), (turn.len(), true)];
        assert_eq!(trace.sampled, expected.map(|(count, value)| sampled(count, value)).concat());
        assert!(trace.logprobs.iter().zip(&trace.sampled).all(|(logprob, sampled)| (*logprob != 0.0) == *sampled));
    }

    #[test]
    fn an_episode_without_room_for_a_turn_is_full() {
        let renderer = renderer();
        let options = SamplingOptions { context: 20, min_tokens: 4, ..SamplingOptions::default() };
        let mut engine = Script::new(turn(renderer.as_ref()));
        let (action, _) = with_policy(&mut engine, &renderer, &options, |policy| {
            let mut session = policy.start(&task("edit", "a", ""), 0, 1).expect("starts");
            session.act(&[message(Role::User, "at")]).block_on().expect("acts");
            session.act(&[message(Role::Tool, "a long observation with 33 bytes")]).block_on().expect("acts")
        });
        assert_eq!(action, Action::ContextFull);
    }

    #[test]
    fn a_failing_engine_is_an_error_for_every_session_and_for_the_caller() {
        let renderer = renderer();
        let mut engine = Script::failing();
        let (error, outcome) = with_policy(&mut engine, &renderer, &SamplingOptions::default(), |policy| {
            let mut session = policy.start(&task("edit", "a", ""), 0, 1).expect("starts");
            session.act(&[message(Role::User, "at")]).block_on().expect_err("fails")
        });
        assert!(matches!(error, PolicyError::Engine(_)), "{error}");
        assert!(outcome.is_err());
    }

    #[test]
    fn every_turn_of_every_episode_has_its_own_seed() {
        let seeds: std::collections::BTreeSet<_> =
            (0..50).flat_map(|episode| (0..50).map(move |turn| turn_seed(episode, turn))).collect();
        assert_eq!(seeds.len(), 2500);
    }
}
