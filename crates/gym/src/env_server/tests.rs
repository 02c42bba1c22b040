//! The server with clients, in a world of real sandboxes whose grader wants a file.

use basis_sandbox::Sandbox;

use super::*;
use crate::episode::{Grade, InvalidCause, Score, Submission};
use crate::testkit;

/// Full reward for a file `done` with `yes`.
struct Small {
    layers: Mutex<Vec<tempfile::TempDir>>,
    /// Whether sandboxes can be had.
    is_up: bool,
}

impl World for Small {
    fn sandbox(&self, _task: &Task) -> Result<Box<dyn Sandbox>, InvalidCause> {
        if !self.is_up {
            return Err(InvalidCause::Sandbox("no space".into()));
        }
        let (layer, sandbox) = testkit::sandbox(&[("a.txt", "alpha\n")]);
        lock(&self.layers).push(layer);
        Ok(sandbox)
    }

    fn grade(&self, _task: &Task, submission: &Submission) -> Grade {
        let is_done = submission.files.iter().any(|file| file.path == "done" && file.content.as_deref() == Some("yes"));
        let code = if is_done { "ok" } else { "not_done" };
        let table = vec![("hidden_test".to_owned(), "passed".to_owned())];
        Grade::Scored(Score {
            reward: f64::from(u8::from(is_done)),
            code: code.into(),
            detail: submission.answer.clone(),
            table,
        })
    }
}

fn server_with(is_up: bool, config: EnvConfig) -> EnvServer {
    let world = Arc::new(Small { layers: Mutex::default(), is_up });
    EnvServer::new(vec![Arc::new(testkit::task())], world, config)
}

fn server() -> EnvServer {
    server_with(true, EnvConfig::default())
}

fn send(server: &EnvServer, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request { method: method.to_owned(), path: path.to_owned(), body, ..Request::default() };
    let (status, text) = server.handle(&request).into_parts();
    (status, serde_json::from_str(&text).expect("JSON"))
}

fn begin(server: &EnvServer) -> (String, Value) {
    let (status, opened) = send(server, "POST", "/episodes", &json!({"task": testkit::task().id}));
    assert_eq!(status, 200, "{opened}");
    (format!("/episodes/{}", opened["episode"].as_str().expect("a name")), opened)
}

fn call(command: &str) -> Value {
    let function = json!({"name": "bash", "arguments": json!({"command": command}).to_string()});
    json!({"role": "assistant", "content": "", "tool_calls": [{"id": "c7", "type": "function", "function": function}]})
}

#[test]
fn a_client_acts_in_a_sandbox_and_its_work_is_graded() {
    let server = server();
    let (path, opened) = begin(&server);
    let roles: Vec<_> = opened["messages"].as_array().expect("a list").iter().map(|it| it["role"].clone()).collect();
    assert_eq!((roles, &opened["done"]), (vec![json!("system"), json!("user")], &json!(false)));
    assert_eq!(opened["tools"][0]["function"]["name"], "bash");

    let (_, seen) = send(&server, "POST", &format!("{path}/act"), &call("cat a.txt; printf yes > done"));
    let expected = json!({"messages": [{"role": "tool", "tool_call_id": "c7", "content": "alpha"}], "done": false});
    assert_eq!(seen, expected);

    let (_, end) = send(&server, "POST", &format!("{path}/act"), &json!({"role": "assistant", "content": "I did"}));
    assert_eq!((&end["done"], &end["reward"], &end["valid"]), (&json!(true), &json!(1.0), &json!(true)));
    assert_eq!((&end["end"], &end["detail"], &end["files"]), (&json!("submitted"), &json!("I did"), &json!(["done"])));
    assert!(!end.to_string().contains("hidden_test"), "single tests are not told: {end}");
    assert_eq!(send(&server, "GET", &path, &Value::Null).1["reward"], json!(1.0));
    assert_eq!(send(&server, "POST", &format!("{path}/act"), &call("ls")).0, 409);
    assert_eq!(send(&server, "DELETE", &path, &Value::Null).0, 200);
    assert_eq!(send(&server, "GET", &path, &Value::Null).0, 404);
}

#[test]
fn a_call_that_cannot_be_read_is_an_observation_that_answers_it() {
    let server = server();
    let (path, _) = begin(&server);
    let mut wrong = call("ls");
    wrong["tool_calls"][0]["function"]["arguments"] = json!("{");
    let (status, seen) = send(&server, "POST", &format!("{path}/act"), &wrong);
    assert_eq!((status, &seen["messages"][0]["tool_call_id"]), (200, &json!("c7")));
    assert!(seen["messages"][0]["content"].as_str().expect("text").starts_with("malformed reply"), "{seen}");
}

#[test]
fn the_turn_limit_and_a_full_context_end_an_episode_with_what_is_there() {
    let server = server();
    let (path, _) = begin(&server);
    let ends: Vec<Value> = (0..4).map(|_| send(&server, "POST", &format!("{path}/act"), &call("true")).1).collect();
    let done: Vec<_> = ends.iter().map(|end| end["done"] == json!(true)).collect();
    assert_eq!((done, &ends[3]["end"]), (vec![false, false, false, true], &json!("turn_limit")));
    let (path, _) = begin(&server);
    send(&server, "POST", &format!("{path}/act"), &call("printf yes > done"));
    let (_, end) = send(&server, "POST", &format!("{path}/full"), &Value::Null);
    assert_eq!((&end["end"], &end["reward"]), (&json!("context_full"), &json!(1.0)));
}

#[test]
fn what_infrastructure_broke_has_no_reward() {
    let server = server_with(false, EnvConfig::default());
    let (_, opened) = begin(&server);
    assert_eq!((&opened["done"], &opened["valid"], &opened["reward"]), (&json!(true), &json!(false), &Value::Null));
    assert_eq!(opened["cause"], json!({"boundary": "sandbox", "message": "no space"}));
}

#[test]
fn a_client_that_leaves_or_falls_silent_ends_its_episode_alone() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = kept.clone();
    let keep: Keep = Arc::new(move |episode| {
        lock(&keep).push(episode);
        Ok(())
    });
    let config = EnvConfig { patience: Duration::from_millis(200), keep: Some(keep), ..EnvConfig::default() };
    let server = server_with(true, config);
    let (silent, _) = begin(&server);
    let (leaving, _) = begin(&server);
    assert_eq!(send(&server, "DELETE", &leaving, &Value::Null).0, 200);
    let is_over = || send(&server, "GET", &silent, &Value::Null).1["done"] == json!(true);
    while !is_over() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let (_, line) = send(&server, "GET", &silent, &Value::Null);
    assert_eq!((&line["valid"], &line["cause"]["boundary"]), (&json!(false), &json!("model")));
    let mut causes: Vec<_> = lock(&kept).iter().map(|episode| format!("{:?}", episode.grade)).collect();
    causes.sort();
    assert_eq!(causes.len(), 2);
    assert!(causes[0].contains("left the episode") && causes[1].contains("said nothing for 0.2 s"), "{causes:?}");
}

#[test]
fn a_submission_can_be_graded_without_an_episode() {
    let server = server();
    let path = format!("/tasks/{}/grade", testkit::task().id);
    let done = json!({"answer": "x", "files": [{"path": "done", "content": "yes"}]});
    assert_eq!(send(&server, "POST", &path, &done).1["reward"], json!(1.0));
    assert_eq!(send(&server, "POST", &path, &json!({})).1["reward"], json!(0.0));
    for wrong in [json!({"files": [{"path": "../x"}]}), json!({"files": 3}), json!({"answer": 3})] {
        assert_eq!(send(&server, "POST", &path, &wrong).0, 400, "{wrong}");
    }
}

#[test]
fn what_cannot_be_served_is_refused_with_a_reason() {
    let config = EnvConfig { most: 1, ..EnvConfig::default() };
    let server = server_with(true, config);
    let (path, _) = begin(&server);
    let refused = |method: &str, path: &str, body: Value| send(&server, method, path, &body);
    let (status, error) = refused("POST", "/episodes", json!({"task": testkit::task().id}));
    assert_eq!(status, 429, "{error}");
    assert_eq!(refused("POST", "/episodes", json!({"task": "none"})).0, 404);
    assert_eq!(refused("POST", "/episodes", json!({})).0, 400);
    assert_eq!(refused("POST", &format!("{path}/act"), json!({"role": "user", "content": "x"})).0, 400);
    assert_eq!(refused("PUT", "/tasks", Value::Null).0, 404);
    let listed = refused("GET", "/tasks", Value::Null).1;
    assert!(!listed.to_string().contains("hidden"), "{listed}");
}

#[test]
fn a_key_is_wanted_where_there_is_one() {
    let server = server_with(true, EnvConfig { key: Some("secret".into()), ..EnvConfig::default() });
    let status = |value: Option<&str>| {
        let headers = value.map(|value| ("authorization".to_owned(), value.to_owned())).into_iter().collect();
        let request = Request { method: "GET".into(), path: "/tasks".into(), headers, ..Request::default() };
        server.handle(&request).status()
    };
    let answers =
        [None, Some("Bearer other"), Some("Bearer secretly"), Some("Bearer secret"), Some("Bearer secret:s1")];
    assert_eq!(answers.map(status), [401, 401, 401, 200, 200]);
}

#[test]
fn a_box_runs_commands_and_takes_and_gives_files_as_tar() {
    let layers = Mutex::new(Vec::new());
    let open: Open = Box::new(move |_| {
        let (layer, sandbox) = testkit::sandbox(&[("a.txt", "alpha\n")]);
        lock(&layers).push(layer);
        Ok(sandbox)
    });
    let server = server_with(true, EnvConfig { open: Some(open), ..EnvConfig::default() });
    let (_, opened) = send(&server, "POST", "/sandboxes", &json!({"task": testkit::task().id}));
    let path = format!("/sandboxes/{}", opened["sandbox"].as_str().expect("a name"));
    let shell = |line: &str| {
        let body = json!({"command": ["sh", "-c", line], "env": {"X": "1"}, "cwd": "/repo", "seconds": 5});
        send(&server, "POST", &format!("{path}/exec"), &body).1
    };
    assert_eq!(
        (&shell("cat a.txt; echo $X; exit 3")["status"], &shell("cat a.txt")["stdout"]),
        (&json!(3), &json!("alpha\n"))
    );
    let request = |method: &str, to: &str, body: Vec<u8>| {
        let request = Request { method: method.into(), path: format!("{path}/{to}"), body, ..Request::default() };
        server.handle(&request)
    };
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o644);
    archive.append_data(&mut header, "b.txt", &b"beta\n"[..]).expect("memory takes everything");
    assert_eq!(request("POST", "put/repo/new", archive.into_inner().expect("whole")).status(), 200);
    assert_eq!(shell("cat new/b.txt")["stdout"], "beta\n");
    let (status, text) = request("GET", "get/repo/new/b.txt", Vec::new()).into_parts();
    assert!(status == 200 && text.contains("beta\n"), "{text}");
    assert_eq!(request("GET", "get/repo/none", Vec::new()).status(), 422);
    assert_eq!(send(&server, "POST", &format!("{path}/exec"), &json!({"command": "ls"})).0, 400);
    assert_eq!(
        (send(&server, "DELETE", &path, &Value::Null).0, send(&server, "DELETE", &path, &Value::Null).0),
        (200, 404)
    );
}
