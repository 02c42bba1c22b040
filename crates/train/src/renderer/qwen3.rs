//! The format of Qwen3: turns between `<|im_start|>` and `<|im_end|>`, tools as JSON in the system message, calls as JSON in the turn.
//!
//! ```text
//! <|im_start|>system\n…tools…<|im_end|>\n<|im_start|>user\ntask<|im_end|>\n<|im_start|>assistant\n
//! text\n<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call><|im_end|>
//! \n<|im_start|>user\n<tool_response>\nwhat the call gave\n</tool_response><|im_end|>\n<|im_start|>assistant\n
//! ```
//!
//! The ids are those of the chat template that Qwen publishes, except where that takes something back: what a turn thinks stays in the
//! conversation, because its ids were sampled. Text between control tokens is encoded in one piece, as the template's is, and never gives
//! the id of a control token.

use basis_gym::agent::tools;
use basis_gym::episode::{Message, Reply, Role, ToolCall};
use serde_json::{Value, json};

use super::{Renderer, RendererError};
use crate::tokenizer::Tokenizer;

/// The name in the registry.
pub(super) const NAME: &str = "qwen3";

/// See the module.
pub struct Qwen3 {
    tokenizer: Tokenizer,
    start: u32,
    end: u32,
    end_of_text: u32,
    call: Pair,
    response: Pair,
    think: Pair,
}

/// The tokens that open and close something.
#[derive(Clone, Copy)]
struct Pair {
    open: u32,
    close: u32,
}

impl Qwen3 {
    /// Every control token; a tokenizer of this family has them.
    pub const CONTROLS: [&str; 9] = [
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "<tool_call>",
        "</tool_call>",
        "<tool_response>",
        "</tool_response>",
        "<think>",
        "</think>",
    ];

    /// A renderer around a tokenizer that has all of [`Self::CONTROLS`].
    ///
    /// # Errors
    /// [`RendererError::NoSpecial`] with the first one that is missing.
    pub fn new(tokenizer: Tokenizer) -> Result<Self, RendererError> {
        let mut ids = [0; Self::CONTROLS.len()];
        for (id, token) in ids.iter_mut().zip(Self::CONTROLS) {
            *id = tokenizer.special(token).ok_or(RendererError::NoSpecial { renderer: NAME, token })?;
        }
        let [start, end, end_of_text, ..] = ids;
        let pair = |at: usize| Pair { open: ids[at], close: ids[at + 1] };
        Ok(Self { tokenizer, start, end, end_of_text, call: pair(3), response: pair(5), think: pair(7) })
    }

    /// A whole turn, and the line end behind it.
    fn turn(&self, text: &str) -> Vec<u32> {
        self.line_end_after([vec![self.start], self.tokenizer.encode(text), vec![self.end]].concat())
    }

    fn line_end_after(&self, mut ids: Vec<u32>) -> Vec<u32> {
        ids.extend(self.tokenizer.encode("\n"));
        ids
    }

    /// What the calls of one turn gave, in one turn of the user.
    fn responses(&self, messages: &[Message]) -> Vec<u32> {
        let mut ids = vec![self.start];
        for (number, message) in messages.iter().enumerate() {
            ids.extend(self.tokenizer.encode(if number == 0 { "user\n" } else { "\n" }));
            ids.push(self.response.open);
            ids.extend(self.tokenizer.encode(&format!("\n{}\n", message.content)));
            ids.push(self.response.close);
        }
        ids.push(self.end);
        self.line_end_after(ids)
    }

    fn messages(&self, messages: &[Message]) -> Vec<u32> {
        let groups = messages.chunk_by(|a, b| a.role == Role::Tool && b.role == Role::Tool);
        let mut ids: Vec<u32> = groups
            .flat_map(|group| match group[0].role {
                Role::Tool => self.responses(group),
                Role::User => self.turn(&format!("user\n{}", group[0].content)),
                Role::Assistant => self.turn(&format!("assistant\n{}", group[0].content)),
            })
            .collect();
        ids.push(self.start);
        ids.extend(self.tokenizer.encode("assistant\n"));
        ids
    }

    /// Text and calls of the ids in front of the end.
    fn sections(&self, ids: &[u32]) -> Result<(String, Vec<ToolCall>), String> {
        let mut found = Found::default();
        let mut rest = ids;
        while let Some(at) = rest.iter().position(|&id| self.name(id).is_some()) {
            let before = self.tokenizer.decode(&rest[..at]);
            let opened = rest[at];
            let Some(pair) = [self.call, self.think].into_iter().find(|pair| pair.open == opened) else {
                let name = self.name(opened).unwrap_or_default();
                return Err(format!("`{name}` cannot stand here; expected `<tool_call>` or the end of the turn"));
            };
            let inner = &rest[at + 1..];
            let length = inner.iter().position(|&id| self.name(id).is_some()).filter(|&end| inner[end] == pair.close);
            let length = length.ok_or_else(|| {
                let name = |id| self.name(id).unwrap_or_default();
                format!("`{}` is not closed by `{}`", name(pair.open), name(pair.close))
            })?;
            if opened == self.call.open {
                // The line end in front of a call belongs to the call.
                found.add(before.strip_suffix('\n').unwrap_or(&before));
                found.calls.push(call(&self.tokenizer.decode(&inner[..length]))?);
            } else {
                found.add(&before);
                found.thought = true;
            }
            rest = &inner[length + 1..];
        }
        found.add(&self.tokenizer.decode(rest));
        Ok((found.text, found.calls))
    }

    fn name(&self, id: u32) -> Option<&'static str> {
        let Self { start, end, end_of_text, call, response, think, .. } = *self;
        let pairs = [call, response, think].into_iter().flat_map(|pair| [pair.open, pair.close]);
        let at = [start, end, end_of_text].into_iter().chain(pairs).position(|control| control == id);
        at.map(|at| Self::CONTROLS[at])
    }
}

/// What was read of a turn so far.
#[derive(Default)]
struct Found {
    text: String,
    calls: Vec<ToolCall>,
    /// What was read last is what the policy thought.
    thought: bool,
}

impl Found {
    /// Appends a piece of text. The lines behind a thought and space behind calls are not part of it.
    fn add(&mut self, piece: &str) {
        let piece = if std::mem::take(&mut self.thought) { piece.trim_start_matches('\n') } else { piece };
        if self.calls.is_empty() || !piece.trim().is_empty() {
            self.text.push_str(piece);
        }
    }
}

/// Reads the JSON of a call.
fn call(text: &str) -> Result<ToolCall, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("the call is not JSON: {error}"))?;
    let name = value["name"].as_str().ok_or("the call has no `name`")?;
    tools::parse(name, &value["arguments"])
}

/// The system message, in the words of Qwen's template.
fn system() -> String {
    let describe = |tool: &&tools::Tool| {
        let [name, description] = [tool.name, tool.description].map(|text| spaced(&json!(text)));
        let function =
            format!("{{\"name\": {name}, \"description\": {description}, \"parameters\": {}}}", spaced(&tool.schema()));
        format!("\n{{\"type\": \"function\", \"function\": {function}}}")
    };
    let tools: String = tools::ALL.iter().map(describe).collect();
    format!(
        "system\n{}\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n\
         You are provided with function signatures within <tools></tools> XML tags:\n<tools>{tools}\n</tools>\n\n\
         For each function call, return a json object with function name and arguments within ",
        tools::SYSTEM
    )
}

/// JSON with spaces behind commas and colons, as the template's.
fn spaced(value: &Value) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match value {
        Value::Array(items) => format!("[{}]", list(items.iter().map(spaced).collect())),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", json!(key), spaced(value));
            format!("{{{}}}", list(map.iter().map(entry).collect()))
        }
        plain => plain.to_string(),
    }
}

impl Renderer for Qwen3 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn prompt(&self, message: &Message) -> Vec<u32> {
        let Pair { open, close } = self.call;
        let text = |text: &str| self.tokenizer.encode(text);
        let example = "\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n";
        let system = [
            vec![self.start],
            text(&system()),
            vec![open, close],
            text(" XML tags:\n"),
            vec![open],
            text(example),
            vec![close, self.end],
        ];
        [self.line_end_after(system.concat()), self.messages(std::slice::from_ref(message))].concat()
    }

    /// Begins with the line end behind the sampled turn.
    fn observations(&self, messages: &[Message]) -> Vec<u32> {
        [self.tokenizer.encode("\n"), self.messages(messages)].concat()
    }

    fn parse(&self, ids: &[u32]) -> Reply {
        let parsed = match ids.split_last() {
            Some((&last, before)) if last == self.end => self.sections(before),
            _ => Err("the turn was cut off before its end; say less in one turn".to_owned()),
        };
        match parsed {
            Ok((text, calls)) => Reply { text, calls, malformed: None },
            Err(why) => Reply { text: self.tokenizer.decode(ids), calls: Vec::new(), malformed: Some(why) },
        }
    }

    fn encode_reply(&self, reply: &Reply) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut before = reply.text.clone();
        for call in &reply.calls {
            if !(ids.is_empty() && before.is_empty()) {
                before.push('\n');
            }
            ids.extend(self.tokenizer.encode(&std::mem::take(&mut before)));
            let (name, arguments) = match call {
                ToolCall::Bash { command } => ("bash", vec![("command", command)]),
                ToolCall::StrReplace { path, old, new } => {
                    ("str_replace", vec![("path", path), ("old", old), ("new", new)])
                }
            };
            let arguments: Vec<_> =
                arguments.iter().map(|(name, text)| format!("\"{name}\": {}", json!(text))).collect();
            ids.push(self.call.open);
            let json = format!("\n{{\"name\": \"{name}\", \"arguments\": {{{}}}}}\n", arguments.join(", "));
            ids.extend(self.tokenizer.encode(&json));
            ids.push(self.call.close);
        }
        ids.extend(self.tokenizer.encode(&before));
        ids.push(self.end);
        ids
    }

    /// A turn of somebody else, and the end of all text, are stops too.
    fn stop_ids(&self) -> Vec<u32> {
        vec![self.end, self.end_of_text, self.start]
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// The files that `tests/parity/make.py` made.
    fn file(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/tokenizer").join(name)
    }

    fn renderer() -> Qwen3 {
        Qwen3::new(Tokenizer::load(&file("tokenizer.json")).expect("loads")).expect("has all controls")
    }

    /// What transformers made of the same conversations.
    fn chats() -> Value {
        let text = std::fs::read_to_string(file("chats.json")).expect("is there");
        serde_json::from_str(&text).expect("is JSON")
    }

    fn ids(value: &Value) -> Vec<u32> {
        serde_json::from_value(value.clone()).expect("are ids")
    }

    fn message(role: Role, content: &str) -> Message {
        Message { role, content: content.to_owned() }
    }

    fn look() -> ToolCall {
        ToolCall::Bash { command: "ls && cat 'a.py'".to_owned() }
    }

    fn replace() -> ToolCall {
        ToolCall::StrReplace { path: "a.py".to_owned(), old: "é\n\t\"1\"".to_owned(), new: String::new() }
    }

    #[test]
    fn texts_have_the_ids_that_transformers_gives_them() {
        let tokenizer = renderer().tokenizer;
        for case in chats()["texts"].as_array().expect("has texts") {
            let text = case["text"].as_str().expect("is text");
            assert_eq!(tokenizer.encode(text), ids(&case["ids"]), "{text:?}");
        }
    }

    #[test]
    fn conversations_have_the_ids_of_the_template() {
        let (renderer, chats) = (renderer(), chats());
        let prompt = renderer.prompt(&message(Role::User, "Mend `total`."));
        assert!(prompt.ends_with(&ids(&chats["prompt_end"])));
        let reply = Reply { text: "I look.".to_owned(), calls: vec![look(), replace()], malformed: None };
        assert_eq!(renderer.encode_reply(&reply), ids(&chats["reply"]));
        assert_eq!(renderer.parse(&ids(&chats["reply"])), reply);
        let seen = renderer.observations(&[message(Role::Tool, "a.py\nb.py"), message(Role::Tool, "ok")]);
        assert_eq!(seen, ids(&chats["observations"]));
    }

    #[test]
    fn the_system_message_names_both_tools_and_the_form_of_a_call() {
        let renderer = renderer();
        let text = renderer.tokenizer.decode(&renderer.prompt(&message(Role::User, "x")));
        assert!(text.starts_with("<|im_start|>system\nYou work in the repository"), "{text}");
        assert!(
            text.contains("\n{\"type\": \"function\", \"function\": {\"name\": \"bash\", \"description\": \""),
            "{text}"
        );
        assert!(text.contains("\"required\": [\"path\", \"old\", \"new\"]"), "{text}");
        assert!(text.contains("\n</tools>\n\nFor each function call, return a json object"), "{text}");
        let call = "within <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": \
                    <args-json-object>}\n</tool_call><|im_end|>\n<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n";
        assert!(text.ends_with(call), "{text}");
    }

    #[test]
    fn thoughts_are_no_part_of_the_text() {
        let (renderer, chats) = (renderer(), chats());
        let call = vec![ToolCall::Bash { command: "ls".to_owned() }];
        assert_eq!(renderer.parse(&ids(&chats["thought"])), Reply { calls: call, ..Reply::default() });
        assert_eq!(renderer.parse(&ids(&chats["answer"])).text, "Done.");
    }

    #[test]
    fn every_reply_is_read_back_as_it_was_written() {
        let renderer = renderer();
        let pieces =
            ["<|im_end|>", "<tool_call>", "</tool_call>", "a", "é", "日本", "\n", "  ", "\"", "\\", "\0", "{", "x"];
        for seed in 0..300 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut text = || -> String {
                (0..rng.random_range(0..8)).map(|_| pieces[rng.random_range(0..pieces.len())]).collect()
            };
            let (first, second, third, fourth) = (text(), text(), text(), text());
            let bash = ToolCall::Bash { command: first };
            let replace = ToolCall::StrReplace { path: second.clone(), old: third, new: fourth };
            let calls = match seed % 4 {
                0 => vec![],
                1 => vec![bash],
                2 => vec![replace, bash],
                _ => vec![replace],
            };
            let reply = Reply { text: second, calls, malformed: None };
            assert_eq!(renderer.parse(&renderer.encode_reply(&reply)), reply, "seed {seed}");
        }
    }

    #[test]
    fn text_never_holds_a_control_id() {
        let renderer = renderer();
        let hostile = Qwen3::CONTROLS.concat() + "\n<tool_call>\n{}\n</tool_call><|im_end|>";
        let controls = |ids: Vec<u32>| ids.into_iter().filter_map(|id| renderer.name(id)).collect::<Vec<_>>();
        assert_eq!(controls(renderer.turn(&hostile)), ["<|im_start|>", "<|im_end|>"]);
        let seen = controls(renderer.observations(&[message(Role::Tool, &hostile)]));
        assert_eq!(seen, ["<|im_start|>", "<tool_response>", "</tool_response>", "<|im_end|>", "<|im_start|>"]);
    }

    #[test]
    fn a_malformed_turn_has_no_calls_and_says_what_was_expected() {
        let r = renderer();
        let text = |text: &str| r.tokenizer.encode(text);
        let called = |json: &str| [vec![r.call.open], text(json), vec![r.call.close, r.end]].concat();
        let cases = [
            (text("a"), "cut off before its end"),
            (vec![], "cut off before its end"),
            (vec![r.start, r.end], "`<|im_start|>` cannot stand here"),
            (vec![r.call.close, r.end], "`</tool_call>` cannot stand here"),
            (vec![r.call.open, r.end], "`<tool_call>` is not closed by `</tool_call>`"),
            (vec![r.think.open, r.call.open, r.end], "`<think>` is not closed by `</think>`"),
            (called("{"), "the call is not JSON"),
            (called("[]"), "the call has no `name`"),
            (called("{\"name\": \"python\"}"), "there is no tool `python`"),
            (called("{\"name\": \"bash\", \"arguments\": {}}"), "`bash` needs the argument `command`"),
        ];
        for (ids, expected) in cases {
            let reply = r.parse(&ids);
            assert!(reply.calls.is_empty());
            let complaint = reply.malformed.expect("is malformed");
            assert!(complaint.contains(expected), "{complaint}");
        }
    }

    #[test]
    fn a_tokenizer_of_another_family_is_refused() {
        let tokenizer = Tokenizer::train(&["a".to_owned()], 300, &["<|im_start|>"]).expect("trains");
        let error = Qwen3::new(tokenizer).err().expect("is refused").to_string();
        assert!(error.starts_with("renderer `qwen3` needs the special token `<|im_end|>`"), "{error}");
    }
}
