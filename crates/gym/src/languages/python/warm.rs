//! Runs tests of many variants of one tree in one sandbox, each in a fork of an interpreter that has the runner imported.
//!
//! Starting an interpreter, importing pytest and beginning a session takes many times longer than most suites; what of that does not
//! depend on the variant is done once; where the code that a variant changes does not run before the tests, importing the package and
//! collecting its tests as well (`basis_runner/collected.py` says why that is the same). This is for code that is trusted,
//! as packages and their mutations are when they are mined: the runs share a sandbox, so that one could change what a later
//! one sees. Never for what an agent handed in. A run that does leave something behind is the last one of its sandbox; that,
//! and whatever else goes wrong, only costs time, because the remaining runs are then made as usual, in fresh sandboxes.
//!
//! All runs of a sandbox share the seed of the hashes of strings; a test that depends on their order fails or passes in all.

use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Captured, Command, Limits, Outcome, Output, Refused, SandboxError};

use super::Environment;
use super::assemble::assemble;
use super::run::{instructions, runner_command, runner_module};
use crate::languages::{Secrets, TestReport, WarmRun};

/// Time for starting the interpreter, and between two runs.
const OVERHEAD: Duration = Duration::from_secs(30);

/// Runs all of them on the tree that `layers` make; a run of which nothing can be said is `None` and must be made in a fresh
/// sandbox.
///
/// # Errors
/// [`SandboxError`] when the infrastructure failed.
pub fn run_warm(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &[PathBuf],
    runs: &[WarmRun<'_>],
    limits: &Limits,
) -> Result<Vec<Option<TestReport>>, SandboxError> {
    let own = Secrets::draw()?;
    // One session collects the canaries for many runs.
    let like_own = |secrets| Secrets { canaries: own.canaries.clone(), ..secrets };
    let secrets = runs.iter().map(|_| Secrets::draw().map(like_own)).collect::<Result<Vec<_>, _>>()?;
    let walls: Duration = runs.iter().map(|run| run.wall).sum();
    let limits = Limits {
        wall: OVERHEAD + walls + walls / 10,
        output_bytes: limits.output_bytes.saturating_mul(runs.len() as u64),
        ..limits.clone()
    };
    let command = command(environment, &own, runs, &secrets);
    let output = super::run::run_command(backend, environment, layers, &limits, &command)?;
    let parts = split(&output.report, &own.nonce);
    let mut reports: Vec<Option<TestReport>> = runs.iter().map(|_| None).collect();
    for (index, (run, secrets)) in runs.iter().zip(&secrets).enumerate() {
        // What was begun and not finished has no part.
        if let Some(part) = parts.iter().find(|part| part.index == index) {
            reports[index] = Some(assemble(&part.output(), run.selection, secrets));
        }
    }
    Ok(reports)
}

fn command(environment: &Environment, own: &Secrets, runs: &[WarmRun<'_>], secrets: &[Secrets]) -> Command {
    let mut head = vec![("nonce", own.nonce.clone()), ("runner", runner_module(environment).to_owned())];
    head.extend(environment.packages().map(|path| ("packages", path.to_owned())));
    let mut command = runner_command("warm", &head);
    for (index, (run, secrets)) in runs.iter().zip(secrets).enumerate() {
        let mut lines = instructions(environment, run.selection, secrets);
        lines.push(("index", index.to_string()));
        lines.push(("wall", run.wall.as_secs_f64().to_string()));
        lines.extend(run.patch.iter().map(|(path, bytes)| ("patch", format!("{path}\t{}", base64(bytes)))));
        command.stdin.extend_from_slice(b"run\t\n");
        command.stdin.extend(runner_command("", &lines).stdin);
    }
    command
}

/// What one run wrote, and how it ended.
struct Part<'a> {
    index: usize,
    report: &'a [u8],
    status: i32,
    late: bool,
    duration: Duration,
}

/// The line between two runs.
#[derive(serde::Deserialize)]
struct Ran {
    nonce: String,
    event: String,
    index: usize,
    status: i32,
    late: bool,
    ms: f64,
}

/// Cuts the report where the runner says that a run has ended. What comes after the last one is nobody's.
fn split<'a>(report: &'a Captured, nonce: &str) -> Vec<Part<'a>> {
    let (mut parts, mut begin, mut line) = (Vec::new(), 0, 0);
    for (end, _) in report.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let ran = serde_json::from_slice::<Ran>(&report.bytes[line..end]).ok();
        if let Some(ran) = ran.filter(|ran| ran.nonce == nonce && ran.event == "ran") {
            parts.push(Part {
                index: ran.index,
                report: &report.bytes[begin..line],
                status: ran.status,
                late: ran.late,
                duration: Duration::from_secs_f64((ran.ms / 1000.0).clamp(0.0, 1e6)),
            });
            begin = end + 1;
        }
        line = end + 1;
    }
    parts
}

impl Part<'_> {
    /// What a fresh sandbox would have given.
    fn output(&self) -> Output {
        const STATUS: i32 = 0xff00;
        let outcome = match self.status & 0x7f {
            _ if self.late => Outcome::TimedOut,
            0 => Outcome::Exited((self.status & STATUS) >> 8),
            signal => Outcome::Signalled(signal),
        };
        let report = Captured { bytes: self.report.to_vec(), total: self.report.len() as u64 };
        let nothing = Captured::default;
        let (stdout, stderr, refused) = (nothing(), nothing(), Refused::default());
        Output { outcome, stdout, stderr, report, refused, duration: self.duration }
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let [one, two, three] = [0, 1, 2].map(|index| u32::from(chunk.get(index).copied().unwrap_or(0)));
        let group = one << 16 | two << 8 | three;
        for (position, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let used = position <= chunk.len();
            text.push(if used { char::from(ALPHABET[(group >> shift & 63) as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_base64() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn the_report_is_cut_where_runs_end() {
        let ran = |nonce: &str, index, status| {
            format!(
                "{{\"nonce\":\"{nonce}\",\"event\":\"ran\",\"index\":{index},\"status\":{status},\"late\":false,\"ms\":1.5,\"clean\":true}}\n"
            )
        };
        let text = format!("a\nb\n{}{}c\n{}rest", ran("n", 0, 256), ran("other", 1, 0), ran("n", 1, 9));
        let report = Captured { total: text.len() as u64, bytes: text.into_bytes() };
        let parts = split(&report, "n");
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].report, b"a\nb\n");
        assert_eq!(parts[0].output().outcome, Outcome::Exited(1));
        assert!(parts[1].report.ends_with(b"c\n"), "a line of another nonce belongs to the run");
        assert_eq!(parts[1].output().outcome, Outcome::Signalled(9));
    }
}
