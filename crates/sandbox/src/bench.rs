//! Measures what a sandbox costs, beside what a plain process and another sandbox cost in the same minutes.
//!
//! The cases take turns in changing order, because the speed of a busy machine changes from second to second; only ratios between rows of
//! one run mean something.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::{Backend, Command, Limits, Sandbox, SandboxError, SandboxSpec, backends};

/// One case.
#[derive(Debug, Clone, serde::Serialize)]
pub struct BenchRow {
    /// What was done.
    pub name: String,
    /// One round in ten was faster.
    pub p10: Duration,
    /// Every second round was faster.
    pub median: Duration,
    /// `p10` divided by that of the plain process.
    pub p10_ratio: f64,
    /// `median` divided by that of the plain process.
    pub median_ratio: f64,
}

/// Runs `/bin/true` in every way, `rounds` times each; the first row is the plain process.
///
/// # Errors
/// [`SandboxError`] when the `namespace` backend or a plain process cannot run here. Bubblewrap is left out if missing.
pub fn run(rounds: usize) -> Result<Vec<BenchRow>, SandboxError> {
    let backend = backends::open("namespace")?;
    let mut living = backend.create(&spec())?;
    let mut cases: Vec<(&str, Case<'_>)> = vec![
        ("plain process", Box::new(|| process(&["/bin/true"]))),
        ("namespace: create, exec, destroy", Box::new(|| whole(backend.as_ref()))),
        ("namespace: create, destroy", Box::new(|| backend.create(&spec())?.destroy())),
        ("namespace: exec in a live sandbox", Box::new(|| living.exec(&Command::new(["/bin/true"])).map(drop))),
    ];
    if process(BUBBLEWRAP).is_ok() {
        cases.push(("bubblewrap", Box::new(|| process(BUBBLEWRAP))));
    }
    let mut times = vec![Vec::with_capacity(rounds); cases.len()];
    let mut order: Vec<usize> = (0..cases.len()).collect();
    for round in 0..rounds.max(1) {
        shuffle(&mut order, round as u64);
        for &index in &order {
            let start = Instant::now();
            cases[index].1()?;
            times[index].push(start.elapsed());
        }
    }
    let names = cases.iter().map(|(name, _)| *name);
    Ok(rows(names.zip(times)))
}

type Case<'a> = Box<dyn FnMut() -> Result<(), SandboxError> + 'a>;

const BUBBLEWRAP: &[&str] = &[
    "bwrap",
    "--unshare-all",
    "--die-with-parent",
    "--ro-bind",
    "/usr",
    "/usr",
    "--symlink",
    "usr/bin",
    "/bin",
    "--symlink",
    "usr/lib",
    "/lib",
    "--symlink",
    "usr/lib64",
    "/lib64",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--tmpfs",
    "/tmp",
    "--clearenv",
    "/bin/true",
];

fn whole(backend: &dyn Backend) -> Result<(), SandboxError> {
    let mut sandbox: Box<dyn Sandbox> = backend.create(&spec())?;
    sandbox.exec(&Command::new(["/bin/true"]))?;
    sandbox.destroy()
}

fn process(argv: &[&str]) -> Result<(), SandboxError> {
    let mut command = std::process::Command::new(argv[0]);
    command.args(&argv[1..]).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().map_err(|error| SandboxError::system(format!("run {}", argv[0]), error))?;
    if status.success() { Ok(()) } else { Err(SandboxError::Lost(format!("{} ended with {status}", argv[0]))) }
}

fn spec() -> SandboxSpec {
    SandboxSpec {
        layers: vec!["/usr/share".into()],
        workdir: "/work".into(),
        mounts: Vec::new(),
        env: BTreeMap::new(),
        limits: Limits::default(),
    }
}

/// Orders the cases anew, because the kernel cleans up after one of them while the next one runs.
fn shuffle(order: &mut [usize], round: u64) {
    let mut state = round.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for last in (1..order.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, (state >> 33) as usize % (last + 1));
    }
}

fn rows<'a>(cases: impl Iterator<Item = (&'a str, Vec<Duration>)>) -> Vec<BenchRow> {
    let mut rows: Vec<BenchRow> = Vec::new();
    for (name, mut times) in cases {
        times.sort_unstable();
        let (p10, median) = (times[times.len() / 10], times[times.len() / 2]);
        let base = rows.first().map_or((p10, median), |row| (row.p10, row.median));
        rows.push(BenchRow {
            name: name.into(),
            p10,
            median,
            p10_ratio: p10.as_secs_f64() / base.0.as_secs_f64(),
            median_ratio: median.as_secs_f64() / base.1.as_secs_f64(),
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_compared_with_the_first() {
        let times = |from: u64| (from..from + 10).rev().map(Duration::from_millis).collect::<Vec<_>>();
        let rows = rows([("plain", times(9)), ("sandbox", times(19))].into_iter());
        assert_eq!((rows[1].p10, rows[1].median), (Duration::from_millis(20), Duration::from_millis(24)));
        assert_eq!((rows[0].p10_ratio, rows[1].p10_ratio), (1.0, 2.0));
    }
}
