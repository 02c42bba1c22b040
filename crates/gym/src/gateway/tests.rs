//! The gateway with clients that speak each protocol, in front of an upstream that remembers what it was asked.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::serve::Request;

/// Prompts, and how many ids were wanted.
type Asked = Arc<Mutex<Vec<(Vec<u32>, usize)>>>;

/// Turns messages into ids of one letter each, and answers with what it is told to say.
struct Letters {
    asked: Asked,
    says: Mutex<Vec<Message>>,
    /// Tells what it says in pieces, and breaks off after so many of them, if at all.
    pieces: Option<usize>,
    /// Whether it reads earlier turns anew, in other ids, as servers without ids do.
    forgets: bool,
}

fn letters(text: &str) -> impl Iterator<Item = u32> {
    text.bytes().map(u32::from)
}

fn ids(message: &Message) -> Vec<u32> {
    let calls =
        message.calls.iter().flat_map(|call| letters(&call.name).chain(letters(&call.arguments)).collect::<Vec<_>>());
    letters(&message.text).chain(calls).chain([0]).collect()
}

impl Upstream for Letters {
    fn model(&self) -> String {
        "letters".to_owned()
    }

    fn context(&self) -> Option<usize> {
        Some(4096)
    }

    fn chat(&self, ask: &Ask<'_>) -> Result<Turn, UpstreamError> {
        lock(&self.asked).push((ask.known.to_vec(), ask.covered));
        let mut prompt = ask.known.to_vec();
        ask.messages[ask.covered..].iter().for_each(|message| prompt.extend(ids(message)));
        if self.forgets {
            prompt = ask.messages.iter().flat_map(ids).map(|id| id + 1000 * ask.messages.len() as u32).collect();
        }
        let message = lock(&self.says).pop().ok_or_else(|| UpstreamError::new(503, "it has nothing to say"))?;
        let ids = ids(&message);
        let logprobs = ids.iter().map(|id| -(*id as f32) / 100.0).collect();
        let usage = (prompt.len(), ids.len());
        Ok(Turn { message, prompt, sampled: Sampled { ids, logprobs, is_cut: false, version: 3 }, usage })
    }

    fn chat_telling(&self, ask: &Ask<'_>, said: &mut dyn FnMut(&str)) -> Result<Turn, UpstreamError> {
        let turn = self.chat(ask)?;
        let Some(pieces) = self.pieces else { return Ok(turn) };
        for (at, piece) in turn.message.text.trim_end().split_inclusive(' ').enumerate() {
            if at == pieces {
                return Err(UpstreamError::new(503, "the engine stopped"));
            }
            said(piece);
        }
        Ok(turn)
    }

    fn generate(&self, ids: &[u32], sampling: &Sampling) -> Result<Sampled, UpstreamError> {
        let ids: Vec<u32> = ids.iter().copied().take(sampling.max_tokens.unwrap_or(2)).collect();
        Ok(Sampled { logprobs: vec![-0.5; ids.len()], ids, is_cut: true, version: 3 })
    }
}

fn said(text: &str) -> Message {
    Message::new(Speaker::Assistant, text)
}

fn called(text: &str, command: &str) -> Message {
    let call = Call { id: "c1".into(), name: "bash".into(), arguments: json!({"command": command}).to_string() };
    Message { calls: vec![call], ..said(text) }
}

type Asks = Arc<Mutex<Vec<(Vec<u32>, usize)>>>;

fn gateway(mut says: Vec<Message>) -> (Gateway, Asks) {
    says.reverse();
    let asked = Asks::default();
    let upstream = Letters { asked: asked.clone(), says: Mutex::new(says), pieces: None, forgets: false };
    (Gateway::new(Box::new(upstream), None, None), asked)
}

fn send(gateway: &Gateway, method: &str, path: &str, key: &str, body: &Value) -> (u16, String) {
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: vec![("authorization".to_owned(), format!("Bearer {key}"))],
        body: body.to_string().into_bytes(),
        ..Request::default()
    };
    gateway.handle(&request).into_parts()
}

fn post(gateway: &Gateway, path: &str, body: &Value) -> Value {
    let (status, text) = send(gateway, "POST", path, "s1", body);
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

fn session(gateway: &Gateway) -> Value {
    let (status, text) = send(gateway, "GET", "/sessions/s1", "s1", &json!({}));
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_next_prompt_begins_with_the_ids_that_were_sampled() {
    let (gateway, asked) = gateway(vec![called("a", "ls"), said("b")]);
    let user = json!({"role": "user", "content": "do"});
    let first = post(
        &gateway,
        "/v1/chat/completions",
        &json!({"messages": [user], "return_token_ids": true, "logprobs": true}),
    );
    let choice = &first["choices"][0];
    assert_eq!((&choice["finish_reason"], &first["prompt_token_ids"]), (&json!("tool_calls"), &json!([100, 111, 0])));
    let sampled = ids(&called("a", "ls"));
    assert_eq!(choice["token_ids"], json!(sampled));
    let first_token = &choice["logprobs"]["content"][0];
    assert_eq!((&first_token["token"], &first_token["top_logprobs"]), (&json!("token_id:97"), &json!([])));
    assert_eq!(first_token["logprob"].as_f64().map(|it| it as f32), Some(-0.97));
    // Agents write arguments anew, and name calls otherwise.
    let mut echoed = choice["message"].clone();
    echoed["tool_calls"][0]["function"]["arguments"] = json!("{ \"command\":  \"ls\" }");
    echoed["tool_calls"][0]["id"] = json!("other");
    let seen = json!({"role": "tool", "tool_call_id": "other", "content": "x"});
    post(&gateway, "/v1/chat/completions", &json!({"messages": [user, echoed, seen]}));
    let known = [&[100, 111, 0][..], &sampled].concat();
    assert_eq!(*lock(&asked), [(vec![], 0), (known.clone(), 2)]);
    let state = session(&gateway);
    assert_eq!((state["branches"].as_array().map(Vec::len), &state["drift"]), (Some(1), &json!([])));
    let branch = &state["branches"][0];
    assert_eq!(branch["token_ids"], json!([&known[..], &[120, 0, 98, 0]].concat()));
    let masks = [(3, 0), (sampled.len(), 1), (2, 0), (2, 1)];
    let mask: Vec<u8> = masks.iter().flat_map(|(count, value)| vec![*value; *count]).collect();
    assert_eq!(branch["mask"], json!(mask));
    let proof = post(&gateway, "/verify", branch);
    assert_eq!((&proof["sampled_here"], &proof["chain"]), (&json!(true), &branch["chain"]));
    let mut forged = branch.clone();
    forged["logprobs"][3] = json!(-0.5);
    assert_eq!(post(&gateway, "/verify", &forged)["sampled_here"], json!(false));
}

#[test]
fn an_agent_that_changes_history_makes_a_branch_and_drift() {
    let (gateway, asked) = gateway(vec![said("abc"), said("d"), said("e")]);
    let user = |text: &str| json!({"role": "user", "content": text});
    post(&gateway, "/v1/chat/completions", &json!({"messages": [user("do")]}));
    let edited = json!({"role": "assistant", "content": "ABC"});
    post(&gateway, "/v1/chat/completions", &json!({"messages": [user("do"), edited, user("go on")]}));
    // A shorter memory is a branch, and nobody changed what the policy said.
    post(&gateway, "/v1/chat/completions", &json!({"messages": [user("in short: go on")]}));
    let state = session(&gateway);
    assert_eq!(state["branches"].as_array().map(Vec::len), Some(3));
    assert_eq!(state["drift"], json!([{"turn": 1, "kind": "edited", "at": 1}]));
    assert!(lock(&asked).iter().all(|(known, covered)| known.is_empty() && *covered == 0));
}

#[test]
fn a_server_that_reads_the_same_messages_otherwise_is_caught() {
    let upstream =
        Letters { asked: Asks::default(), says: Mutex::new(vec![said("d"), said("abc")]), pieces: None, forgets: true };
    let gateway = Gateway::new(Box::new(upstream), None, None);
    let user = json!({"role": "user", "content": "do"});
    post(&gateway, "/v1/chat/completions", &json!({"messages": [user]}));
    let turn = json!({"role": "assistant", "content": "abc"});
    post(&gateway, "/v1/chat/completions", &json!({"messages": [user, turn, user]}));
    let state = session(&gateway);
    assert_eq!(state["drift"], json!([{"turn": 1, "kind": "retokenized", "at": 0}]));
    assert_eq!(state["branches"].as_array().map(Vec::len), Some(2));
}

#[test]
fn messages_of_anthropic_go_there_and_back() {
    let (gateway, asked) = gateway(vec![called("look", "ls"), said("done")]);
    let tools = json!([{"name": "bash", "description": "d", "input_schema": {"type": "object"}}]);
    let user = json!({"role": "user", "content": [{"type": "text", "text": "do"}]});
    let body = json!({"system": "be brief", "messages": [user], "tools": tools, "max_tokens": 100});
    let first = post(&gateway, "/v1/messages", &body);
    assert_eq!((&first["stop_reason"], &first["type"]), (&json!("tool_use"), &json!("message")));
    assert_eq!(
        first["content"][1],
        json!({"type": "tool_use", "id": "c1", "name": "bash", "input": {"command": "ls"}})
    );
    let seen = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "x"}]});
    let turn = json!({"role": "assistant", "content": first["content"]});
    let body = json!({"system": "be brief", "messages": [user, turn, seen], "max_tokens": 100, "stream": true});
    let (status, text) = send(&gateway, "POST", "/v1/messages", "s1", &body);
    let kinds: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let block = ["content_block_start", "content_block_delta", "content_block_stop"];
    assert_eq!((status, kinds), (200, [&["message_start"][..], &block, &["message_delta", "message_stop"]].concat()));
    assert!(text.contains(r#""delta":{"text":"done","type":"text_delta"}"#), "{text}");
    assert_eq!(lock(&asked)[1].1, 3, "system, user and turn are known");
    let counted = post(&gateway, "/v1/messages/count_tokens", &body);
    assert!(counted["input_tokens"].as_u64() > Some(0));
}

#[test]
fn responses_go_on_with_an_earlier_one_by_its_name() {
    let (gateway, asked) = gateway(vec![called("", "ls"), said("done")]);
    let first = post(&gateway, "/v1/responses", &json!({"instructions": "be brief", "input": "do"}));
    let call = &first["output"][0];
    assert_eq!(
        (&call["type"], &call["call_id"], &first["status"]),
        (&json!("function_call"), &json!("c1"), &json!("completed"))
    );
    assert_eq!(
        call["generation_token_ids"].as_array().map(Vec::len),
        call["generation_log_probs"].as_array().map(Vec::len)
    );
    let seen = json!({"type": "function_call_output", "call_id": "c1", "output": "x"});
    let body = json!({"previous_response_id": first["id"], "input": [seen], "stream": true});
    let (_, text) = send(&gateway, "POST", "/v1/responses", "s1", &body);
    assert!(text.contains("event: response.output_text.delta") && text.contains("event: response.completed"), "{text}");
    assert_eq!(lock(&asked)[1].1, 3);
    let unknown = json!({"previous_response_id": "r9", "input": "x"});
    let (status, text) = send(&gateway, "POST", "/v1/responses", "s1", &unknown);
    assert!(status == 400 && text.contains("`previous_response_id` is `r9`"), "{text}");
}

#[test]
fn chat_streams_end_with_done_and_say_what_was_used() {
    let (gateway, _) = gateway(vec![called("a", "ls")]);
    let body = json!({"messages": [{"role": "user", "content": "do"}], "stream": true, "stream_options": {"include_usage": true}});
    let (_, text) = send(&gateway, "POST", "/chat/completions", "s1", &body);
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(data.last(), Some(&"[DONE]"));
    let chunks: Vec<Value> = data[..data.len() - 1].iter().map(|it| serde_json::from_str(it).expect("JSON")).collect();
    assert_eq!(chunks[2]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"], "bash");
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(chunks[4]["usage"]["prompt_tokens"], 3);
}

#[test]
fn ids_go_in_and_out_and_are_part_of_the_session() {
    let (gateway, _) = gateway(vec![]);
    let body = json!({"token_ids": [1, 2, 3], "sampling_params": {"max_tokens": 2}});
    let answer = post(&gateway, "/inference/v1/generate", &body);
    assert_eq!(answer["choices"][0]["token_ids"], json!([1, 2]));
    assert_eq!(answer["choices"][0]["logprobs"]["content"][1]["token"], "token_id:2");
    let longer = json!({"token_ids": [1, 2, 3, 1, 2, 9], "sampling_params": {"max_tokens": 1}});
    post(&gateway, "/sessions/s1/inference/v1/generate", &longer);
    let branches = &session(&gateway)["branches"];
    assert_eq!(branches[0]["token_ids"], json!([1, 2, 3, 1, 2, 9, 1]));
    assert_eq!(branches.as_array().map(Vec::len), Some(1));
}

#[test]
fn a_session_that_ends_becomes_episodes_with_its_reward() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let upstream = Letters {
        asked: Asks::default(),
        says: Mutex::new(vec![said("done"), called("a", "ls")]),
        pieces: None,
        forgets: false,
    };
    let into = kept.clone();
    let keep: Keep = Box::new(move |episodes| {
        lock(&into).extend(episodes);
        Ok(())
    });
    let gateway = Gateway::new(Box::new(upstream), None, Some(keep));
    let user = json!({"role": "user", "content": "do"});
    let first = post(&gateway, "/v1/chat/completions", &json!({"messages": [user]}));
    let seen = json!({"role": "tool", "tool_call_id": "c1", "content": "x"});
    post(&gateway, "/v1/chat/completions", &json!({"messages": [user, first["choices"][0]["message"], seen]}));
    post(&gateway, "/sessions/s1/end", &json!({"reward": 0.5, "task": "t", "skill": "edit"}));
    let episodes = lock(&kept);
    let episode = &episodes[0];
    assert_eq!((episodes.len(), episode.task.as_str(), episode.reward(), episode.steps.len()), (1, "t", Some(0.5), 2));
    assert_eq!(episode.steps[0].observations[0].text, "x");
    assert!(episode.tokens.as_ref().is_some_and(|tokens| tokens.weight_version == 3));
    assert_eq!(send(&gateway, "GET", "/sessions/s1", "s1", &json!({})).0, 404);
}

#[test]
fn what_is_asked_wrong_is_named_with_the_next_step() {
    let (gateway, _) = gateway(vec![]);
    let error = |method: &str, path: &str, body: &Value| {
        let (status, text) = send(&gateway, method, path, "s1", body);
        let body: Value = serde_json::from_str(&text).expect("JSON");
        format!("{status} {}", body["error"]["message"].as_str().expect("a message"))
    };
    let chat = "/v1/chat/completions";
    assert_eq!(error("POST", chat, &json!({})), "400 `messages` is missing, expected a list");
    assert_eq!(
        error("POST", chat, &json!({"messages": [{"role": "x"}]})),
        "400 `messages[0].role` is \"x\", expected system, user, assistant or tool"
    );
    assert_eq!(
        error("POST", chat, &json!({"messages": [], "n": 2})),
        "400 `n` must be 1; ask several times for several samples"
    );
    assert_eq!(
        error("POST", chat, &json!({"messages": [{"role": "user", "content": "x"}]})),
        "503 it has nothing to say"
    );
    assert!(error("GET", chat, &json!({})).starts_with("405 "));
    assert!(
        error("POST", "/v2/x", &json!({}))
            .starts_with("404 there is no `POST /v2/x` here; there are `/v1/chat/completions`")
    );
    assert!(error("POST", "/sessions/a%2Fb/v1/messages", &json!({})).starts_with("400 the name of a session"));
    assert!(
        error("POST", "/inference/v1/generate", &json!({"token_ids": [-1]})).starts_with("400 `token_ids[0]` is no id")
    );
}

#[test]
fn a_key_opens_the_gateway_and_names_the_session() {
    let upstream =
        Letters { asked: Asks::default(), says: Mutex::new(vec![said("a"), said("b")]), pieces: None, forgets: false };
    let gateway = Gateway::new(Box::new(upstream), Some("secret".to_owned()), None);
    let body = json!({"messages": [{"role": "user", "content": "do"}]});
    let status = |key: &str| send(&gateway, "POST", "/v1/chat/completions", key, &body).0;
    assert_eq!([status("other"), status("secretx"), status("secret:s2"), status("secret")], [401, 401, 200, 200]);
    let (_, list) = send(&gateway, "GET", "/sessions", "secret", &json!({}));
    assert_eq!(list, r#"[{"session":"default","turns":1},{"session":"s2","turns":1}]"#);
}

/// The events of a streamed turn in a dialect, as kinds and data.
fn streamed(path: &str, pieces: usize, says: Message) -> (u16, Vec<(String, Value)>) {
    let upstream =
        Letters { asked: Asks::default(), says: Mutex::new(vec![says]), pieces: Some(pieces), forgets: false };
    let gateway = Gateway::new(Box::new(upstream), None, None);
    let user = json!([{"role": "user", "content": "do"}]);
    let body = json!({"messages": user, "input": user, "max_tokens": 9, "stream": true});
    let (status, text) = send(&gateway, "POST", path, "s1", &body);
    let mut kind = String::new();
    let mut events = Vec::new();
    for line in text.lines() {
        // Events come in chunks, whose lengths stand between them.
        if let Some(named) = line.strip_prefix("event: ") {
            kind = named.to_owned();
        } else if let Some(data) = line.strip_prefix("data: ") {
            events.push((std::mem::take(&mut kind), serde_json::from_str(data).unwrap_or_else(|_| json!(data))));
        }
    }
    (status, events)
}

#[test]
fn what_is_said_is_told_piece_by_piece_in_every_dialect() {
    let says = || called("one two three\n", "ls");
    let (_, chat) = streamed("/v1/chat/completions", 9, says());
    let content: Vec<&str> = chat.iter().filter_map(|(_, it)| it["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(content, ["", "one ", "two ", "three", "\n"]);
    assert_eq!(chat.iter().filter(|(_, it)| it["choices"][0]["delta"]["role"].is_string()).count(), 1);
    assert_eq!(chat.iter().filter(|(_, it)| it["choices"][0]["delta"]["tool_calls"].is_array()).count(), 1);
    let (_, anthropic) = streamed("/v1/messages", 9, says());
    let kinds: Vec<&str> = anthropic.iter().map(|(kind, _)| kind.trim_start_matches("content_block_")).collect();
    let text = ["start", "delta", "delta", "delta", "delta", "stop"];
    let expected = [&["message_start"][..], &text, &["start", "delta", "stop"], &["message_delta", "message_stop"]];
    assert_eq!(kinds, expected.concat());
    assert_eq!(anthropic[10].1["usage"], json!({"input_tokens": 3, "output_tokens": ids(&says()).len()}));
    let (_, responses) = streamed("/v1/responses", 9, says());
    let deltas: Vec<&Value> =
        responses.iter().filter(|(kind, _)| kind.ends_with("text.delta")).map(|(_, it)| &it["delta"]).collect();
    assert_eq!(deltas, ["one ", "two ", "three", "\n"]);
    let numbers: Vec<u64> = responses.iter().filter_map(|(_, it)| it["sequence_number"].as_u64()).collect();
    assert_eq!(numbers, (0..responses.len() as u64).collect::<Vec<_>>());
    let (kind, whole) = responses.last().expect("it ends");
    assert_eq!(
        (kind.as_str(), &whole["response"]["output"][0]["content"][0]["text"]),
        ("response.completed", &json!("one two three\n"))
    );
}

#[test]
fn a_turn_that_breaks_off_is_an_error_in_the_stream_and_one_that_never_began_a_status() {
    let (status, chat) = streamed("/v1/chat/completions", 1, said("one two"));
    assert_eq!((status, &chat[2].1["error"]["message"]), (200, &json!("the engine stopped")));
    let (_, anthropic) = streamed("/v1/messages", 1, said("one two"));
    assert_eq!(anthropic.last().map(|(kind, _)| kind.as_str()), Some("error"));
    let (_, responses) = streamed("/v1/responses", 1, said("one two"));
    assert_eq!(responses.last().map(|(_, it)| &it["message"]), Some(&json!("the engine stopped")));
    assert_eq!(streamed("/v1/messages", 0, said("one two")).0, 503);
}
