//! Deadlines of the phases of training: who waits too long is told for what.
//!
//! A thread beside training knows which phases have begun. When one passes its deadline it says what is missing: the episodes of a
//! rollout by task, sample and skill, the step of an update, the directory of a checkpoint. At twice the deadline it says so for
//! the last time; whoever listens should end the process then, for a call that never returns cannot be ended from beside it. A run
//! that ends like this goes on like any other that was killed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use basis_gym::rollout::{Post, Roster, Wait};
use serde::{Deserialize, Serialize};

/// Missing episodes that are named; the others are counted.
const NAMED: usize = 8;

/// Seconds that each phase may take; 0 for as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deadlines {
    /// The episodes of one iteration. Default 3600.
    pub rollout: f64,
    /// The verdict on one episode. Default 600.
    pub grading: f64,
    /// Learning from one iteration. Default 3600.
    pub training: f64,
    /// Writing one checkpoint. Default 600.
    pub checkpoint: f64,
    /// The episodes of one probe. Default 3600.
    pub probe: f64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { rollout: 3600.0, grading: 600.0, training: 3600.0, checkpoint: 600.0, probe: 3600.0 }
    }
}

impl Deadlines {
    /// Every deadline with its name.
    pub fn all(&self) -> [(&'static str, f64); 5] {
        let Self { rollout, grading, training, checkpoint, probe } = *self;
        [
            ("rollout", rollout),
            ("grading", grading),
            ("training", training),
            ("checkpoint", checkpoint),
            ("probe", probe),
        ]
    }

    fn of(&self, phase: Phase) -> Option<Duration> {
        let seconds = self.all()[phase as usize].1;
        (seconds > 0.0).then(|| Duration::from_secs_f64(seconds))
    }
}

/// What can take too long, in the order of [`Deadlines::all`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Episodes to train on are played.
    Rollout,
    /// An episode is graded.
    Grading,
    /// The engine learns.
    Training,
    /// A checkpoint is written.
    Checkpoint,
    /// Held-out episodes are played.
    Probe,
}

impl Phase {
    /// Its name, which is that of its deadline.
    pub fn name(self) -> &'static str {
        Deadlines::default().all()[self as usize].0
    }
}

/// A phase that passed its deadline.
#[derive(Debug, Clone, PartialEq)]
pub struct Overdue {
    /// The phase.
    pub phase: Phase,
    /// Iteration, or finished iterations for a probe.
    pub iteration: u32,
    /// How long it has taken so far.
    pub waited: Duration,
    /// Its deadline.
    pub deadline: Duration,
    /// What it waits for, a line each.
    pub missing: Vec<String>,
    /// Whether twice the deadline has passed, and the process should end.
    pub is_last: bool,
}

impl fmt::Display for Overdue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, iteration, waited, deadline, missing, .. } = self;
        let (name, waited, deadline) = (phase.name(), waited.as_secs_f64(), deadline.as_secs_f64());
        write!(
            formatter,
            "{name} of iteration {iteration} has taken {waited:.0} s, more than {deadline} s; it waits for "
        )?;
        formatter.write_str(&missing.join("; "))
    }
}

/// Knows the phases that have begun.
pub(super) struct Watch {
    deadlines: Deadlines,
    /// Who plays.
    pub(super) roster: Roster,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    begun: BTreeMap<u64, Begun>,
    next: u64,
    closed: bool,
}

struct Begun {
    phase: Phase,
    iteration: u32,
    since: Instant,
    /// What it is at, where no episodes are missing.
    at: String,
    told: u32,
}

impl Watch {
    pub(super) fn new(deadlines: Deadlines) -> Self {
        Self { deadlines, roster: Roster::default(), state: Mutex::default(), changed: Condvar::new() }
    }

    /// A phase begins; it ends when what is returned is dropped.
    pub(super) fn begin(&self, phase: Phase, iteration: u32, at: &str) -> Guard<'_> {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.begun.insert(number, Begun { phase, iteration, since: Instant::now(), at: at.to_owned(), told: 0 });
        drop(state);
        self.changed.notify_all();
        Guard { watch: self, number }
    }

    /// Ends [`Watch::keep`].
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for deadlines and tells which have passed, until it is closed.
    pub(super) fn keep(&self, tell: &(dyn Fn(&Overdue) + Sync)) {
        let mut graded = BTreeMap::new();
        let mut state = self.lock();
        while !state.closed {
            let mut overdue = self.overdue(&mut state);
            overdue.extend(self.ungraded(&state, &mut graded));
            if !overdue.is_empty() {
                drop(state);
                overdue.iter().for_each(tell);
                state = self.lock();
                continue;
            }
            let patience = self.patience(&state);
            state = self.changed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The phases that have just passed their deadline, or twice that.
    fn overdue(&self, state: &mut State) -> Vec<Overdue> {
        let mut overdue = Vec::new();
        for begun in state.begun.values_mut() {
            let Some(deadline) = self.deadlines.of(begun.phase) else { continue };
            let waited = begun.since.elapsed();
            if begun.told < 2 && waited >= deadline * (begun.told + 1) {
                begun.told += 1;
                let missing = self.missing(begun);
                let Begun { phase, iteration, .. } = *begun;
                overdue.push(Overdue { phase, iteration, waited, deadline, missing, is_last: begun.told == 2 });
            }
        }
        overdue
    }

    fn missing(&self, begun: &Begun) -> Vec<String> {
        let posts = match begun.phase {
            Phase::Rollout | Phase::Probe => self.roster.posts(),
            _ => Vec::new(),
        };
        match posts.is_empty() {
            true => vec![begun.at.clone()],
            false => named(&posts),
        }
    }

    /// Episodes that have just been waiting for their verdict for longer than they may, or for twice as long; `told` is how often it
    /// was said of each.
    fn ungraded(&self, state: &State, told: &mut BTreeMap<(String, u32), (Instant, u32)>) -> Vec<Overdue> {
        let Some(deadline) = self.deadlines.of(Phase::Grading) else { return Vec::new() };
        let posts = self.roster.posts();
        let waiting = posts.iter().filter(|post| post.at == Wait::Verdict && post.waited() >= deadline);
        let iteration = state.begun.values().map(|begun| begun.iteration).max().unwrap_or_default();
        let mut overdue = Vec::new();
        for post in waiting {
            let known = told.entry((post.task.clone(), post.sample)).or_insert((post.since, 0));
            if known.0 != post.since {
                *known = (post.since, 0);
            }
            if known.1 < 2 && post.waited() >= deadline * (known.1 + 1) {
                known.1 += 1;
                let (missing, waited) = (vec![post.to_string()], post.waited());
                overdue.push(Overdue {
                    phase: Phase::Grading,
                    iteration,
                    waited,
                    deadline,
                    missing,
                    is_last: known.1 == 2,
                });
            }
        }
        overdue
    }

    /// How long nothing can become overdue that has begun; verdicts begin without a word, so that it is looked for them now and then.
    fn patience(&self, state: &State) -> Duration {
        let left = |begun: &Begun| {
            let next = self.deadlines.of(begun.phase)? * (begun.told + 1);
            (begun.told < 2).then(|| next.saturating_sub(begun.since.elapsed()))
        };
        let phases = state.begun.values().filter_map(left);
        let grading = self.deadlines.of(Phase::Grading).map(|deadline| deadline / 8);
        let shortest = phases.chain(grading).min().unwrap_or(Duration::from_secs(3600));
        shortest.max(Duration::from_millis(1))
    }

    /// A panic elsewhere cannot leave the state half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A phase that has begun.
pub(super) struct Guard<'a> {
    watch: &'a Watch,
    number: u64,
}

impl Guard<'_> {
    /// What it is at now.
    pub(super) fn at(&self, at: impl FnOnce() -> String) {
        if let Some(begun) = self.watch.lock().begun.get_mut(&self.number) {
            begun.at = at();
        }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.watch.lock().begun.remove(&self.number);
        self.watch.changed.notify_all();
    }
}

/// However training ends, nobody watches it any longer.
pub(super) struct Close<'a>(pub(super) &'a Watch);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The first episodes by name, and how many more there are.
fn named(posts: &[Post]) -> Vec<String> {
    let mut lines: Vec<String> = posts.iter().take(NAMED).map(Post::to_string).collect();
    if posts.len() > NAMED {
        lines.push(format!("{} more episodes", posts.len() - NAMED));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadlines(seconds: f64) -> Deadlines {
        Deadlines { rollout: 0.0, grading: 0.0, training: seconds, checkpoint: seconds, probe: 0.0 }
    }

    /// What is told while a checkpoint takes until it was told of it `times` times.
    fn told(deadlines: Deadlines, times: usize) -> Vec<Overdue> {
        let (watch, said) = (Watch::new(deadlines), Mutex::new(Vec::new()));
        let tell = |overdue: &Overdue| said.lock().expect("nobody panics").push(overdue.clone());
        std::thread::scope(|scope| {
            scope.spawn(|| watch.keep(&tell));
            let _close = Close(&watch);
            drop(watch.begin(Phase::Training, 6, "gradients"));
            let guard = watch.begin(Phase::Checkpoint, 7, "");
            guard.at(|| "the directory `x`".to_owned());
            while said.lock().expect("nobody panics").len() < times {
                std::thread::yield_now();
            }
        });
        said.into_inner().expect("nobody panics")
    }

    #[test]
    fn a_phase_is_told_of_at_its_deadline_and_for_the_last_time_at_twice_that() {
        let told = told(deadlines(0.05), 2);
        let [first, last] = &told[..] else { panic!("{told:?}") };
        assert_eq!((first.phase, first.iteration, first.is_last), (Phase::Checkpoint, 7, false));
        assert!(last.is_last && last.waited >= 2 * last.deadline, "{last:?}");
        let text = first.to_string();
        assert!(text.starts_with("checkpoint of iteration 7 has taken "), "{text}");
        assert!(text.ends_with(" s, more than 0.05 s; it waits for the directory `x`"), "{text}");
    }

    #[test]
    fn a_phase_without_a_deadline_takes_as_long_as_it_takes() {
        assert_eq!(told(deadlines(0.0), 0), []);
    }
}
