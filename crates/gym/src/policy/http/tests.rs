//! The policy against a real HTTP server on the loopback device, which plays back scripted answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use pollster::FutureExt as _;
use serde_json::{Value, json};

use super::{Http, HttpConfig};
use crate::episode::{Message, Reply, Role, ToolCall};
use crate::policy::{Action, Policy, PolicyError, Session};
use crate::testkit::task;

/// Plays `answers` (raw bytes; none at all hangs up), one per connection, and returns the requests' bodies at the end.
struct Server {
    url: String,
    requests: JoinHandle<Vec<Value>>,
}

impl Server {
    fn new(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
        let serve = move || answers.into_iter().map(|answer| exchange(&listener, &answer)).collect();
        Self { url, requests: std::thread::spawn(serve) }
    }

    fn config(&self) -> HttpConfig {
        HttpConfig { backoff: Duration::from_millis(1), attempts: 3, ..HttpConfig::new(&self.url, "small") }
    }

    fn session(&self) -> Box<dyn Session> {
        start(&self.config())
    }

    fn requests(self) -> Vec<Value> {
        self.requests.join().expect("the server does not panic")
    }
}

fn exchange(listener: &TcpListener, answer: &str) -> Value {
    let (mut stream, _) = listener.accept().expect("a client comes");
    let request = request(&stream);
    stream.write_all(answer.as_bytes()).expect("the client listens");
    request
}

/// The body of a request; its head stands in `head`.
fn request(stream: &TcpStream) -> Value {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).expect("text") > 0 {}
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("the length is sent");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body).expect("the whole body");
    let mut body: Value = serde_json::from_slice(&body).expect("JSON");
    body["head"] = json!(lower);
    body
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}")
}

fn message(message: Value) -> String {
    answer("200 OK", "", &json!({"choices": [{"message": message, "finish_reason": "stop"}]}).to_string())
}

fn call(name: &str, arguments: &str) -> Value {
    json!({"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn start(config: &HttpConfig) -> Box<dyn Session> {
    Http::new(config).and_then(|http| http.start(&task(), 0, u64::MAX)).expect("the address is fine")
}

fn prompt() -> [Message; 1] {
    [Message { role: Role::User, content: "do it".into() }]
}

fn observation(text: &str) -> [Message; 1] {
    [Message { role: Role::Tool, content: text.into() }]
}

fn reply(action: Result<Action, PolicyError>) -> Reply {
    match action {
        Ok(Action::Reply(reply)) => reply,
        other => panic!("expected a reply, got {other:?}"),
    }
}

/// The error of the first turn when the server gives these answers.
fn failure(answers: Vec<String>) -> String {
    let server = Server::new(answers);
    let error = server.session().act(&prompt()).block_on().expect_err("the turn fails").to_string();
    let url = server.url.clone();
    server.requests();
    error.replace(&url, "URL")
}

#[test]
fn a_tool_call_and_its_observation_go_there_and_back() {
    let called = message(json!({"content": null, "tool_calls": [call("bash", r#"{"command": "ls"}"#)]}));
    let server = Server::new(vec![called, message(json!({"content": "done"}))]);
    let mut session = server.session();

    let first = reply(session.act(&prompt()).block_on());
    assert_eq!(first.calls, [ToolCall::Bash { command: "ls".into() }]);
    let second = reply(session.act(&observation("a.py")).block_on());
    assert_eq!(second, Reply { text: "done".into(), ..Reply::default() });

    let requests = server.requests();
    assert_eq!(requests[0]["model"], "small");
    assert_eq!(requests[0]["tools"][1]["function"]["name"], "str_replace");
    assert!(requests[0].get("seed").is_none() && requests[0].get("temperature").is_none());
    let messages = requests[1]["messages"].as_array().expect("a list");
    let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
    assert_eq!(messages[2]["tool_calls"][0]["function"]["arguments"], r#"{"command":"ls"}"#);
    assert_eq!(messages[3], json!({"role": "tool", "tool_call_id": "c1", "content": "a.py"}));
}

#[test]
fn a_request_that_is_larger_than_any_buffer_arrives_whole() {
    let server = Server::new(vec![message(json!({"content": "Fine."}))]);
    let content = "ä\"\n".repeat(30_000);
    let prompt = [Message { role: Role::User, content: content.clone() }];
    reply(server.session().act(&prompt).block_on());
    assert_eq!(server.requests()[0]["messages"][1], json!({"role": "user", "content": content}));
}

#[test]
fn sampling_settings_and_the_key_are_sent() {
    let server = Server::new(vec![message(json!({"content": "done"}))]);
    let mut extra = serde_json::Map::new();
    extra.insert("top_p".into(), json!(0.9));
    let (temperature, max_tokens, api_key) = (Some(0.5), Some(64), Some("secret".into()));
    let config = HttpConfig { temperature, max_tokens, api_key, send_seed: true, extra, ..server.config() };
    reply(start(&config).act(&prompt()).block_on());
    let request = &server.requests()[0];
    let sent = ["temperature", "max_tokens", "seed", "top_p"].map(|key| request[key].clone());
    assert_eq!(sent, [json!(0.5), json!(64), json!(i32::MAX), json!(0.9)]);
    assert!(request["head"].as_str().expect("text").contains("authorization: bearer secret"));
}

#[test]
fn what_the_model_gets_wrong_is_malformed_and_goes_back_as_text() {
    let broken = message(json!({"content": "I try", "tool_calls": [call("bash", r#"{"command": "l"#)]}));
    let server = Server::new(vec![broken, message(json!({"content": "done"}))]);
    let mut session = server.session();
    let first = reply(session.act(&prompt()).block_on());
    assert!(first.calls.is_empty());
    assert!(first.malformed.expect("broken JSON").starts_with("the arguments of `bash` are not JSON"));
    reply(session.act(&observation("malformed reply")).block_on());
    let messages = &server.requests()[1]["messages"];
    assert_eq!(messages[2]["role"], "assistant");
    assert!(messages[2].get("tool_calls").is_none() && messages[2]["content"].to_string().contains("I try"));
    assert_eq!(messages[3], json!({"role": "user", "content": "malformed reply"}));
}

#[test]
fn other_malformed_replies_say_why() {
    let check = |choice: Value, expected: &str| {
        let server = Server::new(vec![answer("200 OK", "", &json!({"choices": [choice]}).to_string())]);
        let reply = reply(server.session().act(&prompt()).block_on());
        assert_eq!(reply.malformed.as_deref(), Some(expected));
    };
    let cut = json!({"message": {"content": "and so"}, "finish_reason": "length"});
    check(cut, "it was cut off at the token limit");
    let unknown = json!({"message": {"tool_calls": [call("python", "{}")]}, "finish_reason": "tool_calls"});
    check(unknown, "there is no tool `python`, only `bash` or `str_replace`");
    let in_text = json!({"message": {"content": "<tool_call>{}</tool_call>"}});
    check(in_text, "the tool call stands in the text (does the server have a tool-call parser enabled?)");
}

#[test]
fn content_may_be_missing_or_in_parts_and_arguments_an_object() {
    let parts = json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]});
    let object = json!({"tool_calls": [{"function": {"name": "bash", "arguments": {"command": "ls"}}}]});
    let server = Server::new(vec![message(parts), message(object), message(json!({"role": "assistant"}))]);
    let mut session = server.session();
    assert_eq!(reply(session.act(&prompt()).block_on()).text, "ab");
    assert_eq!(reply(session.act(&prompt()).block_on()).calls.len(), 1);
    assert_eq!(reply(session.act(&prompt()).block_on()), Reply::default());
}

#[test]
fn an_overloaded_server_is_asked_again() {
    let busy = answer("429 Too Many Requests", "retry-after: 0\r\n", r#"{"error": {"message": "slow down"}}"#);
    let wrapped = answer("200 OK", "", r#"{"error": {"message": "behind me", "code": "503"}}"#);
    let server = Server::new(vec![busy, wrapped, message(json!({"content": "done"}))]);
    assert_eq!(reply(server.session().act(&prompt()).block_on()).text, "done");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_hang_up_is_asked_again_and_then_reported() {
    let server = Server::new(vec![String::new(), message(json!({"content": "done"}))]);
    assert_eq!(reply(server.session().act(&prompt()).block_on()).text, "done");
    let error = failure(vec![String::new(), String::new(), "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".into()]);
    assert!(error.starts_with("cannot reach `URL/chat/completions`: "), "{error}");
}

#[test]
fn a_server_that_stays_broken_is_reported_after_all_attempts() {
    let broken = answer("500 Internal Server Error", "", r#"{"detail": "CUDA error"}"#);
    let error = failure(vec![broken; 3]);
    assert_eq!(error, "`URL/chat/completions` answered 500: CUDA error; look at the server's log");
}

#[test]
fn refusals_are_reported_at_once_with_the_next_step() {
    let refused = |status, body| failure(vec![answer(status, "", body)]);
    assert_eq!(
        refused("401 Unauthorized", r#"{"error": {"message": "bad key"}}"#),
        "`URL/chat/completions` answered 401: bad key; check the API key"
    );
    assert_eq!(
        refused("404 Not Found", r#"{"message": "no model small"}"#),
        "`URL/chat/completions` answered 404: no model small; \
         check that the address ends in `/v1` and that the server has this model"
    );
    assert_eq!(
        refused("400 Bad Request", r#"{"error": "tools not supported"}"#),
        "`URL/chat/completions` answered 400: tools not supported"
    );
}

#[test]
fn nonsense_is_reported_with_its_beginning() {
    assert_eq!(
        failure(vec![answer("200 OK", "", "<html>\n <body>Welcome</body></html>")]),
        "`URL/chat/completions` sent no usable chat completion: \
         expected JSON, got `<html> <body>Welcome</body></html>`"
    );
    assert_eq!(
        failure(vec![answer("200 OK", "", "[1, 2]")]),
        "`URL/chat/completions` sent no usable chat completion: expected `choices[0].message` in the answer"
    );
    let filtered = json!({"choices": [{"message": {}, "finish_reason": "content_filter"}]}).to_string();
    assert_eq!(
        failure(vec![answer("200 OK", "", &filtered)]),
        "`URL/chat/completions` sent no usable chat completion: the server ended the turn with `content_filter`"
    );
}

#[test]
fn a_full_context_ends_the_episode_unless_the_prompt_alone_fills_it() {
    let body = r#"{"error": {"message": "This model's maximum context length is 4096 tokens"}}"#;
    let full = answer("400 Bad Request", "", body);
    let server = Server::new(vec![message(json!({"content": "a"})), full.clone()]);
    let mut session = server.session();
    reply(session.act(&prompt()).block_on());
    assert_eq!(session.act(&prompt()).block_on(), Ok(Action::ContextFull));
    assert_eq!(
        failure(vec![full]),
        "`URL/chat/completions` has no room for the prompt; lower `max_tokens` or give the model more context"
    );
}

#[test]
fn a_closed_port_is_reported_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let config = HttpConfig {
        backoff: Duration::from_millis(1),
        attempts: 2,
        ..HttpConfig::new(format!("http://{address}/v1/"), "small")
    };
    let error = start(&config).act(&prompt()).block_on().expect_err("nobody listens").to_string();
    assert!(error.starts_with(&format!("cannot reach `http://{address}/v1/chat/completions`: ")), "{error}");
    assert!(error.ends_with("check the address and that the server is up"), "{error}");
}

#[test]
fn a_silent_server_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
    let config = HttpConfig { timeout: Duration::from_millis(50), ..HttpConfig::new(url, "small") };
    let error = start(&config).act(&prompt()).block_on().expect_err("nobody answers").to_string();
    assert!(error.contains("gave no answer within 0.05 s; raise the time-out"), "{error}");
}

#[test]
fn an_address_that_is_no_url_is_refused_before_anything_is_sent() {
    let error = Http::new(&HttpConfig::new("localhost:8000", "small")).err().expect("no scheme").to_string();
    assert_eq!(error, "`localhost:8000` is not a URL; give one such as `http://localhost:8000/v1`");
}
