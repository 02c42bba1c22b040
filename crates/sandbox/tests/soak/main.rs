//! Controllers that create and destroy sandboxes as fast as they can are killed with SIGKILL at random moments, opening
//! included. Nothing of theirs may be left: no process, control group, mount, temporary file or descriptor.
//!
//! `BASIS_SOAK_CYCLES=100000 cargo test --release -p basis-sandbox --test soak -- --nocapture` is the long version.

#![expect(clippy::print_stderr, reason = "the figures are the result of the long version")]

#[path = "../conformance/again.rs"]
mod again;
mod controller;
mod left;
mod random;
mod traces;
mod user;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use basis_sandbox::{SandboxError, backends};

use controller::{Controller, Killed};
use random::Random;
use traces::Surroundings;

/// Create/destroy cycles of an ordinary run.
const CYCLES: u64 = 2_000;
/// The longest life of a controller, in times that opening the backend takes on this machine now; the shortest is zero.
const LIFE: f64 = 6.0;
/// Every second one dies while it opens the backend, or at its first sandboxes.
const SHORT_LIFE: f64 = 1.5;
/// An ordinary run ends after this time, however many cycles it has done; a busy machine does fewer.
const LONGEST: Duration = Duration::from_secs(300);
/// How long the kernel may take to clean up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Controllers alive at once.
const LANES: u64 = 2;

#[test]
fn nothing_is_left_of_controllers_that_are_killed_at_random_moments() {
    let _alone = alone();
    let Some(opening) = time_to_open() else { return };
    let asked = std::env::var("BASIS_SOAK_CYCLES").ok().map(|text| text.parse::<u64>().expect("a number"));
    let (start, seed) = (Instant::now(), u64::from(std::process::id()));
    let end = asked.is_none().then(|| start + LONGEST);
    let plan = |lane| Plan { cycles: asked.unwrap_or(CYCLES) / LANES, end, opening, seed: seed ^ lane << 32 };
    let before = Surroundings::look();
    let totals = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|lane| scope.spawn(move || soak(&plan(lane)))).collect();
        lanes.into_iter().map(|lane| lane.join().expect("no lane failed")).fold(Totals::default(), Totals::add)
    });
    before.are_unchanged();
    eprintln!(
        "seed {seed}: {} cycles, {} controllers killed in {:.0} s ({} of them before their first sandbox was done); \
         everything was gone after {:.0} ms at most",
        totals.cycles,
        totals.kills,
        start.elapsed().as_secs_f64(),
        totals.early,
        totals.slowest.as_secs_f64() * 1e3,
    );
}

/// One test at a time: their descriptors are counted.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long opening the backend takes; nothing if this machine cannot run it.
fn time_to_open() -> Option<Duration> {
    let start = Instant::now();
    match backends::open("namespace") {
        Ok(_) => Some(start.elapsed()),
        Err(SandboxError::Unavailable { reason, .. }) => {
            eprintln!("skipped: {reason}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// What one lane does.
struct Plan {
    cycles: u64,
    end: Option<Instant>,
    opening: Duration,
    seed: u64,
}

/// What one lane did.
#[derive(Default)]
struct Totals {
    cycles: u64,
    kills: u64,
    early: u64,
    /// The longest time from a kill to nothing being left.
    slowest: Duration,
}

impl Totals {
    fn add(self, other: Self) -> Self {
        Self {
            cycles: self.cycles + other.cycles,
            kills: self.kills + other.kills,
            early: self.early + other.early,
            slowest: self.slowest.max(other.slowest),
        }
    }
}

fn soak(plan: &Plan) -> Totals {
    let mut random = Random(plan.seed);
    let mut totals = Totals::default();
    while totals.cycles < plan.cycles && plan.end.is_none_or(|end| Instant::now() < end) {
        let controller = Controller::start(random.next());
        let longest = if totals.kills % 2 == 0 { LIFE } else { SHORT_LIFE };
        std::thread::sleep(plan.opening.mul_f64(longest * random.share()));
        let killed = controller.kill();
        totals.slowest = totals.slowest.max(until_nothing_is_left(&killed));
        totals.kills += 1;
        totals.cycles += killed.cycles;
        totals.early += u64::from(killed.cycles == 0);
    }
    totals
}

/// How long it takes until nothing is left.
fn until_nothing_is_left(killed: &Killed) -> Duration {
    let start = Instant::now();
    while let Some(trace) = killed.trace() {
        assert!(start.elapsed() < PATIENCE, "still there after the controller's death: {trace}");
        std::thread::sleep(Duration::from_millis(2));
    }
    start.elapsed()
}
