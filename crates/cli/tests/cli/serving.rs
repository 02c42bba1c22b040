//! The gateway as a program, in front of a model of this machine and of another server; and agent programs that act through it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use basis_gym::store::{self, EpisodeFilter, Reader};
use serde_json::{Value, json};

use crate::support::World;

/// A gateway that ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(world: &World, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut child = world.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("Ctrl-C ends") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "it ended before it served");
        }
        let address = line.split("http://").nth(1).unwrap().split(';').next().unwrap().to_owned();
        Self { child, address }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let body = body.to_string();
        let head = format!("authorization: Bearer s1\r\nconnection: close\r\ncontent-length: {}", body.len());
        write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_gateway_in_front_of_a_model_server_keeps_the_ids_that_were_sampled_there() {
    let world = World::new();
    let model = Server::start(&world, &["--name", "small"]);
    let url = format!("http://{}/v1", model.address);
    let gateway = Server::start(&world, &["--upstream", &url, "--name", "small"]);
    let chat = |messages: &[Value]| {
        let body =
            json!({"messages": messages, "max_tokens": 12, "seed": 3, "return_token_ids": true, "logprobs": true});
        gateway.ask("POST", "/v1/chat/completions", &body)
    };
    let mut messages = vec![json!({"role": "user", "content": "Change `cap_value`."})];
    let mut sampled = Vec::new();
    for _ in 0..2 {
        let (status, turn) = chat(&messages);
        assert_eq!(status, 200, "{turn}");
        let choice = &turn["choices"][0];
        let ids = choice["token_ids"].as_array().unwrap();
        assert!(!ids.is_empty() && ids.len() == choice["logprobs"]["content"].as_array().unwrap().len(), "{turn}");
        assert!(!turn["prompt_token_ids"].as_array().unwrap().is_empty());
        sampled.extend(ids.clone());
        let calls = choice["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
        messages.push(choice["message"].clone());
        messages.extend(calls.iter().map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "ok"})));
        if calls.is_empty() {
            messages.push(json!({"role": "user", "content": "Go on."}));
        }
    }
    let (_, session) = gateway.ask("GET", "/sessions/s1", &json!({}));
    assert_eq!((&session["turns_without_tokens"], &session["drift"]), (&json!(0), &json!([])), "{session}");
    let branch = &session["branches"][0];
    let masked: Vec<&Value> = branch["token_ids"]
        .as_array()
        .unwrap()
        .iter()
        .zip(branch["mask"].as_array().unwrap())
        .filter_map(|(id, mask)| (mask == 1).then_some(id))
        .collect();
    assert_eq!(masked, sampled.iter().collect::<Vec<_>>());
    assert_eq!(gateway.ask("POST", "/verify", branch).1["sampled_here"], json!(true));
    // The server behind has no such protocol, or is gone: both are named.
    let (status, refused) = gateway.ask("POST", "/v1/chat/completions", &json!({"messages": messages, "stop": ["x"]}));
    assert!(status == 400 && refused["detail"].as_str().unwrap().contains("leave them out"), "{refused}");
    drop(model);
    let (status, gone) = chat(&messages);
    assert!(status == 502 && gone["detail"].as_str().unwrap().starts_with("cannot reach `http://127"), "{gone}");
}

#[test]
fn what_an_episode_costs_is_measured_with_a_model_that_is_served() {
    let world = World::new();
    let model = Server::start(&world, &["--name", "small"]);
    let url = format!("policy.url=http://{}/v1", model.address);
    let bench = ["bench", "controller", "--served", "--at-once", "1"];
    let figures = world.run(&[&bench[..], &["--set", &url, "--set", "policy.model=small"]].concat());
    assert!(figures.starts_with("exit code 0") && figures.contains("processor time per turn: "), "{figures}");
    let refused = world.run(&bench);
    assert!(refused.contains("needs `policy.url` and `policy.model`"), "{refused}");
}

/// Asks with the tools of basis until there is an answer.
const AGENT: &str = r#"
import json, os, subprocess, sys, urllib.request
messages = [{"role": "user", "content": sys.stdin.read()}]
while True:
    body = json.dumps({"model": os.environ["OPENAI_MODEL"], "messages": messages}).encode()
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    turn = json.load(urllib.request.urlopen(url, body))["choices"][0]["message"]
    messages.append(turn)
    if not turn.get("tool_calls"):
        break
    for call in turn["tool_calls"]:
        arguments = json.loads(call["function"]["arguments"])
        seen = "no such tool"
        if call["function"]["name"] == "bash":
            ran = subprocess.run(["bash", "-c", arguments["command"]], capture_output=True, text=True, timeout=10)
            seen = ran.stdout + ran.stderr
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": seen})
print("turns:", len(messages))
"#;

#[test]
fn an_agent_program_is_measured_and_its_tokens_are_kept() {
    let world = World::new();
    std::fs::create_dir(world.path().join("agent")).unwrap();
    std::fs::write(world.path().join("agent/agent.py"), AGENT).unwrap();
    let mined = world.run(&["mine", "generated:7", "--records", "1", "--skills", "localize", "--out", "pack"]);
    assert!(mined.starts_with("exit code 0"), "{mined}");
    let eval = |command: &str, more: &[&str]| {
        let arguments = ["eval", "pack", "-k", "2", "--agent-cmd", command, "--agent-dir", "agent"];
        world.run(&[&arguments[..], more].concat())
    };
    let measured = eval("python3 /agent/agent.py", &[]);
    assert!(measured.starts_with("exit code 0"), "{measured}");
    let run = store::find_run(&world.path().join(".basis/runs"), "last").unwrap();
    let reader = Reader::open(&run).unwrap();
    let rows = reader.rows(&EpisodeFilter::default()).unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let episode = reader.episode(&row.id.to_string()).unwrap().1;
        let program = episode.program.as_ref().unwrap();
        assert!(program.turns > 0 && row.policy == "program:basis", "{episode:?}");
        assert!(episode.reward().is_some() && episode.tokens.is_some() && row.sampled_tokens > 0, "{episode:?}");
    }
    let shown = world.run(&["show", "last", "1"]);
    assert!(shown.contains("== program: ") && shown.contains("sequences of tokens"), "{shown}");
    let broken = eval("nonesuch", &[]);
    assert!(broken.contains("2 of 2 programs failed; the first exited with 127: "), "{broken}");
    let refusals = [
        (eval("x", &["--policy", "nothing"]), "`--agent-cmd` goes with `--policy engine` or `--policy http` only"),
        (eval("x", &["--set", "sandbox.backend=kubernetes"]), "a pod has no way to the gateway"),
        (eval("x", &["--agent-seconds", "0"]), "`--agent-seconds 0`: expected a number above 0"),
        (world.run(&["eval", "--agent-cmd", "x", "--agent-dir", "nowhere"]), "`nowhere` is no directory"),
    ];
    for (refusal, reason) in refusals {
        assert!(!refusal.starts_with("exit code 0") && refusal.contains(reason), "{refusal}");
    }
}
