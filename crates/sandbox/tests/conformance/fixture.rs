//! What most facts need: a layer, a specification, a sandbox, and a way to run shell text in it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use basis_sandbox::backends::{self, Options};
use basis_sandbox::{Backend, Command, Limits, Mount, Output, Sandbox, SandboxError, SandboxSpec};
use tempfile::TempDir;

/// Names the socket of the engine that tests may use.
const ENGINE: &str = "BASIS_TEST_ENGINE";

/// Opens a backend.
pub(crate) fn open(name: &str) -> Result<Arc<dyn Backend>, SandboxError> {
    backends::open_with(name, &options(name)?)
}

/// What a backend is told. Containers are only made by an engine that the tests were given: that of the machine may be somebody's.
pub(crate) fn options(name: &str) -> Result<Options, SandboxError> {
    let mut options = Options::default();
    if name == "container" {
        let Ok(socket) = std::env::var(ENGINE) else {
            let reason = format!("{ENGINE} does not name the socket of an engine");
            return Err(SandboxError::Unavailable { backend: "container", reason });
        };
        options.container.socket = Some(socket);
    }
    Ok(options)
}

/// A layer of files in a directory of its own.
pub(crate) fn layer(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (path, text) in files {
        put(&directory.path().join(path), text);
    }
    directory
}

/// Writes a file and makes its parents.
pub(crate) fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("has a parent")).expect("made");
    fs::write(path, text).expect("written");
}

/// A specification over `layers`, lowest first, with ordinary limits.
pub(crate) fn spec(layers: &[&TempDir]) -> SandboxSpec {
    SandboxSpec {
        root: Vec::new(),
        layers: layers.iter().map(|layer| layer.path().into()).collect(),
        workdir: "/work".into(),
        mounts: Vec::new(),
        env: BTreeMap::from([("PATH".into(), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into())]),
        limits: Limits { memory_bytes: 256 << 20, wall: Duration::from_secs(60), ..Limits::default() },
    }
}

/// A read-only mount.
pub(crate) fn mount(source: impl Into<PathBuf>, target: &str) -> Mount {
    Mount { source: source.into(), target: target.into() }
}

/// A sandbox over an empty layer.
pub(crate) fn empty(backend: &dyn Backend) -> (TempDir, Box<dyn Sandbox>) {
    let layer = layer(&[]);
    let sandbox = backend.create(&spec(&[&layer])).expect("created");
    (layer, sandbox)
}

/// A sandbox over an empty layer with other limits.
pub(crate) fn limited(backend: &dyn Backend, change: impl FnOnce(&mut Limits)) -> (TempDir, Box<dyn Sandbox>) {
    let layer = layer(&[]);
    let mut spec = spec(&[&layer]);
    change(&mut spec.limits);
    let sandbox = backend.create(&spec).expect("created");
    (layer, sandbox)
}

/// A command of the shell.
pub(crate) fn shell(script: &str) -> Command {
    Command::new(["bash", "-c", script])
}

/// Runs shell text to its end, however it ends.
pub(crate) fn run(sandbox: &mut dyn Sandbox, script: &str) -> Output {
    sandbox.exec(&shell(script)).expect("ran")
}

/// Runs shell text that must succeed, and returns its output.
pub(crate) fn text(sandbox: &mut dyn Sandbox, script: &str) -> String {
    let output = run(sandbox, script);
    assert!(
        output.outcome.success(),
        "{script}: {:?}\n{}{}",
        output.outcome,
        output.stdout.text(),
        output.stderr.text()
    );
    output.stdout.text()
}

/// Runs shell text that must fail.
pub(crate) fn fails(sandbox: &mut dyn Sandbox, script: &str) {
    let output = run(sandbox, script);
    assert!(!output.outcome.success(), "{script} succeeded:\n{}{}", output.stdout.text(), output.stderr.text());
}

thread_local! {
    /// What the backend of the fact that this thread shows does not do.
    static LACKING: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What was missing since this was last asked.
pub(crate) fn take_lacking() -> Option<String> {
    LACKING.take()
}

/// The result of an operation, or `None` when the backend says that it has no such operation.
pub(crate) fn supported<T>(result: Result<T, SandboxError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error @ SandboxError::Unsupported { .. }) => {
            LACKING.set(Some(error.to_string()));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A number of seconds to sleep that nobody else uses, by which the process is found from the host.
pub(crate) fn marker() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}.{}", 1_000_000 + std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Shell text that starts a daemon in a session of its own, which sleeps for `marker` seconds.
pub(crate) fn daemon(marker: &str) -> String {
    daemon_that(&format!("exec sleep {marker}"))
}

/// The same, of one that does what `script` says.
pub(crate) fn daemon_that(script: &str) -> String {
    // Before it has left the session of the command, the end of the command would be its end too.
    format!("setsid sh -c 'mkdir /tmp/up; {script}' > /dev/null 2>&1 & until rmdir /tmp/up 2> /dev/null; do :; done")
}

/// The processes of the machine that sleep for `marker` seconds.
pub(crate) fn sleepers(marker: &str) -> Vec<i32> {
    let wanted = format!("sleep\0{marker}\0");
    let processes = fs::read_dir("/proc").expect("listed").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == wanted.as_bytes()))
        .collect()
}

/// Waits until `condition` holds; fails after half a minute.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..3000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never came true: {what}");
}
