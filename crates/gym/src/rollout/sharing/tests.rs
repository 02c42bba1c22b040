//! What an episode sees and hands in is what it would have seen and handed in alone, whatever it and its group do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use basis_sandbox::{Backend, SandboxSpec, backends};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::episode::{Episode, Observation, Reply, Score, ToolCall};
use crate::policy::scripted::{Script, Scripted};
use crate::rollout::{Crew, Job, Roster, dispatch};
use crate::testkit::task;
use crate::tree::Tree;

const FILES: &[(&str, &str)] = &[("a.py", "x = 1\ny = 1\n"), ("pkg/b.py", "z = 3\n"), ("run.sh", "echo ran\n")];

/// What episodes may do. Everything that can outlive a command is made by one and looked for by another.
const COMMANDS: &[&str] = &[
    "cat a.py pkg/b.py new.py",
    "ls -a . pkg /tmp /dev/shm",
    "find . -type f",
    "cd pkg && pwd && X=1 && export X",
    "pwd; echo \"x$X\"",
    "f() { echo f; }; f; umask 077",
    "umask; type f",
    "echo new > new.py",
    "echo more >> a.py",
    "sed -i s/1/2/ a.py",
    "rm -f pkg/b.py",
    "mkdir -p d/e; touch d/e/f",
    "ln -sf a.py link; readlink link",
    "readlink link; stat -c %a a.py run.sh",
    "chmod 700 run.sh; ./run.sh",
    "./run.sh",
    "echo t > /tmp/t; echo s > /dev/shm/s",
    "cat /tmp/t /dev/shm/s",
    // Before it has left the session of the command, the end of that would be its end too.
    "setsid sh -c 'mkdir /tmp/up; exec sleep 1000' > /dev/null 2>&1 & until rmdir /tmp/up 2> /dev/null; do :; done",
    "(sleep 1000; echo late > late) & true",
    "for p in /proc/[0-9]*; do read -rd '' n < $p/cmdline && [ \"$n\" = sleep ] && echo lives; done 2> /dev/null; ls late",
    "python3 -c 'import ctypes; print(ctypes.CDLL(None).shmget(77, 10, 0o1600) >= 0)'",
    "python3 -c 'import ctypes; print(ctypes.CDLL(None).shmget(77, 10, 0) >= 0)'",
    "python3 -c 'import os; os.setxattr(\"a.py\", \"user.a\", b\"1\")' 2> /dev/null; echo $?",
    "python3 -c 'import os; print(\"user.a\" in os.listxattr(\"a.py\"))'",
    "touch -d @0 a.py",
    "stat -c %Y a.py | grep -c '^0$'",
    "kill -9 $$",
    "exit 3",
    "echo err >&2; nothing",
];

fn bash(command: &str) -> ToolCall {
    ToolCall::Bash { command: command.to_owned() }
}

fn edit(path: &str, old: &str, new: &str) -> ToolCall {
    ToolCall::StrReplace { path: path.to_owned(), old: old.to_owned(), new: new.to_owned() }
}

/// Any call: a command, or an edit that is made, refused, or makes a file.
fn call(rng: &mut ChaCha8Rng) -> ToolCall {
    match rng.random_range(0..8) {
        0 => edit("a.py", "x = 1", "x = 5"),
        1 => edit("new.py", "", "made\n"),
        2 => edit("link", "x", "y"),
        _ => bash(COMMANDS[rng.random_range(0..COMMANDS.len())]),
    }
}

/// What the samples of a group do: they begin alike and part at some place.
fn group(rng: &mut ChaCha8Rng) -> Vec<Vec<ToolCall>> {
    let common: Vec<ToolCall> = (0..4).map(|_| call(rng)).collect();
    let sample = |_| {
        let shared = rng.random_range(0..5);
        let own = rng.random_range(0..3);
        let own: Vec<ToolCall> = (0..own).map(|_| call(rng)).collect();
        [&common[..shared], &own].concat()
    };
    (0..SAMPLES).map(sample).collect()
}

const SAMPLES: usize = 6;

/// Real sandboxes on [`FILES`], counted.
struct Real {
    backend: Arc<dyn Backend>,
    layer: tempfile::TempDir,
    made: AtomicUsize,
}

impl Real {
    fn new() -> Self {
        let layer = tempfile::tempdir().expect("there is room for a layer");
        let mut tree = Tree::new();
        FILES.iter().for_each(|(path, text)| tree.insert(*path, text.as_bytes()));
        tree.write_to(layer.path()).expect("the layer is writable");
        let backend = backends::open("namespace").expect("this machine has namespaces");
        Self { backend, layer, made: AtomicUsize::new(0) }
    }

    fn create(&self) -> Result<Box<dyn Sandbox>, InvalidCause> {
        self.made.fetch_add(1, Ordering::SeqCst);
        let spec = SandboxSpec {
            root: Vec::new(),
            layers: vec![self.layer.path().to_owned()],
            workdir: "/repo".into(),
            mounts: Vec::new(),
            env: [("PATH".into(), "/usr/bin:/bin".into()), ("PYTHONDONTWRITEBYTECODE".into(), "1".into())].into(),
            limits: basis_sandbox::Limits::default(),
        };
        self.backend.create(&spec).map_err(|error| InvalidCause::Sandbox(error.to_string()))
    }
}

impl World for Real {
    fn sandbox(&self, _: &Task) -> Result<Box<dyn Sandbox>, InvalidCause> {
        self.create()
    }

    fn grade(&self, _: &Task, _: &Submission) -> Grade {
        Grade::Scored(Score { reward: 0.0, code: String::new(), detail: String::new(), table: Vec::new() })
    }
}

/// One call in each turn, then an answer.
fn policy(samples: Vec<Vec<ToolCall>>) -> Scripted {
    let begin = move |_: &Task, seed: u64| -> Script {
        let mut turns = samples[seed as usize].clone().into_iter();
        Box::new(move |_: &[Observation]| {
            let calls = turns.next().into_iter().collect();
            Reply { calls, text: "done".into(), ..Reply::default() }
        })
    };
    Scripted::new("random", Arc::new(begin))
}

/// The episodes of one group, by sample.
fn play(world: &dyn World, samples: &[Vec<ToolCall>]) -> Vec<Episode> {
    let mut task = task();
    task.context.max_turns = 8;
    let task = Arc::new(task);
    let jobs = (0..samples.len()).map(|n| Job { task: task.clone(), sample: n as u32, seed: n as u64 });
    let policy = policy(samples.to_vec());
    let crew = Crew { player: (&policy).into(), world, workers: 3, roster: &Roster::default() };
    let mut episodes = Vec::new();
    dispatch(jobs, crew, &mut |episode| episodes.push(episode), &AtomicBool::new(false));
    episodes.sort_by_key(|episode| episode.sample);
    episodes
}

/// All that an episode saw and handed in.
fn seen(episode: &Episode) -> (Vec<(String, Option<i32>)>, &Submission, &Grade) {
    let observations = episode.steps.iter().flat_map(|step| &step.observations);
    let observations = observations.map(|seen| (seen.text.clone(), seen.status)).collect();
    (observations, &episode.submission, &episode.grade)
}

#[test]
fn whatever_a_group_does_each_episode_sees_and_hands_in_what_it_would_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (separate, shared) = (Real::new(), Real::new());
    let mut counts = SharedCounts::default();
    for number in 0..40 {
        let samples = group(&mut rng);
        let sharing = Sharing::new(&shared, SAMPLES as u32);
        let (alone, together) = (play(&separate, &samples), play(&sharing, &samples));
        for ((alone, together), calls) in alone.iter().zip(&together).zip(&samples) {
            assert!(alone.reward().is_some(), "{alone:?}");
            assert_eq!(seen(together), seen(alone), "group {number}, sample {}: {calls:?}", alone.sample);
        }
        let counted = sharing.counts();
        counts.asked += counted.asked;
        counts.done += counted.done;
        counts.wanted += counted.wanted;
        counts.made += counted.made;
    }
    println!("{counts:?}");
    assert_eq!(counts.made, shared.made.load(Ordering::SeqCst) as u64);
    // Whose sandbox does what all need is decided by who comes first, and whoever waits gives up its own: how many are made varies.
    assert!(counts.done < counts.asked, "nothing was shared: {counts:?}");
}

/// Operations that were carried out and sandboxes that were made for these samples.
fn cost(samples: &[Vec<ToolCall>]) -> (u64, u64) {
    let (world, samples) = (Real::new(), samples.to_vec());
    let sharing = Sharing::new(&world, samples.len() as u32);
    play(&sharing, &samples);
    let SharedCounts { done, made, .. } = sharing.counts();
    (done, made)
}

#[test]
fn episodes_that_do_the_same_cost_one_and_those_that_part_cost_what_is_their_own() {
    let (look, change) = (bash("cat a.py"), edit("a.py", "x = 1", "x = 5"));
    // To look, to read and to write, to freeze and to list; what is handed in is read once more.
    let same = vec![vec![look.clone(), change.clone(), look.clone()]; 4];
    let (done, made) = cost(&same);
    assert_eq!(done, 1 + 2 + 1 + 3);
    assert!((1..=done).contains(&made), "{made}");
    let parting = [vec![look.clone(), change.clone(), look.clone()], vec![look.clone(), change.clone(), bash("ls")]];
    let (done, made) = cost(&parting);
    // The second one looks at another thing, freezes, lists and reads; its sandbox is given the edit once more.
    assert_eq!(done, 7 + 4);
    assert!((2..=done).contains(&made), "{made}");
}

#[test]
fn what_leaves_something_is_done_by_everybody() {
    let write = bash("echo new > new.py");
    let (done, made) = cost(&vec![vec![write]; 3]);
    // To write, to freeze, to list and to read.
    assert_eq!((done, made), (3 * 4, 3));
}

#[test]
fn the_episodes_of_another_group_begin_anew() {
    let world = Real::new();
    let sharing = Sharing::new(&world, 2);
    let samples = vec![vec![bash("true")]; 2];
    // Each group has it done once, then freezes and lists.
    for group in 1..=2 {
        play(&sharing, &samples);
        assert_eq!(sharing.counts().done, group * 3);
    }
}

#[test]
fn what_the_first_one_could_not_finish_the_others_do_themselves() {
    /// Loses the first sandbox that runs anything.
    struct Losing(Real);
    struct Lost(Box<dyn Sandbox>, bool);
    impl World for Losing {
        fn sandbox(&self, _: &Task) -> Result<Box<dyn Sandbox>, InvalidCause> {
            let first = self.0.made.load(Ordering::SeqCst) == 0;
            Ok(Box::new(Lost(self.0.create()?, first)))
        }

        fn grade(&self, task: &Task, submission: &Submission) -> Grade {
            self.0.grade(task, submission)
        }
    }
    impl Sandbox for Lost {
        fn exec(
            &mut self,
            command: &basis_sandbox::Command,
        ) -> Result<basis_sandbox::Output, basis_sandbox::SandboxError> {
            if self.1 {
                return Err(basis_sandbox::SandboxError::Lost("it died".into()));
            }
            self.0.exec(command)
        }

        fn read(&mut self, path: &str, max_bytes: u64) -> Result<Vec<u8>, basis_sandbox::SandboxError> {
            self.0.read(path, max_bytes)
        }

        fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), basis_sandbox::SandboxError> {
            self.0.write(path, bytes)
        }

        fn freeze(&mut self) -> Result<(), basis_sandbox::SandboxError> {
            self.0.freeze()
        }

        fn changes(&mut self) -> Result<Vec<basis_sandbox::Change>, basis_sandbox::SandboxError> {
            self.0.changes()
        }

        fn destroy(&mut self) -> Result<(), basis_sandbox::SandboxError> {
            self.0.destroy()
        }
    }
    let world = Losing(Real::new());
    let sharing = Sharing::new(&world, 3);
    let episodes = play(&sharing, &vec![vec![bash("cat a.py")]; 3]);
    for episode in &episodes {
        assert_eq!(seen(episode).0, [("x = 1\ny = 1".to_owned(), Some(0))], "{episode:?}");
    }
}
