//! Conversations as every dialect has them: who said what, and which tools were called.

use serde_json::{Value, json};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// Whoever set the agent up.
    System,
    /// Whoever asks.
    User,
    /// The policy.
    Assistant,
    /// A tool that was called.
    Tool,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said.
    pub text: String,
    /// Calls of an assistant.
    pub calls: Vec<Call>,
    /// The call that a tool answers.
    pub answers: Option<String>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name within the conversation.
    pub id: String,
    /// The tool.
    pub name: String,
    /// JSON, as the policy wrote it.
    pub arguments: String,
}

impl Message {
    /// A message without calls.
    pub fn new(speaker: Speaker, text: impl Into<String>) -> Self {
        Self { speaker, text: text.into(), calls: Vec::new(), answers: None }
    }

    /// Whether two messages say the same: agents rename calls and write their arguments anew.
    pub fn is_same(&self, other: &Self) -> bool {
        let arguments =
            |call: &Call| serde_json::from_str::<Value>(&call.arguments).unwrap_or_else(|_| json!(call.arguments));
        let calls = |message: &Self| -> Vec<(String, Value)> {
            message.calls.iter().map(|call| (call.name.clone(), arguments(call))).collect()
        };
        self.speaker == other.speaker && self.text == other.text && calls(self) == calls(other)
    }
}

/// How many messages at the beginning of two conversations are the same.
pub(super) fn common(one: &[Message], other: &[Message]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one.is_same(other)).count()
}

/// The text of a `content`: a string, or parts of which some are text.
pub(super) fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}
