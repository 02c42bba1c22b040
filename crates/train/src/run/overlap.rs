//! Rollouts and training at the same time.
//!
//! A second engine samples while the first one trains. Episodes come back over a channel and are recorded by this thread, which
//! also trains: while it does, they wait in the channel and go on to be played. [`Schedule`] says what may start; weights go from
//! trainer to sampler as directories, between turns, so that an episode may be sampled by several versions and says so.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use basis_gym::episode::Episode;
use basis_gym::rollout::{Crew, Job, SharedCounts, Sharing, Source, World, serve};

use super::collect::{Collected, Place, SAMPLING, Timing, over, player};
use super::schedule::Schedule;
use super::train::{Run, Step};
use super::watch::Phase;
use super::{Event, TrainError};
use crate::engines::Engine;
use crate::policy::{EnginePolicy, with_policy};

/// How long this thread waits for an episode before it looks whether it has to stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// Trains until iteration `until` is finished, with `sampler` playing.
pub(super) fn overlap(run: &mut Run<'_>, sampler: &mut dyn Engine, until: u32) -> Result<Step<()>, TrainError> {
    let dir = run.checkpoints.scratch("weights")?;
    run.stage.engine.save(&dir, false)?;
    sampler.load(&dir)?;
    let config = run.config;
    let jobs = Jobs::new(Schedule::new(run.finished, config.max_staleness, until));
    let (renderer, world, workers) = (run.stage.renderer, run.stage.world, run.stage.workers);
    let program = run.stage.program;
    let roster = &run.stage.watch.roster;
    let sharing = run.stage.share.then(|| Sharing::new(world, config.group));
    let world: &dyn World = sharing.as_ref().map_or(world, |sharing| sharing);
    let (outcome, sampling) = with_policy(sampler, renderer, &config.sampling, |policy| {
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            let jobs = &jobs;
            scope.spawn(move || {
                let program = over(program, policy);
                let crew = Crew { player: player(program.as_ref(), policy), world, workers, roster };
                serve(jobs, crew, &|ticket, episode| {
                    // The receiver is gone after a failure; then nobody needs the episode.
                    let _ = sender.send((ticket, episode));
                });
            });
            let _close = Close(jobs);
            let (open, waited) = (BTreeMap::new(), Waited::default());
            let sharing = sharing.as_ref();
            Overlap { jobs, policy, receiver, sharing, open, version: 0, waited }.go_on(run, until)
        })
    });
    // A failure of the sampler comes first: it is why episodes are invalid.
    sampling?;
    outcome
}

/// The iteration and the position of a job in it.
type Ticket = (u32, usize);

/// The schedule, shared between the threads that play and the one that trains.
struct Jobs {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    schedule: Schedule,
    /// The position of each job that is open, by its iteration, task and sample.
    positions: HashMap<(u32, String, u32), usize>,
    closed: bool,
}

impl Jobs {
    fn new(schedule: Schedule) -> Self {
        let state = State { schedule, positions: HashMap::new(), closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A panic elsewhere cannot leave the state half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// However the training thread ends, nobody waits for jobs.
struct Close<'a>(&'a Jobs);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Source for Jobs {
    type Ticket = (Ticket, Instant);

    fn next(&self) -> Option<(Self::Ticket, Job)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some((iteration, job)) = state.schedule.start() {
                let key = (iteration, job.task.id.clone(), job.sample);
                let position = state.positions.remove(&key).expect("every admitted job has one");
                return Some((((iteration, position), Instant::now()), job));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The schedule is told by the thread that trains, when the episode has arrived there.
    fn ended(&self, _: &Job, _: Duration) {}
}

/// What came back of an iteration.
struct Arrived {
    episodes: Vec<Option<Episode>>,
    reused: usize,
}

/// What the policy had done up to the last iteration, to tell what one iteration took.
#[derive(Default)]
struct Waited {
    sampling: Duration,
    asking: Duration,
    tokens: u64,
    shared: SharedCounts,
}

struct Overlap<'a> {
    jobs: &'a Jobs,
    policy: &'a EnginePolicy,
    receiver: mpsc::Receiver<((Ticket, Instant), Episode)>,
    sharing: Option<&'a Sharing<'a>>,
    open: BTreeMap<u32, Arrived>,
    /// Sets of weights handed to the sampler.
    version: u64,
    waited: Waited,
}

impl Overlap<'_> {
    fn go_on(&mut self, run: &mut Run<'_>, until: u32) -> Result<Step<()>, TrainError> {
        while run.finished < until {
            self.admit(run)?;
            let start = Instant::now();
            if let Step::Stopped = self.gather(run)? {
                return Ok(Step::Stopped);
            }
            let iteration = run.finished + 1;
            let collected = self.collected(iteration, start.elapsed());
            run.stage.record_invalid(Place { phase: "train", iteration }, &collected.episodes)?;
            run.learn(&collected)?;
            self.jobs.lock().schedule.trained();
            self.publish(run)?;
        }
        Ok(Step::Done(()))
    }

    /// Opens every iteration that may begin; what is on record of it is used again.
    fn admit(&mut self, run: &mut Run<'_>) -> Result<(), TrainError> {
        loop {
            let Some(iteration) = self.jobs.lock().schedule.admissible() else { return Ok(()) };
            let place = Place { phase: "train", iteration };
            let all = run.jobs_of(iteration);
            let mut recorded = run.stage.recorded(place)?;
            let total = all.len();
            let mut arrived = Arrived { episodes: Vec::with_capacity(total), reused: 0 };
            let mut missing = Vec::new();
            let mut state = self.jobs.lock();
            for (position, job) in all.into_iter().enumerate() {
                arrived.episodes.push(recorded.remove(&(job.task.id.clone(), job.sample)));
                if arrived.episodes[position].is_none() {
                    state.positions.insert((iteration, job.task.id.clone(), job.sample), position);
                    missing.push(job);
                }
            }
            arrived.reused = total - missing.len();
            state.schedule.admit(missing);
            drop(state);
            self.jobs.changed.notify_all();
            self.open.insert(iteration, arrived);
        }
    }

    /// Records episodes until the next iteration is complete.
    fn gather(&mut self, run: &mut Run<'_>) -> Result<Step<()>, TrainError> {
        let iteration = run.finished + 1;
        let _begun = run.stage.watch.begin(Phase::Rollout, iteration, SAMPLING);
        let episodes = &self.open[&iteration].episodes;
        let (total, reused) = (episodes.len(), episodes.iter().flatten().count());
        (run.stage.events)(Event::Rollout { phase: "train", iteration, total, reused });
        while !self.jobs.lock().schedule.is_complete() {
            match self.receiver.recv_timeout(PATIENCE) {
                Ok((ticket, episode)) => self.arrive(run, ticket, episode)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Step::Stopped),
            }
            if run.stage.stop.load(Ordering::Relaxed) {
                return self.drain(run);
            }
        }
        Ok(Step::Done(()))
    }

    /// Lets the running episodes end, and records them.
    fn drain(&mut self, run: &mut Run<'_>) -> Result<Step<()>, TrainError> {
        self.jobs.close();
        while let Ok((ticket, episode)) = self.receiver.recv() {
            self.arrive(run, ticket, episode)?;
        }
        Ok(Step::Stopped)
    }

    fn arrive(
        &mut self,
        run: &mut Run<'_>,
        ((iteration, position), started): (Ticket, Instant),
        episode: Episode,
    ) -> Result<(), TrainError> {
        if episode.reward().is_some() {
            run.stage.log.record("train", iteration, &episode).map_err(TrainError::Log)?;
        }
        self.jobs.lock().schedule.ended(iteration, &episode.skill, started.elapsed());
        let arrived = self.open.get_mut(&iteration).expect("only open iterations have jobs");
        arrived.episodes[position] = Some(episode);
        let done = arrived.episodes.iter().flatten().count();
        let total = arrived.episodes.len();
        let episode = arrived.episodes[position].as_ref().expect("has just arrived");
        (run.stage.events)(Event::Episode { phase: "train", iteration, done, total, episode });
        Ok(())
    }

    fn collected(&mut self, iteration: u32, wall: Duration) -> Collected {
        let arrived = self.open.remove(&iteration).expect("the iteration is complete");
        let episodes: Vec<Episode> = arrived.episodes.into_iter().flatten().collect();
        let (sampling, asking) = (self.policy.busy(), self.policy.waited());
        let shared = self.sharing.map(Sharing::counts).unwrap_or_default();
        let now = Waited { sampling, asking, tokens: self.policy.sampled_tokens(), shared };
        let acting: Duration = episodes.iter().map(|episode| episode.acting).sum();
        let timing = Timing {
            wall,
            sampling: now.sampling - self.waited.sampling,
            sandbox: acting.saturating_sub(now.asking - self.waited.asking),
            grading: episodes.iter().map(|episode| episode.grading).sum(),
            tokens: now.tokens - self.waited.tokens,
        };
        let shared = self.sharing.map(|_| now.shared - self.waited.shared);
        self.waited = now;
        Collected { episodes, stopped: false, reused: arrived.reused, timing, shared }
    }

    /// Hands the new weights to the sampler. Two directories in turn: one may still be read while the next is written.
    fn publish(&mut self, run: &mut Run<'_>) -> Result<(), TrainError> {
        self.version += 1;
        let at = "the sampler, which has not loaded the weights before";
        let _begun = run.stage.watch.begin(Phase::Checkpoint, run.finished, at);
        let dir: PathBuf = run.checkpoints.scratch(&format!("weights-{}", self.version % 2))?;
        run.stage.engine.save(&dir, false)?;
        self.policy.announce(dir, run.stage.engine.info().weight_version);
        Ok(())
    }
}
