//! Faults put into a real rollout: sandboxes that die, a grader that panics, a full disk, cut reports, a clock that jumps. What comes out
//! is the right verdict or an invalid episode, and the rest of the group goes on.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use basis_sandbox::patience::Patient;
use basis_sandbox::{
    Backend, Captured, Change, Command, Enforcement, Outcome, Output, Sandbox, SandboxError, SandboxSpec,
};

use super::{Crew, Job, Roster, dispatch};
use crate::episode::{Episode, Grade, Observation, Reply, Submission, ToolCall};
use crate::grade::Workshop;
use crate::policy::Policy;
use crate::policy::reference::Reference;
use crate::policy::scripted::{Script, Scripted};
use crate::skills::{Build, find};
use crate::stats::Evaluation;
use crate::task::Task;
use crate::testkit;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Killed,
    Silent,
    Unmade,
    Panic,
    NoDisk,
    NoMemory,
    HalfReport,
    KilledRunner,
    ClockJump,
}

/// A backend whose sandboxes from number `first` on go wrong, `times` of them.
struct Faulty {
    inner: Arc<dyn Backend>,
    fault: Fault,
    first: usize,
    times: usize,
    created: AtomicUsize,
}

impl Backend for Faulty {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn enforcement(&self) -> Vec<Enforcement> {
        self.inner.enforcement()
    }

    fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, SandboxError> {
        let number = self.created.fetch_add(1, Ordering::SeqCst);
        let fault = (self.first..self.first + self.times).contains(&number).then_some(self.fault);
        match fault {
            Some(Fault::NoDisk) => {
                Err(SandboxError::system("make the upper layer", std::io::Error::from_raw_os_error(28)))
            }
            // For longer than this test.
            Some(Fault::Unmade) => loop {
                std::thread::park();
            },
            Some(Fault::NoMemory) => Err(SandboxError::system("clone", std::io::Error::from_raw_os_error(12))),
            fault => Ok(Box::new(Spoiled { inner: self.inner.create(spec)?, fault })),
        }
    }
}

struct Spoiled {
    inner: Box<dyn Sandbox>,
    fault: Option<Fault>,
}

impl Spoiled {
    /// Kills the real sandbox under its user, once.
    fn strike(&mut self) -> Result<(), SandboxError> {
        match self.fault {
            Some(Fault::Killed) => {
                self.fault = None;
                self.inner.destroy()
            }
            // For longer than this test.
            Some(Fault::Silent) => loop {
                std::thread::park();
            },
            Some(Fault::Panic) => panic!("the grader broke"),
            _ => Ok(()),
        }
    }
}

impl Sandbox for Spoiled {
    fn exec(&mut self, command: &Command) -> Result<Output, SandboxError> {
        self.strike()?;
        let mut output = self.inner.exec(command)?;
        let half = |report: Captured| Captured {
            bytes: report.bytes[..report.bytes.len() / 2].to_vec(),
            total: report.total / 2,
        };
        match self.fault {
            Some(Fault::HalfReport) => output.report = half(output.report),
            Some(Fault::KilledRunner) => {
                output.outcome = Outcome::Signalled(9);
                output.report = half(output.report);
            }
            Some(Fault::ClockJump) => output.duration = Duration::from_secs(400 * 24 * 3600),
            _ => {}
        }
        Ok(output)
    }

    fn read(&mut self, path: &str, max_bytes: u64) -> Result<Vec<u8>, SandboxError> {
        self.strike()?;
        self.inner.read(path, max_bytes)
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SandboxError> {
        self.strike()?;
        self.inner.write(path, bytes)
    }

    fn freeze(&mut self) -> Result<(), SandboxError> {
        self.inner.freeze()
    }

    fn changes(&mut self) -> Result<Vec<Change>, SandboxError> {
        self.inner.changes()
    }

    fn destroy(&mut self) -> Result<(), SandboxError> {
        self.inner.destroy()
    }
}

/// Samples of the group; one of them is hit.
const GROUP: u32 = 4;
/// Sandboxes of one sample: the agent's, the tests that failed, the tests that did not.
const PER_SAMPLE: usize = 3;

fn edit_task(workshop: &Workshop) -> Task {
    let record = testkit::record(workshop);
    let build = Build { workshop, max_turns: 8, max_variants: 6 };
    let mut rng = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(7);
    find("edit").expect("a known skill").build(&build, &record, &mut rng).expect("the record makes tasks").remove(0)
}

fn gold(workshop: &Workshop, task: &Task) -> Submission {
    find("edit").expect("a known skill").reference(workshop, task).expect("the task has a reference")
}

fn play(workshop: &Workshop, task: &Task, policy: &dyn Policy) -> Vec<Episode> {
    let task = Arc::new(task.clone());
    let jobs = (0..GROUP).map(|sample| Job { task: task.clone(), sample, seed: 0 });
    let mut episodes = Vec::new();
    let crew = Crew { player: policy.into(), world: workshop, workers: 1, roster: &Roster::default() };
    dispatch(jobs, crew, &mut |episode| episodes.push(episode), &AtomicBool::new(false));
    episodes
}

/// What comes out of sample 1 when its sandbox `at` goes wrong `times` times; everybody else must be rewarded.
fn hit(workshop: &mut Workshop, task: &Task, fault: Fault, at: usize, times: usize) -> String {
    let inner = workshop.backend.clone();
    let submission = gold(workshop, task);
    let policy = Reference::new(Arc::new(move |_| Ok(submission.clone())));
    let first = PER_SAMPLE + at;
    let faulty = Faulty { inner: inner.clone(), fault, first, times, created: AtomicUsize::new(0) };
    workshop.backend = match fault {
        Fault::Silent | Fault::Unmade => Arc::new(Patient::new(Arc::new(faulty), Duration::from_secs(3))),
        _ => Arc::new(faulty),
    };
    let episodes = play(workshop, task, &policy);
    workshop.backend = inner;
    assert_eq!(episodes.len(), GROUP as usize, "{fault:?}: an episode is lost");
    let others = episodes.iter().filter(|episode| episode.sample != 1);
    assert!(others.clone().all(|episode| episode.reward() == Some(1.0)), "{fault:?}: the group suffers: {episodes:?}");
    bracketed(&episodes);
    let own = episodes.iter().find(|episode| episode.sample == 1).expect("every sample comes out");
    match &own.grade {
        Grade::Scored(score) => format!("{} ({})", score.reward, score.code),
        Grade::Invalid(cause) => {
            let text = serde_json::to_value(cause).expect("a cause is plain");
            format!("invalid ({})", text["boundary"].as_str().unwrap_or_default())
        }
    }
}

/// An invalid episode widens the bracket of the score and is not part of the score.
fn bracketed(episodes: &[Episode]) {
    let evaluation = Evaluation::of(episodes, 1, 0);
    let score = &evaluation.skills["edit"];
    let invalid = episodes.iter().filter(|episode| episode.reward().is_none()).count();
    assert_eq!(score.invalid, invalid);
    let solved = episodes.iter().filter(|episode| episode.reward() == Some(1.0)).count();
    assert!((score.success - solved as f64 / (episodes.len() - invalid) as f64).abs() < 1e-9);
    assert!((score.bracket.low - solved as f64 / episodes.len() as f64).abs() < 1e-9);
    assert!((score.bracket.high - (solved + invalid) as f64 / episodes.len() as f64).abs() < 1e-9);
}

#[test]
fn no_fault_of_the_infrastructure_becomes_a_zero_or_takes_the_group_with_it() {
    let (_directory, mut workshop) = testkit::workshop();
    let task = edit_task(&workshop);
    let faults = [
        ("agent's sandbox killed", Fault::Killed, 0, 2),
        ("grader's sandbox killed", Fault::Killed, 1, 2),
        ("agent's sandbox never answers", Fault::Silent, 0, 2),
        ("grader's sandbox is never made", Fault::Unmade, 1, 2),
        ("grader panics", Fault::Panic, 1, 2),
        ("no disk for the agent's sandbox", Fault::NoDisk, 0, 2),
        ("no disk for the grader's sandbox", Fault::NoDisk, 2, 3),
        ("no memory for the agent's sandbox", Fault::NoMemory, 0, 2),
        ("no memory for the grader's sandbox", Fault::NoMemory, 1, 2),
        ("half of the report is lost", Fault::HalfReport, 1, 1),
        ("test process killed from outside", Fault::KilledRunner, 1, 1),
        ("clock jumps by 400 days", Fault::ClockJump, 1, 2),
    ];
    let mut text = String::from(
        "# Faults\n\nPut into a rollout of four samples of one task whose reference is handed in; the fault hits one of them\n(`crates/gym/src/rollout/fault_tests.rs`). The other three are always rewarded. An invalid episode is no reward: training leaves it\nout of its group, evaluation leaves it out of the score and widens the bracket. `-`: it is not hit for good. A report that stays\ncut for good cannot be told from code that closes the channel, and is judged as that.\n\n| fault | once | at both attempts |\n| --- | --- | --- |\n",
    );
    for (name, fault, at, both) in faults {
        let once = hit(&mut workshop, &task, fault, at, 1);
        assert_eq!(once, "1 (ok)", "{name}");
        let twice = if both > 1 { hit(&mut workshop, &task, fault, at, both) } else { "-".to_owned() };
        assert!(twice.starts_with("invalid") || fault == Fault::ClockJump || twice == "-", "{name}: {twice}");
        let _ = writeln!(text, "| {name} | {once} | {twice} |");
    }
    for (name, command) in [
        ("agent uses up its memory", "python3 -c 'held = [bytearray(1 << 26) for _ in range(1 << 10)]'"),
        ("agent fills its disk", "head -c 300M /dev/zero > /tmp/fill; rm -f /tmp/fill"),
        ("agent kills every process", "kill -9 -1"),
    ] {
        let (submission, command) = (gold(&workshop, &task), command.to_owned());
        let policy =
            Scripted::new("wasteful", Arc::new(move |_: &Task, _| wasteful(command.clone(), submission.clone())));
        let episodes = play(&workshop, &task, &policy);
        assert!(episodes.iter().all(|episode| episode.reward() == Some(1.0)), "{name}: {:?}", episodes[0]);
        let _ = writeln!(text, "| {name}, then works | 1 (ok) | 1 (ok) |");
    }
    testkit::document("faults.md", &text);
}

/// Wastes something first, then hands in the solution.
fn wasteful(command: String, gold: Submission) -> Script {
    let mut turn = 0;
    Box::new(move |_: &[Observation]| {
        turn += 1;
        let file = &gold.files[0];
        let write = format!("cat > {} <<'EOF'\n{}EOF", file.path, file.content.as_deref().unwrap_or_default());
        match turn {
            1 => Reply { calls: vec![ToolCall::Bash { command: command.clone() }], ..Reply::default() },
            2 => Reply { calls: vec![ToolCall::Bash { command: write }], ..Reply::default() },
            _ => Reply { text: "Done.".into(), ..Reply::default() },
        }
    })
}
