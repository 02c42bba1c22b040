//! Real programs in real sandboxes; only the model is scripted.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use basis_sandbox::{Backend, Limits, Sandbox, SandboxSpec, backends};

use super::{AgentProgram, ProgramConfig};
use crate::episode::{End, Episode, FileChange, Grade, InvalidCause, Score, Submission};
use crate::gateway::{Ask, Call, Message, Sampled, Sampling, Speaker, Turn, Upstream, UpstreamError, chain};
use crate::rollout::{Crew, Job, Player, Provision, Roster, World, dispatch};
use crate::task::Task;
use crate::testkit::task;

/// Says what it is told to, in ids of one letter each; then that it has nothing to say.
#[derive(Default)]
struct Script {
    says: Mutex<VecDeque<Message>>,
    asked: Mutex<Vec<(usize, Sampling)>>,
}

fn ids(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).chain([0]).collect()
}

impl Upstream for Script {
    fn model(&self) -> String {
        "script".to_owned()
    }

    fn context(&self) -> Option<usize> {
        None
    }

    fn chat(&self, ask: &Ask<'_>) -> Result<Turn, UpstreamError> {
        self.asked.lock().expect("no panic").push((ask.covered, ask.sampling.clone()));
        let message = self.says.lock().expect("no panic").pop_front();
        let message = message.ok_or_else(|| UpstreamError::new(503, "it has nothing to say"))?;
        let mut prompt = ask.known.to_vec();
        ask.messages[ask.covered..].iter().for_each(|message| prompt.extend(ids(&message.text)));
        let ids = ids(&message.text);
        let logprobs = vec![-0.5; ids.len()];
        let usage = (prompt.len(), ids.len());
        Ok(Turn { message, prompt, sampled: Sampled { ids, logprobs, is_cut: false, version: 3 }, usage })
    }

    fn generate(&self, _: &[u32], _: &Sampling) -> Result<Sampled, UpstreamError> {
        Err(UpstreamError::new(400, "it only talks"))
    }
}

fn said(text: &str) -> Message {
    Message::new(Speaker::Assistant, text)
}

fn called(text: &str, command: &str) -> Message {
    let arguments = serde_json::json!({"command": command}).to_string();
    let call = Call { id: "c1".into(), name: "bash".into(), arguments };
    Message { calls: vec![call], ..said(text) }
}

/// A world of one file, in which an answer of `done` is right.
struct Room {
    layer: tempfile::TempDir,
    backend: Arc<dyn Backend>,
}

impl Room {
    fn new() -> Self {
        let layer = tempfile::tempdir().expect("there is room for a layer");
        std::fs::write(layer.path().join("a.py"), "x = 1\n").expect("written");
        Self { layer, backend: backends::open("namespace").expect("this machine has namespaces") }
    }
}

impl World for Room {
    fn sandbox(&self, task: &Task) -> Result<Box<dyn Sandbox>, InvalidCause> {
        self.sandbox_for_program(task, &Provision::default())
    }

    fn sandbox_for_program(&self, _: &Task, provision: &Provision) -> Result<Box<dyn Sandbox>, InvalidCause> {
        let spec = SandboxSpec {
            root: Vec::new(),
            layers: vec![self.layer.path().to_owned()],
            workdir: "/repo".into(),
            mounts: provision.mounts.clone(),
            env: [("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())].into(),
            limits: Limits { wall: provision.wall.unwrap_or(Duration::from_secs(20)), ..Limits::default() },
        };
        self.backend.create(&spec).map_err(|error| InvalidCause::Sandbox(error.to_string()))
    }

    fn grade(&self, _: &Task, submission: &Submission) -> Grade {
        let reward = f64::from(u8::from(submission.answer == "done"));
        Grade::Scored(Score { reward, code: String::new(), detail: String::new(), table: Vec::new() })
    }
}

/// An agent of the standard library: the two tools of ours, chat completions, and a loop.
const AGENT: &str = r#"
import json, os, subprocess, sys, urllib.request

def ask(messages, path="/chat/completions", **more):
    body = json.dumps({"model": os.environ["OPENAI_MODEL"], "messages": messages, "temperature": 0, **more}).encode()
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + path, body)
    request.add_header("authorization", "Bearer " + os.environ["OPENAI_API_KEY"])
    return json.load(urllib.request.urlopen(request))

def work(messages):
    while True:
        turn = ask(messages, tools=[{"type": "function", "function": {"name": "bash"}}])["choices"][0]["message"]
        messages.append(turn)
        if not turn.get("tool_calls"):
            return turn["content"]
        for call in turn["tool_calls"]:
            command = json.loads(call["function"]["arguments"])["command"]
            ran = subprocess.run(command, shell=True, capture_output=True, text=True)
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": ran.stdout + ran.stderr})

if __name__ == "__main__":
    print("I say:", work([{"role": "user", "content": sys.stdin.read()}]))
"#;

/// A directory of the agent with another file that is the program.
fn directory(program: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("agent.py"), AGENT).expect("written");
    std::fs::write(directory.path().join("main.py"), program).expect("written");
    directory
}

fn config(command: &str, directory: Option<&tempfile::TempDir>) -> ProgramConfig {
    ProgramConfig {
        command: command.to_owned(),
        directory: directory.map(|directory| directory.path().to_owned()),
        wall: Duration::from_secs(20),
        temperature: None,
    }
}

/// Episodes of one task, all at once.
fn play(config: ProgramConfig, script: &Arc<Script>, count: u32) -> Vec<Episode> {
    let task = Arc::new(task());
    let jobs = (0..count).map(|sample| Job { task: task.clone(), sample, seed: 7 + u64::from(sample) });
    let program = AgentProgram::new(config, script.clone());
    let mut episodes = Vec::new();
    let stop = AtomicBool::new(false);
    let workers = count as usize;
    let (world, roster) = (Room::new(), Roster::default());
    let crew = Crew { player: Player::Program(&program), world: &world, workers, roster: &roster };
    dispatch(jobs, crew, &mut |it| episodes.push(it), &stop);
    episodes.sort_by_key(|episode| episode.sample);
    episodes
}

fn script(says: impl IntoIterator<Item = Message>) -> Arc<Script> {
    Arc::new(Script { says: Mutex::new(says.into_iter().collect()), ..Script::default() })
}

/// The episode of a line of bash with a model that says `says`.
fn played(command: &str, says: impl IntoIterator<Item = Message>) -> Episode {
    let directory = directory("");
    play(config(command, Some(&directory)), &script(says), 1).remove(0)
}

#[test]
fn a_program_works_through_the_gateway_and_hands_in_files_and_its_last_turn() {
    let script = script([called("look", "cat a.py; echo 'x = 2' > a.py"), said("done")]);
    let directory = directory("");
    let episode = play(config("python3 /agent/agent.py", Some(&directory)), &script, 1).remove(0);
    assert_eq!((episode.reward(), episode.end), (Some(1.0), Some(End::Submitted)), "{episode:?}");
    let change = FileChange { path: "a.py".into(), content: Some("x = 2\n".into()) };
    assert_eq!(episode.submission, Submission { answer: "done".into(), files: vec![change] });
    assert_eq!((episode.steps.len(), episode.steps[0].observations[0].text.as_str()), (2, "x = 1\n"));
    assert_eq!((episode.policy.as_str(), episode.prompt.as_str()), ("program:script", "do it"));
    let record = episode.program.as_ref().expect("a program ran");
    assert_eq!((record.turns, record.drifts, record.branches.len()), (2, 0, 0));
    assert_eq!((record.outcome.as_str(), record.output.as_str()), ("exited with 0", "I say: done\n"));
    let trace = episode.tokens.as_ref().expect("tokens are known");
    assert_eq!(trace.ids, [ids("do it"), ids("look"), ids("x = 1\n"), ids("done")].concat());
    assert_eq!(trace.sampled.iter().filter(|sampled| **sampled).count(), 10);
    // How turns are sampled is not for the program to say, and every turn has a seed of its own.
    let asked = script.asked.lock().expect("no panic");
    assert_eq!([asked[0].0, asked[1].0], [0, 2]);
    assert!(asked.iter().all(|(_, sampling)| sampling.temperature.is_none() && sampling.seed.is_some()), "{asked:?}");
    assert_ne!(asked[0].1.seed, asked[1].1.seed);
}

#[test]
fn every_sampled_token_of_an_agent_with_several_conversations_counts_once() {
    let program = "
import sys; sys.path.insert(0, '/agent')
from agent import ask
user = {'role': 'user', 'content': 'a'}
first = ask([user])['choices'][0]['message']
for text in ('b', 'c'):
    ask([user, first, {'role': 'user', 'content': text}])
";
    let directory = directory(program);
    let says = script([said("one"), said("two"), said("three")]);
    let episode = play(config("python3 /agent/main.py", Some(&directory)), &says, 1).remove(0);
    let sequences: Vec<(String, usize)> = episode
        .sequences()
        .map(|it| (it.trace.ids.iter().map(|id| *id as u8 as char).collect(), it.counted().filter(|it| *it).count()))
        .collect();
    let sequence = |text: &str, counted| (text.replace('.', "\0"), counted);
    assert_eq!(sequences, [sequence("a.one.c.three.", 10), sequence("a.one.b.two.", 4)]);
    let heads: Vec<_> = episode.sequences().map(|sequence| chain::of(sequence.trace)).collect();
    assert_ne!(heads[0], heads[1]);
    let stored = serde_json::to_string(&episode).expect("episodes are stored as JSON");
    assert_eq!(serde_json::from_str::<Episode>(&stored).expect("and read"), episode);
}

#[test]
fn how_a_program_ends_is_its_own_doing() {
    let ends = |command: &str| {
        let episode = played(command, [said("done"), said("b"), said("c"), said("d"), said("e")]);
        let record = episode.program.expect("a program ran");
        (episode.end.expect("it is judged"), record.outcome, record.output, episode.submission.answer)
    };
    let (end, outcome, output, answer) = ends("echo x > a.py; nonesuch");
    assert_eq!((end, outcome.as_str(), answer.as_str()), (End::Crashed, "exited with 127", ""));
    assert!(output.contains("nonesuch: command not found"), "{output}");
    let (end, ..) = ends("python3 /agent/agent.py; exit 3");
    assert_eq!(end, End::Crashed);
    let (end, _, output, _) = ends("cd /agent; while true; do python3 agent.py || exit 1; done");
    assert_eq!(end, End::TurnLimit, "4 turns is what the task allows");
    assert!(output.contains("HTTP Error 403"), "{output}");
    let quick = ProgramConfig { wall: Duration::from_millis(300), ..config("sleep 60", None) };
    assert_eq!(play(quick, &script([]), 1)[0].end, Some(End::TimeLimit));
}

#[test]
fn an_answer_in_the_file_goes_before_the_last_turn() {
    let episode = played("python3 /agent/agent.py; printf done > $BASIS_ANSWER", [said("well")]);
    assert_eq!(episode.submission.answer, "done");
    let episode = played("mkfifo $BASIS_ANSWER; python3 /agent/agent.py", [said("well")]);
    assert_eq!((episode.submission.answer.as_str(), episode.end), ("well", Some(End::Submitted)));
}

#[test]
fn a_model_that_fails_makes_the_episode_invalid() {
    let episode = played("python3 /agent/agent.py", [called("look", "ls")]);
    assert_eq!(episode.grade, Grade::Invalid(InvalidCause::Model("it has nothing to say".into())));
    // Whoever asks once more and gets a turn has lost nothing; whoever asks for nonsense is at fault himself.
    let nonsense = "curl -s $OPENAI_BASE_URL/chat/completions -d nonsense || python3 -c \"
import os, urllib.request
urllib.request.urlopen(os.environ['OPENAI_BASE_URL'] + '/chat/completions', b'nonsense')\"";
    assert!(played(nonsense, []).reward().is_some());
}

#[test]
fn no_session_but_its_own_can_be_reached_and_no_network() {
    // Each program says its own name in its session, and then tries whatever could touch that of the others.
    let program = "
import json, os, socket, sys, urllib.error, urllib.request
sys.path.insert(0, '/agent')
from agent import ask
ask([{'role': 'user', 'content': 'mine'}])
root = os.environ['BASIS_URL']
def status(method, path, key='basis', body=b'{\"reward\": 1}'):
    request = urllib.request.Request(root + path, body if method == 'POST' else None, method=method)
    request.add_header('authorization', 'Bearer ' + key)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code
for name in ('default', 'other'):
    for method, path in (('GET', ''), ('DELETE', ''), ('POST', '/reward'), ('POST', '/end')):
        print(status(method, '/sessions/' + name + path), end=' ')
for method, path in (('GET', '/sessions'), ('POST', '/reward'), ('POST', '/end'), ('POST', '/verify')):
    print(status(method, path, 'basis:other'), end=' ')
body = json.dumps({'messages': [{'role': 'user', 'content': 'mine'}]}).encode()
print(status('POST', '/sessions/other/v1/chat/completions', body=body), end=' ')
print(status('POST', '/v1/chat/completions', 'other', body))
own = int(root.rsplit(':', 1)[1])
for address in [('192.0.2.1', 80), ('127.0.0.1', 22)] + [('127.0.0.1', port) for port in range(own - 40, own + 40)]:
    try:
        socket.create_connection(address, 0.2).close()
        print('reached', address) if address[1] != own else None
    except OSError:
        pass
";
    let directory = directory(program);
    let says = script((0..12).map(|_| said("done")));
    let episodes = play(config("python3 /agent/main.py", Some(&directory)), &says, 4);
    for episode in episodes {
        let record = episode.program.as_ref().expect("a program ran");
        assert_eq!(record.output, "404 ".repeat(13) + "200\n", "{episode:?}");
        // The key of another session only opened its own.
        assert_eq!((record.turns, record.branches.len()), (2, 1));
        assert_eq!((episode.reward(), episode.end), (Some(1.0), Some(End::Submitted)));
    }
}

#[test]
fn a_flood_is_held_back_and_the_next_episode_is_served() {
    let program = "
import os, socket, sys, threading
sys.path.insert(0, '/agent')
from agent import ask
port = int(os.environ['BASIS_URL'].rsplit(':', 1)[1])
silent = [socket.create_connection(('127.0.0.1', port)) for _ in range(12)]
big = socket.create_connection(('127.0.0.1', port))
big.sendall(b'POST /v1/chat/completions HTTP/1.1\\r\\ncontent-length: 99999999\\r\\n\\r\\n')
print(big.recv(12).decode())
counts = [0] * 3
def flood(at):
    try:
        while True:
            one = socket.create_connection(('127.0.0.1', port), 5)
            while True:
                one.sendall(b'POST /v1/chat/completions HTTP/1.1\\r\\ncontent-length: 2\\r\\n\\r\\n{}')
                if not one.recv(4096):
                    break
                counts[at] += 1
    except OSError:
        pass
threads = [threading.Thread(target=flood, args=(at,), daemon=True) for at in range(3)]
[thread.start() for thread in threads]
[thread.join(1) for thread in threads]
print('few' if sum(counts) < 1000 else sum(counts))
sys.stdout.flush()
os._exit(0)
";
    let directory = directory(program);
    let flood = play(config("python3 /agent/main.py", Some(&directory)), &script([]), 1).remove(0);
    let record = flood.program.as_ref().expect("a program ran");
    assert_eq!(record.output, "HTTP/1.1 413\nfew\n", "{flood:?}");
    assert_eq!(flood.end, Some(End::Submitted));
    assert_eq!(played("python3 /agent/agent.py", [said("done")]).reward(), Some(1.0));
}
