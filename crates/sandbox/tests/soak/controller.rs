//! The controller that is killed: a copy of this program that creates, uses and destroys sandboxes on two threads.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use basis_sandbox::{Backend, Limits, Sandbox, SandboxSpec, backends};
use tempfile::TempDir;

use crate::random::Random;
use crate::traces;

/// Says to a copy of this program that it is to be a controller, with this seed.
const SEED: &str = "BASIS_SOAK_SEED";
/// Tells commands of one controller from those of others.
pub(crate) const MARKER: &str = "BASIS_SOAK_MARKER";
/// Written to standard output after each cycle; nothing else that is written there has this byte.
const CYCLE: u8 = 1;

/// A running controller.
pub(crate) struct Controller {
    process: Child,
    temporary: TempDir,
    marker: String,
}

/// A controller that was killed, and what it had done by then.
pub(crate) struct Killed {
    pid: u32,
    temporary: TempDir,
    marker: String,
    pub(crate) cycles: u64,
}

impl Controller {
    pub(crate) fn start(seed: u64) -> Self {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let marker = format!("{seed:016x}");
        let process = Command::new("/proc/self/exe")
            .args(["--exact", "controller::controller", "--nocapture"])
            .env(SEED, seed.to_string())
            .env(MARKER, &marker)
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        Self { process, temporary, marker }
    }

    pub(crate) fn kill(mut self) -> Killed {
        self.process.kill().expect("killed");
        self.process.wait().expect("collected");
        let mut output = Vec::new();
        // The spawner has closed its copy, so this ends.
        self.process.stdout.take().expect("piped").read_to_end(&mut output).expect("read");
        let cycles = output.iter().filter(|byte| **byte == CYCLE).count() as u64;
        Killed { pid: self.process.id(), temporary: self.temporary, marker: self.marker, cycles }
    }
}

impl Controller {
    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it has a sandbox done.
    pub(crate) fn at_work(&mut self) {
        let mut byte = [0];
        while byte != [CYCLE] {
            self.process.stdout.as_mut().expect("piped").read_exact(&mut byte).expect("the controller lives");
        }
    }
}

impl Killed {
    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Something that is still left.
    pub(crate) fn trace(&self) -> Option<String> {
        traces::process(self.pid, &self.marker)
            .or_else(|| traces::control_group(self.pid))
            .or_else(|| traces::file(self.temporary.path()))
    }
}

/// What the copy does; an ordinary run of the tests does nothing here.
#[test]
fn controller() {
    let Ok(seed) = std::env::var(SEED) else { return };
    let seed: u64 = seed.parse().expect("a number");
    let marker = std::env::var(MARKER).expect("given with the seed");
    let backend = backends::open("namespace").expect("opened");
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (backend, marker) = (backend.as_ref(), &marker);
            scope.spawn(move || {
                let mut random = Random(seed ^ thread);
                loop {
                    cycle(backend, marker, &mut random);
                    std::io::stdout().write_all(&[CYCLE]).and_then(|()| std::io::stdout().flush()).expect("written");
                }
            });
        }
    });
}

fn cycle(backend: &dyn Backend, marker: &str, random: &mut Random) {
    let mut sandbox = backend.create(&spec(marker)).expect("created");
    let shell = |sandbox: &mut dyn Sandbox, script: &str| {
        sandbox.exec(&basis_sandbox::Command::new(["sh", "-c", script])).expect("ran");
    };
    match random.below(8) {
        0 | 1 => shell(sandbox.as_mut(), "echo text > file"),
        2 => shell(sandbox.as_mut(), "setsid sleep 1000 > /dev/null 2>&1 &"),
        3 => sandbox.write("directory/file", &[b'x'; 100_000]).expect("written"),
        4 => {
            shell(sandbox.as_mut(), "rm -rf applications; mkdir applications");
            sandbox.freeze().expect("frozen");
            sandbox.changes().expect("listed");
        }
        _ => {}
    }
    match random.below(2) {
        0 => sandbox.destroy().expect("destroyed"),
        _ => drop(sandbox),
    }
}

fn spec(marker: &str) -> SandboxSpec {
    SandboxSpec {
        root: Vec::new(),
        layers: vec!["/usr/share".into()],
        workdir: "/work".into(),
        mounts: Vec::new(),
        env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into()), (MARKER.into(), marker.into())]),
        limits: Limits { memory_bytes: 256 << 20, ..Limits::default() },
    }
}
