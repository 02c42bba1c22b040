//! Nothing stays behind, as the engine tells it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use basis_sandbox::Holding;
use basis_sandbox::backends::{self, Options};

use crate::containers;
use crate::fixture::{daemon, empty, eventually, marker, open, sleepers, text};

/// Says to a copy of this program that it is to be a controller whose daemons have this marker.
const CONTROLLER: &str = "BASIS_TEST_CONTROLLER";

#[test]
fn nothing_is_left_of_a_container_that_is_dropped() {
    let Some(backend) = containers() else { return };
    let marker = marker();
    let (_layer, mut sandbox) = empty(backend.as_ref());
    text(sandbox.as_mut(), &daemon(&marker));
    eventually("the daemon runs", || sleepers(&marker).len() == 1);
    drop(sandbox);
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
}

#[test]
fn nothing_is_left_when_the_controller_is_killed() {
    if containers().is_none() {
        return;
    }
    let marker = marker();
    let mut controller = Command::new("/proc/self/exe")
        .args(["--exact", "leftovers::controller", "--nocapture"])
        .env(CONTROLLER, &marker)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let lines = BufReader::new(controller.stdout.take().expect("piped")).lines();
    assert!(lines.map(|line| line.expect("read")).any(|line| line.ends_with("ready")), "the controller failed");
    controller.kill().expect("killed");
    controller.wait().expect("collected");
    eventually("all its processes are gone", || sleepers(&marker).is_empty());
    let stages = |owner: &str| {
        let names = std::fs::read_dir("/tmp").expect("listed").flatten();
        names.filter(|entry| entry.file_name().to_string_lossy().contains(owner)).count()
    };
    let owner = format!(".{}.", controller.id());
    // The next controller removes the rest.
    drop(open("container").expect("opened"));
    assert_eq!(stages(&owner), 0);
}

/// The controller that is killed; an ordinary run of the tests does nothing here.
#[test]
fn controller() {
    let Ok(marker) = std::env::var(CONTROLLER) else { return };
    let backend = open("container").expect("opened");
    let mut all: Vec<_> = (0..2).map(|_| empty(backend.as_ref())).collect();
    for (_, sandbox) in &mut all {
        text(sandbox.as_mut(), &daemon(&marker));
    }
    eventually("the daemons run", || sleepers(&marker).len() == 2);
    println!("ready");
    text(all[0].1.as_mut(), "sleep 50");
}

/// What the engine's controllers hold, and what it is asked with.
fn holdings() -> (Vec<Holding>, Options) {
    let options = crate::fixture::options("container").expect("an engine was named");
    let (_, found) = backends::holdings(&options).into_iter().find(|(name, _)| *name == "container").expect("surveyed");
    (found.expect("listed"), options)
}

#[test]
fn a_living_controller_is_listed_and_not_collected() {
    let Some(backend) = containers() else { return };
    let (_layer, mut sandbox) = empty(backend.as_ref());
    text(sandbox.as_mut(), &daemon(&marker()));
    let (all, options) = holdings();
    let own = all.iter().find(|holding| holding.controller == std::process::id()).expect("listed");
    assert!(!own.is_left && own.sandboxes >= 1 && own.processes >= 2 && own.memory_bytes > 0, "{own:?}");
    assert!(own.command.contains("containers"), "{own:?}");
    assert!(own.remains.iter().any(|name| name.starts_with("container ")), "{own:?}");
    let error = backends::collect(own, &options).expect_err("refused").to_string();
    assert!(error.contains("its controller is alive"), "{error}");
}

#[test]
fn a_container_that_a_dead_controller_never_started_is_listed_and_collected() {
    let Some(_backend) = containers() else { return };
    let (_, options) = holdings();
    let socket = options.container.socket.clone().expect("named");
    let images = ask(&socket, "GET", "/images/json", "");
    let start = images.find("localhost/basis-sandbox:").expect("the image of sandboxes is there");
    let image = images[start..].split('"').next().expect("a name");
    let owner = "0.1.4711.1";
    let body = format!(
        r#"{{"Image":"{image}","Cmd":["/x"],"Labels":{{"io.basis.sandbox.controller":"{owner}"}},"HostConfig":{{"NetworkMode":"none"}}}}"#
    );
    // A backend that another test opens in the same moment sweeps it away.
    let left = (0..20).find_map(|_| {
        let made = ask(&socket, "POST", "/containers/create", &body);
        assert!(made.contains("\"Id\""), "{made}");
        holdings().0.into_iter().find(|holding| holding.name == owner)
    });
    let left = left.expect("listed");
    assert!(left.is_left && left.sandboxes == 0 && left.remains.len() == 1, "{left:?}");
    backends::collect(&left, &options).expect("collected");
    backends::collect(&left, &options).expect("twice is fine");
    assert!(!holdings().0.iter().any(|holding| holding.name == owner));
}

/// One call to the engine.
fn ask(socket: &str, method: &str, path: &str, body: &str) -> String {
    let path_of_socket = socket.strip_prefix("unix://").unwrap_or(socket);
    let mut stream = UnixStream::connect(path_of_socket).expect("connected");
    let head = format!(
        "{method} /v1.40{path} HTTP/1.1\r\nhost: engine\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    String::from_utf8_lossy(&answer).into_owned()
}
