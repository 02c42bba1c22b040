//! The weights of an engine behind the token gateway: turns for agents of others.
//!
//! What a conversation goes on with are the ids that were sampled; only new messages are turned into ids.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use basis_gym::agent::tools;
use basis_gym::episode::{Message, Reply, Role, ToolCall};
use basis_gym::gateway::{self, Ask, Call, Sampling, Speaker, Turn, Upstream, UpstreamError};
use serde_json::json;

use crate::batcher::Answer;
use crate::engines::{Engine, EngineError, SampleRequest};
use crate::policy::{SamplingOptions, Shared, with_policy};
use crate::renderer::Renderer;
use crate::tokenizer::Tokenizer;

/// What clients know a model of this machine by, if nobody names it otherwise.
pub const MODEL: &str = "basis";

/// Runs `body` with an upstream that samples from `engine` on a thread of its own; returns what `body` gave, and how sampling ended.
pub fn with_upstream<T>(
    engine: &mut dyn Engine,
    renderer: &Arc<dyn Renderer>,
    options: &SamplingOptions,
    name: &str,
    body: impl FnOnce(Box<dyn Upstream>) -> T,
) -> (T, Result<(), EngineError>) {
    with_policy(engine, renderer, options, |policy| body(Box::new(policy.upstream(name))))
}

/// See the module.
pub struct EngineUpstream {
    shared: Arc<Shared>,
    name: String,
    asked: AtomicU64,
}

impl EngineUpstream {
    pub(crate) fn new(shared: Arc<Shared>, name: &str) -> Self {
        Self { shared, name: name.to_owned(), asked: AtomicU64::new(0) }
    }
}

impl Upstream for EngineUpstream {
    fn model(&self) -> String {
        self.name.clone()
    }

    fn context(&self) -> Option<usize> {
        Some(self.shared.options.context)
    }

    fn chat(&self, ask: &Ask<'_>) -> Result<Turn, UpstreamError> {
        self.turn(ask, |prompt| self.sample(prompt, ask.sampling))
    }

    fn chat_telling(&self, ask: &Ask<'_>, said: &mut dyn FnMut(&str)) -> Result<Turn, UpstreamError> {
        self.turn(ask, |prompt| {
            let tokenizer = self.shared.renderer.tokenizer();
            let mut telling = Telling::default();
            let request = self.request(prompt, ask.sampling)?;
            let answer = self.shared.ask_hearing(request, &mut |id| said(telling.hear(id, tokenizer)));
            sampled(answer)
        })
    }

    fn generate(&self, ids: &[u32], sampling: &Sampling) -> Result<gateway::Sampled, UpstreamError> {
        match ids.iter().find(|id| **id as usize >= self.shared.vocab) {
            Some(id) => {
                Err(UpstreamError::new(400, format!("id {id} is not in the vocabulary of {}", self.shared.vocab)))
            }
            None => self.sample(ids, sampling),
        }
    }

    fn count(&self, messages: &[gateway::Message]) -> Option<usize> {
        Some(messages.iter().map(|message| self.shared.renderer.tokenizer().encode(&message.text).len() + 2).sum())
    }
}

impl EngineUpstream {
    /// The turn that `sample` makes of the prompt.
    fn turn(
        &self,
        ask: &Ask<'_>,
        sample: impl FnOnce(&[u32]) -> Result<gateway::Sampled, UpstreamError>,
    ) -> Result<Turn, UpstreamError> {
        let prompt = prompt(self.shared.renderer.as_ref(), ask).map_err(|reason| UpstreamError::new(400, reason))?;
        let sampled = sample(&prompt)?;
        let usage = (prompt.len(), sampled.ids.len());
        let reply = self.shared.renderer.parse(&sampled.ids);
        let turn = self.asked.load(Ordering::Relaxed);
        let call = |(at, call): (usize, &ToolCall)| named(format!("call_{turn}_{at}"), call);
        let calls = reply.calls.iter().enumerate().map(call).collect();
        let message = gateway::Message { calls, ..gateway::Message::new(Speaker::Assistant, reply.text) };
        Ok(Turn { message, prompt, sampled, usage })
    }

    fn sample(&self, prompt: &[u32], sampling: &Sampling) -> Result<gateway::Sampled, UpstreamError> {
        sampled(self.shared.ask(self.request(prompt, sampling)?))
    }

    fn request(&self, prompt: &[u32], sampling: &Sampling) -> Result<SampleRequest, UpstreamError> {
        let options = &self.shared.options;
        let context = options.context;
        let room = context.saturating_sub(prompt.len());
        if room == 0 {
            // In the words by which clients know that there is no room.
            let message = format!(
                "context_length_exceeded: the maximum context length is {context} tokens, the prompt has {}",
                prompt.len()
            );
            return Err(UpstreamError::new(400, message));
        }
        if !sampling.stop.is_empty() || sampling.top_p.is_some_and(|top_p| top_p < 1.0) {
            return Err(UpstreamError::new(
                400,
                "this engine samples without `stop` texts and `top_p`; leave them out",
            ));
        }
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(SampleRequest {
            id: 0,
            prompt: prompt.to_vec(),
            session: self.shared.new_session(),
            last: true,
            max_tokens: sampling.max_tokens.unwrap_or(options.max_tokens).min(room),
            temperature: sampling.temperature.unwrap_or(options.temperature),
            stop: [self.shared.renderer.stop_ids(), sampling.stop_ids.clone()].concat(),
            seed: sampling.seed.unwrap_or(number),
        })
    }
}

fn sampled(answer: Result<Answer, String>) -> Result<gateway::Sampled, UpstreamError> {
    let Answer { sampled, version } = answer.map_err(|reason| UpstreamError::new(503, reason))?;
    let (ids, logprobs) = (sampled.tokens, sampled.logprobs);
    Ok(gateway::Sampled { ids, logprobs, is_cut: !sampled.stopped, version })
}

/// The text of a turn that is still being sampled, as far as it is sure: up to the first control token, without the bytes of
/// half a letter, and without space at its end, which the turn may turn out not to have.
#[derive(Default)]
struct Telling {
    ids: Vec<u32>,
    text: String,
    told: usize,
    is_over: bool,
}

impl Telling {
    /// What can be told after another id.
    fn hear(&mut self, id: u32, tokenizer: &Tokenizer) -> &str {
        let from = self.told;
        self.is_over |= tokenizer.is_special(id);
        if !self.is_over {
            self.ids.push(id);
            let text = tokenizer.decode(&self.ids);
            let sure = text.trim_end_matches(char::REPLACEMENT_CHARACTER).trim_end();
            // Nothing that was told is taken back.
            if sure.len() > self.told && sure.starts_with(&self.text[..self.told]) {
                self.told = sure.len();
                self.text = sure.to_owned();
            }
        }
        &self.text[from..self.told]
    }
}

/// The ids of a conversation up to the opening of the next turn.
fn prompt(renderer: &dyn Renderer, ask: &Ask<'_>) -> Result<Vec<u32>, String> {
    let mut ids = ask.known.to_vec();
    let mut rest = &ask.messages[ask.covered..];
    if ids.is_empty() {
        let opening = rest.iter().take_while(|message| message.speaker == Speaker::System).count();
        let (system, others) = rest.split_at(opening);
        let [first, others @ ..] = others else { return Err("there is no message of a user".to_owned()) };
        if first.speaker != Speaker::User {
            return Err("the first message after those of the system must be a user's".to_owned());
        }
        let texts: Vec<&str> = system.iter().chain([first]).map(|message| message.text.as_str()).collect();
        ids.extend(renderer.prompt(&Message { role: Role::User, content: texts.join("\n\n") }));
        rest = others;
    }
    while let Some(first) = rest.first() {
        if first.speaker == Speaker::Assistant {
            ids.extend(renderer.encode_reply(&reply(first)?));
            rest = &rest[1..];
            if rest.is_empty() {
                return Err("the last message is the policy's own; end with one of a user or a tool".to_owned());
            }
            continue;
        }
        let until = rest.iter().take_while(|message| message.speaker != Speaker::Assistant).count();
        let message = |message: &gateway::Message| Message {
            role: if message.speaker == Speaker::Tool { Role::Tool } else { Role::User },
            content: message.text.clone(),
        };
        ids.extend(renderer.observations(&rest[..until].iter().map(message).collect::<Vec<_>>()));
        rest = &rest[until..];
    }
    Ok(ids)
}

/// A turn that somebody else wrote, or wrote anew.
fn reply(message: &gateway::Message) -> Result<Reply, String> {
    let call = |call: &Call| {
        let arguments = serde_json::from_str(&call.arguments).unwrap_or_default();
        tools::parse(&call.name, &arguments).map_err(|reason| format!("the model has its own tools: {reason}"))
    };
    let calls = message.calls.iter().map(call).collect::<Result<_, _>>()?;
    Ok(Reply { text: message.text.clone(), calls, malformed: None })
}

fn named(id: String, call: &ToolCall) -> Call {
    let (name, arguments) = match call {
        ToolCall::Bash { command } => ("bash", json!({"command": command})),
        ToolCall::StrReplace { path, old, new } => ("str_replace", json!({"path": path, "old": old, "new": new})),
    };
    Call { id, name: name.to_owned(), arguments: arguments.to_string() }
}

#[cfg(test)]
mod tests {
    use basis_gym::gateway::chain;

    use super::*;
    use crate::testing::{Script, renderer};

    fn said(speaker: Speaker, text: &str) -> gateway::Message {
        gateway::Message::new(speaker, text)
    }

    #[test]
    fn turns_go_on_with_the_ids_that_were_sampled_and_the_chain_says_so() {
        let renderer = renderer();
        let bash = ToolCall::Bash { command: "ls".to_owned() };
        let turn = renderer.encode_reply(&Reply { text: "look".to_owned(), calls: vec![bash], malformed: None });
        let mut engine = Script::new(turn.clone());
        let (session, outcome) = with_upstream(&mut engine, &renderer, &SamplingOptions::default(), "m", |upstream| {
            let mut session = gateway::Session::default();
            let mut messages = vec![said(Speaker::System, "be brief"), said(Speaker::User, "at")];
            for number in 0..2 {
                let (known, covered) = session.known(&messages);
                let sampling = Sampling::default();
                let ask = Ask { messages: &messages, tools: &[], known: &known, covered, sampling: &sampling };
                let turn = upstream.chat(&ask).expect("samples");
                assert_eq!(turn.message.calls[0].arguments, r#"{"command":"ls"}"#);
                session.keep(&number.to_string(), &messages, &turn).expect("tokens");
                messages.extend([turn.message, said(Speaker::Tool, "it")]);
            }
            session
        });
        outcome.expect("the engine ends well");
        let episodes = session.episodes("t", "edit", "m");
        let trace = episodes[0].tokens.as_ref().expect("tokens");
        let prompt = renderer.prompt(&Message { role: Role::User, content: "be brief\n\nat".to_owned() });
        let seen = renderer.observations(&[Message { role: Role::Tool, content: "it".to_owned() }]);
        assert_eq!(trace.ids, [&prompt[..], &turn, &seen, &turn].concat());
        assert!(episodes.len() == 1 && session.knows(chain::of(trace)));
    }

    #[test]
    fn text_is_told_letter_by_letter_and_calls_are_not() {
        let renderer = renderer();
        let bash = ToolCall::Bash { command: "ls".to_owned() };
        let reply = Reply { text: "a ü  b \n".to_owned(), calls: vec![bash], malformed: None };
        let mut telling = Telling::default();
        let ids = renderer.encode_reply(&reply);
        let told: Vec<String> = ids.iter().map(|id| telling.hear(*id, renderer.tokenizer()).to_owned()).collect();
        assert_eq!(told.concat(), "a ü  b", "{told:?}");
        assert!(told.iter().filter(|text| !text.is_empty()).count() >= 3, "{told:?}");
    }

    #[test]
    fn what_the_engine_cannot_do_is_refused_in_words() {
        let renderer = renderer();
        let mut engine = Script::new(renderer.stop_ids());
        let (errors, _) = with_upstream(&mut engine, &renderer, &SamplingOptions::default(), "m", |upstream| {
            let error = |messages: &[gateway::Message], sampling: &Sampling| {
                let ask = Ask { messages, tools: &[], known: &[], covered: 0, sampling };
                upstream.chat(&ask).expect_err("refused").message
            };
            let user = [said(Speaker::User, "at")];
            let stop = Sampling { stop: vec!["x".to_owned()], ..Sampling::default() };
            let long = [said(Speaker::User, &"x ".repeat(4000))];
            [
                error(&[said(Speaker::Assistant, "x")], &Sampling::default()),
                error(&[user[0].clone(), said(Speaker::Assistant, "x")], &Sampling::default()),
                error(&user, &stop),
                error(&long, &Sampling::default()),
            ]
        });
        assert_eq!(errors[0], "the first message after those of the system must be a user's");
        assert_eq!(errors[1], "the last message is the policy's own; end with one of a user or a tool");
        assert!(
            errors[2].contains("leave them out") && errors[3].contains("the maximum context length is 2048"),
            "{errors:?}"
        );
    }
}
