//! A workload without a machine behind it: a policy and a world that only take time, as long as they were recorded to take.
//!
//! The dispatcher, the agent loop, the queue and the bookkeeping of episodes are the real ones. What is measured is the controller: what
//! ten thousand episodes at once cost it, and how late it is when one of them may go on.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_io::Timer;
use async_trait::async_trait;
use basis_sandbox::{Captured, Change, Command, Outcome, Output, Refused, Sandbox, SandboxError};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::World;
use crate::episode::{Episode, Grade, InvalidCause, Message, Reply, Score, Submission, ToolCall};
use crate::policy::{Action, Policy, PolicyError, Session};
use crate::task::Task;

/// What one episode takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Of each turn with a command, the time of the model and of the command.
    pub turns: Vec<(Duration, Duration)>,
    /// The time of the grader.
    pub grading: Duration,
}

impl Script {
    /// As an episode was recorded. What its turns took beside their commands is divided among them.
    pub fn of(episode: &Episode) -> Self {
        let command =
            |step: &crate::episode::Step| step.observations.iter().map(|seen| seen.duration).sum::<Duration>();
        let commands: Vec<Duration> = episode.steps.iter().map(command).collect();
        let turns = u32::try_from(commands.len().max(1)).unwrap_or(u32::MAX);
        let model = episode.acting.saturating_sub(commands.iter().sum()) / turns;
        Self { turns: commands.into_iter().map(|command| (model, command)).collect(), grading: episode.grading }
    }

    /// Scripts whose times spread a hundredfold: turns of `mean` on average, half model and half command, and 1 to `longest` of them.
    pub fn spread(seed: u64, count: usize, mean: Duration, longest: usize) -> Vec<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Ten to the power of -1 to 1 has a mean of 99/10 / ln(100).
        let scale = mean / 2 / 215 * 100;
        let mut time = || scale.mul_f64(10f64.powf(random.random_range(-1.0..1.0)));
        let mut turns = ChaCha8Rng::seed_from_u64(seed + 1);
        let script = |_| Self {
            turns: (0..turns.random_range(1..=longest)).map(|_| (time(), time())).collect(),
            grading: mean / 2,
        };
        (0..count).map(script).collect()
    }
}

/// See the module. A job plays the script whose number is its seed. Clones are the same simulation.
#[derive(Clone)]
pub struct Simulation {
    shared: Arc<Shared>,
}

struct Shared {
    scripts: Vec<Script>,
    late: Mutex<Vec<Duration>>,
}

impl Simulation {
    /// Plays these scripts, in turns; there is at least one.
    pub fn new(scripts: Vec<Script>) -> Self {
        assert!(!scripts.is_empty(), "there is at least one script");
        Self { shared: Arc::new(Shared { scripts, late: Mutex::default() }) }
    }

    /// How much later than it could an episode went on, of every wait so far, in ascending order.
    pub fn lateness(&self) -> Vec<Duration> {
        let mut late = self.shared.late.lock().expect("no panic while locked").clone();
        late.sort_unstable();
        late
    }

    fn script(&self, seed: u64) -> Script {
        self.shared.scripts[seed as usize % self.shared.scripts.len()].clone()
    }

    /// Takes so long, as a thread.
    fn wait(&self, time: Duration) {
        let start = Instant::now();
        std::thread::sleep(time);
        self.note(start, time);
    }

    fn note(&self, start: Instant, time: Duration) {
        if !time.is_zero() {
            let late = start.elapsed().saturating_sub(time);
            self.shared.late.lock().expect("no panic while locked").push(late);
        }
    }
}

impl Policy for Simulation {
    fn name(&self) -> String {
        "simulated".to_owned()
    }

    fn start(&self, _task: &Task, _sample: u32, seed: u64) -> Result<Box<dyn Session>, PolicyError> {
        Ok(Box::new(Playing { simulation: self.clone(), script: self.script(seed), turn: 0 }))
    }
}

struct Playing {
    simulation: Simulation,
    script: Script,
    turn: usize,
}

#[async_trait]
impl Session for Playing {
    async fn act(&mut self, _new: &[Message]) -> Result<Action, PolicyError> {
        let turn = self.script.turns.get(self.turn).copied();
        self.turn += 1;
        let Some((model, command)) = turn else {
            let text = self.script.grading.as_secs_f64().to_string();
            return Ok(Action::Reply(Reply { text, ..Reply::default() }));
        };
        let start = Instant::now();
        Timer::after(model).await;
        self.simulation.note(start, model);
        let command = ToolCall::Bash { command: format!("sleep {}", command.as_secs_f64()) };
        Ok(Action::Reply(Reply { text: String::new(), calls: vec![command], malformed: None }))
    }
}

impl World for Simulation {
    fn sandbox(&self, _task: &Task) -> Result<Box<dyn Sandbox>, InvalidCause> {
        Ok(Box::new(Sleeper(Some(self.clone()))))
    }

    fn grade(&self, _task: &Task, submission: &Submission) -> Grade {
        // The answer is how long grading it takes.
        let Ok(seconds) = submission.answer.parse() else {
            return Grade::Invalid(InvalidCause::Task(format!("`{}` is no time", submission.answer)));
        };
        self.wait(Duration::from_secs_f64(seconds));
        ok()
    }
}

/// A world that takes no time, for models that are real.
pub struct Effortless;

impl World for Effortless {
    fn sandbox(&self, _task: &Task) -> Result<Box<dyn Sandbox>, InvalidCause> {
        Ok(Box::new(Sleeper(None)))
    }

    fn grade(&self, _task: &Task, _submission: &Submission) -> Grade {
        ok()
    }
}

fn ok() -> Grade {
    Grade::Scored(Score { reward: 1.0, code: "ok".to_owned(), detail: String::new(), table: Vec::new() })
}

/// Takes the time that its commands say, or none.
struct Sleeper(Option<Simulation>);

impl Sandbox for Sleeper {
    fn exec(&mut self, command: &Command) -> Result<Output, SandboxError> {
        let seconds = || command.argv.last()?.strip_prefix("sleep ")?.parse().ok();
        let mut duration = Duration::ZERO;
        if let Some(simulation) = &self.0 {
            duration = Duration::from_secs_f64(seconds().unwrap_or_default());
            simulation.wait(duration);
        }
        let stdout = Captured { bytes: vec![b'x'; 1000], total: 1000 };
        Ok(Output {
            outcome: Outcome::Exited(0),
            stdout,
            stderr: Captured::default(),
            report: Captured::default(),
            refused: Refused::default(),
            duration,
        })
    }

    fn read(&mut self, path: &str, _max_bytes: u64) -> Result<Vec<u8>, SandboxError> {
        Err(SandboxError::NotFound(path.to_owned()))
    }

    fn write(&mut self, _path: &str, _bytes: &[u8]) -> Result<(), SandboxError> {
        Ok(())
    }

    fn freeze(&mut self) -> Result<(), SandboxError> {
        Ok(())
    }

    fn changes(&mut self) -> Result<Vec<Change>, SandboxError> {
        Ok(Vec::new())
    }

    fn destroy(&mut self) -> Result<(), SandboxError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::rollout::{Crew, Job, Roster, dispatch};
    use crate::testkit::task;

    #[test]
    fn times_spread_a_hundredfold_around_their_mean() {
        let scripts = Script::spread(1, 500, Duration::from_secs(2), 9);
        let times: Vec<f64> =
            scripts.iter().flat_map(|it| &it.turns).flat_map(|(a, b)| [a.as_secs_f64(), b.as_secs_f64()]).collect();
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        assert!((0.9..1.1).contains(&mean), "{mean}");
        let (least, most) = times.iter().fold((f64::MAX, 0f64), |(a, b), &time| (a.min(time), b.max(time)));
        assert!((50.0..101.0).contains(&(most / least)), "{least} {most}");
    }

    #[test]
    fn a_simulated_episode_is_an_episode_with_the_times_of_its_script() {
        let script = Script {
            turns: vec![(Duration::from_millis(2), Duration::from_millis(3))],
            grading: Duration::from_millis(1),
        };
        let simulation = Simulation::new(vec![script.clone()]);
        let mut episodes = Vec::new();
        let job = |sample| Job { task: Arc::new(task()), sample, seed: u64::from(sample) };
        let roster = Roster::default();
        let crew = Crew { player: (&simulation).into(), world: &simulation, workers: 20, roster: &roster };
        let stop = AtomicBool::new(false);
        let left = dispatch((0..20).map(job), crew, &mut |it| episodes.push(it), &stop);
        let turns: usize = episodes.iter().map(|episode: &Episode| episode.steps.len()).sum();
        assert_eq!((left, episodes.len(), turns, simulation.lateness().len()), (0, 20, 40, 60));
        assert!(episodes.iter().all(|episode| episode.reward() == Some(1.0)));
        assert_eq!(Script::of(&episodes[0]).turns[0].1, script.turns[0].1);
    }
}
