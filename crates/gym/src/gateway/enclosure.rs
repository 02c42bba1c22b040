//! The gateway as one agent in a sandbox sees it: a single session, which its socket names, and turns only.
//!
//! Whatever runs in the sandbox may ask here, so nothing here gives a reward, ends a session or tells of another one. Keys are not
//! looked at. How turns are sampled is decided by the run: temperature, nucleus and seed of the agent are passed over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::conversation::Message;
use super::upstream::{Ask, Sampled, Sampling, Turn, Upstream, UpstreamError};
use super::{Gateway, NAMELESS, dialects, generate, lock};
use crate::episode::{Branch, Step};
use crate::serve::{Handler, Request, Response};

/// How long an answer is held back that is no turn: whoever asks in a loop gets no further than this.
const PAUSE: Duration = Duration::from_millis(20);

/// What an agent may ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowance {
    /// Turns at most.
    pub turns: u32,
    /// The temperature of all of them; the upstream's own when `None`.
    pub temperature: Option<f32>,
    /// Where the seeds of the turns come from.
    pub seed: u64,
}

/// See the module.
pub struct Enclosure {
    gateway: Gateway,
    counted: Arc<Counted>,
}

/// What was kept when the agent has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// What the agent did up to its newest turn.
    pub steps: Vec<Step>,
    /// The text of that turn.
    pub text: String,
    /// All sequences of tokens, that of the newest turn first.
    pub branches: Vec<Branch>,
    /// Turns that it was given.
    pub turns: u32,
    /// Turns with which it went on as with other tokens.
    pub drifts: u32,
    /// Whether it asked for more turns than there are.
    pub is_used_up: bool,
    /// Whether the newest turn that it asked for had no room in the context.
    pub is_full: bool,
    /// Why there was no turn when it last asked for one, if that is no fault of its own.
    pub failure: Option<String>,
}

impl Enclosure {
    /// An empty session in front of `upstream`.
    pub fn new(upstream: Arc<dyn Upstream>, allowance: Allowance) -> Self {
        let counted = Arc::new(Counted { upstream, allowance, state: Mutex::default() });
        Self { gateway: Gateway::new(Box::new(counted.clone()), None, None), counted }
    }

    /// What was kept so far.
    pub fn kept(&self) -> Kept {
        let session = self.gateway.session(NAMELESS);
        let session = lock(&session);
        let state = lock(&self.counted.state);
        let (steps, text) = session.newest();
        Kept {
            steps,
            text: text.to_owned(),
            branches: session.branches(),
            turns: state.given,
            drifts: u32::try_from(session.drifts().len()).unwrap_or(u32::MAX),
            is_used_up: state.is_used_up,
            is_full: state.is_full,
            failure: state.failure.clone(),
        }
    }
}

impl Handler for Enclosure {
    fn handle(&self, request: &Request) -> Response {
        let path = request.path.trim_end_matches('/');
        let is_turn = path == generate::PATH || dialects::ALL.iter().any(|dialect| dialect.is_at(path));
        let is_harmless = ["/health", "/healthz", "/v1/models", "/models", "/v1/messages/count_tokens"].contains(&path);
        if !is_turn {
            std::thread::sleep(PAUSE);
        }
        if !is_turn && !is_harmless {
            let message =
                format!("there is no `{path}` for an agent in a sandbox, which has one session and asks for turns");
            return Response::error(404, &message);
        }
        // Without headers there is no key, and no name of another session in it.
        let response = self.gateway.handle(&Request { headers: Vec::new(), ..request.clone() });
        if response.status() >= 400 {
            std::thread::sleep(PAUSE);
        }
        response
    }
}

/// Counts what is asked of an upstream, and remembers what came of it.
struct Counted {
    upstream: Arc<dyn Upstream>,
    allowance: Allowance,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Turns that were given or are being sampled.
    given: u32,
    /// All that was asked for.
    asked: u32,
    is_used_up: bool,
    is_full: bool,
    failure: Option<String>,
}

impl Counted {
    /// Has `sample` sample if there is a turn left.
    fn turn<T>(
        &self,
        sampling: &Sampling,
        sample: impl FnOnce(&Sampling) -> Result<T, UpstreamError>,
    ) -> Result<T, UpstreamError> {
        let sampling = {
            let mut state = lock(&self.state);
            let most = self.allowance.turns;
            // What is refused costs time, too.
            if state.given >= most || state.asked >= most.saturating_mul(4).saturating_add(16) {
                state.is_used_up = true;
                let message = format!("the {most} turns of this episode are used up; end with what there is");
                drop(state);
                std::thread::sleep(PAUSE);
                return Err(UpstreamError::new(403, message));
            }
            state.asked += 1;
            state.given += 1;
            let seed = self.allowance.seed.wrapping_add(u64::from(state.asked).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            // Servers read the seed as a signed number, some of them of 32 bits.
            let seed = Some((seed ^ (seed >> 31)) >> 33);
            Sampling { seed, temperature: self.allowance.temperature, top_p: None, ..sampling.clone() }
        };
        let sampled = sample(&sampling);
        let mut state = lock(&self.state);
        (state.is_full, state.failure) = match &sampled {
            Ok(_) => (false, None),
            Err(error) => {
                state.given -= 1;
                let is_fault = error.status >= 500 || [401, 403, 404, 408, 429].contains(&error.status);
                (error.is_context_full(), is_fault.then(|| error.message.clone()))
            }
        };
        sampled
    }
}

impl Upstream for Arc<Counted> {
    fn model(&self) -> String {
        self.upstream.model()
    }

    fn context(&self) -> Option<usize> {
        self.upstream.context()
    }

    fn chat(&self, ask: &Ask<'_>) -> Result<Turn, UpstreamError> {
        self.turn(ask.sampling, |sampling| self.upstream.chat(&Ask { sampling, ..*ask }))
    }

    fn chat_telling(&self, ask: &Ask<'_>, said: &mut dyn FnMut(&str)) -> Result<Turn, UpstreamError> {
        self.turn(ask.sampling, |sampling| self.upstream.chat_telling(&Ask { sampling, ..*ask }, said))
    }

    fn generate(&self, ids: &[u32], sampling: &Sampling) -> Result<Sampled, UpstreamError> {
        self.turn(sampling, |sampling| self.upstream.generate(ids, sampling))
    }

    fn count(&self, messages: &[Message]) -> Option<usize> {
        self.upstream.count(messages)
    }
}
