//! One session: its tokens, its conversations, and what its agent did to them.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::conversation::{Message, Speaker, common};
use super::tree::Tree;
use super::upstream::{Sampled, Turn};
use crate::agent::tools;
use crate::episode::{
    Branch, End, Episode, Grade, InvalidCause, Observation, Reply, Score, Step, Submission, ToolCall,
};

/// See the module.
#[derive(Debug, Default)]
pub struct Session {
    tree: Tree,
    turns: Vec<Said>,
    drifts: Vec<Drift>,
    /// Conversations by the names under which answers were given out.
    named: HashMap<String, Vec<Message>>,
    reward: Option<f64>,
}

/// A turn with the conversation that ends with it.
#[derive(Debug)]
struct Said {
    conversation: Vec<Message>,
    /// Its node, if the upstream told its tokens.
    node: Option<usize>,
}

/// A turn whose tokens are not what was sampled before, although the agent goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Drift {
    /// Which turn showed it, from 0.
    pub turn: usize,
    /// What happened.
    pub kind: DriftKind,
    /// The first token, or the first message, that differs.
    pub at: usize,
}

/// Why tokens differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// The same messages became other ids.
    Retokenized,
    /// The agent changed what the policy had said.
    Edited,
}

impl Session {
    /// The ids of the longest conversation so far that `messages` goes on with, and how many messages those are.
    pub fn known(&self, messages: &[Message]) -> (Vec<u32>, usize) {
        match self.before(messages) {
            Some((said, node)) => (self.tree.ids(node), said.conversation.len()),
            None => (Vec::new(), 0),
        }
    }

    fn before(&self, messages: &[Message]) -> Option<(&Said, usize)> {
        let goes_on = |said: &&Said| common(&said.conversation, messages) == said.conversation.len();
        let longest = self.turns.iter().filter(|said| said.node.is_some()).filter(goes_on);
        longest.max_by_key(|said| said.conversation.len()).and_then(|said| Some((said, said.node?)))
    }

    /// Keeps a turn, and returns the head of its chain if its tokens are known.
    pub fn keep(&mut self, name: &str, messages: &[Message], turn: &Turn) -> Option<String> {
        let number = self.turns.len();
        if let Some((_, node)) = self.before(messages) {
            let path = self.tree.ids(node);
            let same = path.iter().zip(&turn.prompt).take_while(|(one, other)| one == other).count();
            if same < path.len() && !turn.prompt.is_empty() {
                self.drifts.push(Drift { turn: number, kind: DriftKind::Retokenized, at: same });
            }
        }
        if let Some(at) = self.edited(messages) {
            self.drifts.push(Drift { turn: number, kind: DriftKind::Edited, at });
        }
        let node = self.keep_tokens(&turn.prompt, &turn.sampled);
        let conversation: Vec<Message> = messages.iter().chain([&turn.message]).cloned().collect();
        self.named.insert(name.to_owned(), conversation.clone());
        self.turns.push(Said { conversation, node });
        node.map(|node| self.tree.head(node).to_string())
    }

    /// Keeps ids that were sampled without a conversation.
    pub fn keep_tokens(&mut self, prompt: &[u32], sampled: &Sampled) -> Option<usize> {
        let has_tokens = !prompt.is_empty() && !sampled.ids.is_empty() && sampled.ids.len() == sampled.logprobs.len();
        has_tokens.then(|| self.tree.add(prompt, &sampled.ids, &sampled.logprobs, sampled.version))
    }

    /// The message in which the agent changed a turn of the policy.
    fn edited(&self, messages: &[Message]) -> Option<usize> {
        let by_agent = |said: &Said| {
            let at = common(&said.conversation, messages);
            let (own, theirs) = (said.conversation.get(at)?, messages.get(at)?);
            let both = own.speaker == Speaker::Assistant && theirs.speaker == Speaker::Assistant;
            both.then_some(at)
        };
        // Whoever goes on with one of several samples changes nothing.
        let known = self.turns.iter().map(|said| common(&said.conversation, messages)).max()?;
        self.turns.iter().filter_map(by_agent).max().filter(|at| *at >= known)
    }

    /// The conversation that an answer of this name ended.
    pub fn named(&self, name: &str) -> Option<&[Message]> {
        self.named.get(name).map(Vec::as_slice)
    }

    /// Sets what the whole session earned.
    pub fn set_reward(&mut self, reward: f64) {
        self.reward = Some(reward);
    }

    /// Whether some turn of the session ends with these tokens.
    pub fn knows(&self, head: super::chain::Head) -> bool {
        self.tree.knows(head)
    }

    /// What the agent that went on last did, with the text of the newest turn.
    pub fn newest(&self) -> (Vec<Step>, &str) {
        match self.turns.last() {
            Some(said) => (steps(&said.conversation), said.conversation.last().map_or("", |it| it.text.as_str())),
            None => (Vec::new(), ""),
        }
    }

    /// All sequences of tokens, that of the newest turn first; each sampled token counts in one of them.
    pub fn branches(&self) -> Vec<Branch> {
        self.tree.branches()
    }

    /// What the agent did to the tokens so far.
    pub fn drifts(&self) -> &[Drift] {
        &self.drifts
    }

    /// Turns so far.
    pub fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Everything, for those who train on it.
    pub fn to_json(&self, id: &str, model: &str) -> Value {
        let branch = |leaf: usize| {
            let trace = self.tree.trace(leaf);
            let mask: Vec<u8> = trace.sampled.iter().map(|sampled| u8::from(*sampled)).collect();
            let said = self.turns.iter().find(|said| said.node == Some(leaf));
            let messages: Vec<Value> = said.iter().flat_map(|said| &said.conversation).map(message_json).collect();
            json!({"token_ids": trace.ids, "mask": mask, "logprobs": trace.logprobs,
                "chain": self.tree.head(leaf).to_string(), "weight_version": trace.weight_version,
                "takeovers": trace.takeovers, "messages": messages})
        };
        let branches: Vec<Value> = self.tree.leaves().into_iter().map(branch).collect();
        let untold = self.turns.iter().filter(|said| said.node.is_none()).count();
        json!({"session": id, "model": model, "turns": self.turns.len(), "turns_without_tokens": untold,
            "reward": self.reward, "branches": branches, "drift": self.drifts})
    }

    /// An episode for each branch; those without tokens count as one branch.
    pub fn episodes(&self, task: &str, skill: &str, model: &str) -> Vec<Episode> {
        let leaves = self.tree.leaves();
        let with_tokens = self.turns.iter().filter(|said| said.node.is_some_and(|node| leaves.contains(&node)));
        let mut ends: Vec<&Said> = with_tokens.collect();
        if ends.is_empty() {
            ends.extend(self.turns.last());
        }
        let episode = |(sample, said): (usize, &&Said)| self.episode(task, skill, model, sample, said);
        ends.iter().enumerate().map(episode).collect()
    }

    fn episode(&self, task: &str, skill: &str, model: &str, sample: usize, said: &Said) -> Episode {
        let prompt =
            said.conversation.iter().filter(|message| matches!(message.speaker, Speaker::System | Speaker::User));
        let prompt: Vec<&str> = prompt.map(|message| message.text.as_str()).collect();
        let answer = said.conversation.last().map(|message| message.text.clone()).unwrap_or_default();
        let grade = match self.reward {
            Some(reward) => Grade::Scored(Score {
                reward,
                code: if reward >= 1.0 { "ok" } else { "external" }.to_owned(),
                detail: "the agent's side said so".to_owned(),
                table: Vec::new(),
            }),
            None => Grade::Invalid(InvalidCause::Grader("nobody gave a reward".to_owned())),
        };
        Episode {
            task: task.to_owned(),
            skill: skill.to_owned(),
            sample: u32::try_from(sample).unwrap_or(u32::MAX),
            policy: model.to_owned(),
            prompt: prompt.join("\n\n"),
            steps: steps(&said.conversation),
            end: Some(End::Submitted),
            submission: Submission { answer, files: Vec::new() },
            grade,
            tokens: said.node.map(|node| self.tree.trace(node)),
            program: None,
            acting: Duration::ZERO,
            grading: Duration::ZERO,
        }
    }
}

/// The assistant's messages with what its calls gave. Calls of tools that are not ours stay text.
fn steps(conversation: &[Message]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for message in conversation {
        match (message.speaker, steps.last_mut()) {
            (Speaker::Assistant, _) => steps.push(Step { reply: reply(message), observations: Vec::new() }),
            (Speaker::Tool, Some(step)) => step.observations.push(Observation {
                text: message.text.clone(),
                status: None,
                duration: Duration::ZERO,
            }),
            _ => {}
        }
    }
    steps
}

fn reply(message: &Message) -> Reply {
    let ours = |call: &super::conversation::Call| -> Option<ToolCall> {
        tools::parse(&call.name, &serde_json::from_str(&call.arguments).ok()?).ok()
    };
    let calls: Option<Vec<ToolCall>> = message.calls.iter().map(ours).collect();
    match calls {
        Some(calls) => Reply { text: message.text.clone(), calls, malformed: None },
        None => {
            let told =
                message.calls.iter().map(|call| format!("\n<tool_call>{} {}</tool_call>", call.name, call.arguments));
            Reply { text: message.text.clone() + &told.collect::<String>(), ..Reply::default() }
        }
    }
}

fn message_json(message: &Message) -> Value {
    let speaker = match message.speaker {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
        Speaker::Tool => "tool",
    };
    let calls: Vec<Value> = message
        .calls
        .iter()
        .map(|call| json!({"id": call.id, "name": call.name, "arguments": call.arguments}))
        .collect();
    json!({"role": speaker, "content": message.text, "calls": calls})
}
