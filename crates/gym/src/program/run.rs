//! One episode of a program: sandbox, listener, command, and what is handed in.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use basis_sandbox::{Command, Mount, Outcome, Output, Sandbox, SandboxError};

use super::{ANSWER, AgentProgram, DIRECTORY};
use crate::agent::{self, Acted, AgentLimits, Interrupted};
use crate::episode::{End, InvalidCause, ProgramRecord, Submission};
use crate::gateway::{Allowance, Enclosure, Kept};
use crate::rollout::{Job, Program, Provision, Ran, World};
use crate::serve::{Bounds, Listener, serve_within};

/// What a program may use of its listener.
const BOUNDS: Bounds = Bounds { connections: 16, body: 2 << 20, pause: Duration::from_millis(1) };
/// How long reading the answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_ANSWER: usize = 1 << 20;

impl Program for AgentProgram {
    fn name(&self) -> String {
        format!("program:{}", self.upstream.model())
    }

    fn play(&self, job: &Job, world: &dyn World) -> Result<Ran, Interrupted> {
        let allowance =
            Allowance { turns: job.task.context.max_turns, temperature: self.config.temperature, seed: job.seed };
        let enclosure = Enclosure::new(self.upstream.clone(), allowance);
        let finished = self.run(job, world, &enclosure);
        let kept = enclosure.kept();
        let interrupted = |cause| Interrupted { cause, steps: kept.steps.clone() };
        let Finished { output, answer, files, ignored } = finished.map_err(interrupted)?;
        if let Some(reason) = &kept.failure {
            return Err(interrupted(InvalidCause::Model(reason.clone())));
        }
        let end = end(&output, &kept);
        let answer = match end {
            End::Submitted => answer.unwrap_or_else(|| kept.text.clone()),
            _ => String::new(),
        };
        let mut branches = kept.branches;
        let tokens = (!branches.is_empty()).then(|| branches.remove(0).trace);
        let record = ProgramRecord {
            outcome: in_words(output.outcome),
            output: printed(&output, &world.limits()),
            turns: kept.turns,
            drifts: kept.drifts,
            branches,
        };
        let acted = Acted { steps: kept.steps, end, submission: Submission { answer, files }, ignored };
        Ok(Ran { acted, tokens, record })
    }
}

/// What is left when the program has ended.
struct Finished {
    output: Output,
    answer: Option<String>,
    files: Vec<crate::episode::FileChange>,
    ignored: Vec<(String, String)>,
}

impl AgentProgram {
    fn run(&self, job: &Job, world: &dyn World, enclosure: &Enclosure) -> Result<Finished, InvalidCause> {
        let mount = |source: &std::path::PathBuf| Mount { source: source.clone(), target: DIRECTORY.to_owned() };
        let mounts = self.config.directory.iter().map(mount).collect();
        let provision = Provision { mounts, wall: Some(self.config.wall) };
        let mut sandbox = world.sandbox_for_program(&job.task, &provision)?;
        self.run_in(sandbox.as_mut(), &job.task.prompt, enclosure, &world.limits())
            .map_err(|error| InvalidCause::Sandbox(error.to_string()))
    }

    fn run_in(
        &self,
        sandbox: &mut dyn Sandbox,
        prompt: &str,
        enclosure: &Enclosure,
        limits: &AgentLimits,
    ) -> Result<Finished, SandboxError> {
        let listener = sandbox.listen()?;
        let failed = |error| SandboxError::Lost(format!("its listener has no address: {error}"));
        let port = listener.local_addr().map_err(failed)?.port();
        let mut command = Command::new(["bash", "-c", &self.config.command]);
        command.stdin = prompt.as_bytes().to_vec();
        command.wall = Some(self.config.wall);
        command.env = self.environment(port);
        let output = while_answering(listener, enclosure, || sandbox.exec(&command))??;
        let answer = answer(sandbox)?;
        let (files, ignored) = agent::changed_files(sandbox, limits)?;
        Ok(Finished { output, answer, files, ignored })
    }

    /// What clients of OpenAI and of Anthropic look for. The keys are none: the socket says whose session it is.
    fn environment(&self, port: u16) -> BTreeMap<String, String> {
        let root = format!("http://127.0.0.1:{port}");
        let model = self.upstream.model();
        [
            ("OPENAI_BASE_URL", format!("{root}/v1")),
            ("OPENAI_API_BASE", format!("{root}/v1")),
            ("OPENAI_API_KEY", "basis".to_owned()),
            ("OPENAI_MODEL", model.clone()),
            ("ANTHROPIC_BASE_URL", root.clone()),
            ("ANTHROPIC_API_KEY", "basis".to_owned()),
            ("ANTHROPIC_MODEL", model.clone()),
            ("BASIS_URL", root),
            ("BASIS_MODEL", model),
            ("BASIS_ANSWER", ANSWER.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

/// Runs `body` while the listener is answered.
fn while_answering<T>(
    listener: TcpListener,
    enclosure: &Enclosure,
    body: impl FnOnce() -> T,
) -> Result<T, SandboxError> {
    let listener = Listener::Tcp(listener);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| serve_within(&listener, enclosure, &stop, &BOUNDS));
        let value = {
            let _stop = Stop(&stop);
            body()
        };
        match answering.join() {
            Ok(Ok(())) => Ok(value),
            Ok(Err(error)) => Err(SandboxError::Lost(format!("its listener failed: {error}"))),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// However the body ends, nobody goes on answering.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The answer that the program left in its file, if it did. What lies there may be anything, a pipe for example.
fn answer(sandbox: &mut dyn Sandbox) -> Result<Option<String>, SandboxError> {
    let mut command = Command::new(["cat", "--", ANSWER]);
    command.wall = Some(PATIENCE);
    let output = sandbox.exec(&command)?;
    let whole = output.outcome.success() && !output.stdout.truncated() && output.stdout.bytes.len() <= LONGEST_ANSWER;
    Ok(String::from_utf8(output.stdout.bytes).ok().filter(|_| whole))
}

fn end(output: &Output, kept: &Kept) -> End {
    match output.outcome {
        Outcome::TimedOut => End::TimeLimit,
        _ if kept.is_used_up => End::TurnLimit,
        _ if kept.is_full => End::ContextFull,
        outcome if outcome.success() => End::Submitted,
        _ => End::Crashed,
    }
}

fn in_words(outcome: Outcome) -> String {
    match outcome {
        Outcome::Exited(status) => format!("exited with {status}"),
        Outcome::Signalled(signal) => format!("killed by signal {signal}"),
        Outcome::TimedOut => "killed after its wall time".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn printed(output: &Output, limits: &AgentLimits) -> String {
    let text = output.stdout.text() + &output.stderr.text();
    let total = output.stdout.total + output.stderr.total;
    let dropped = total - (output.stdout.bytes.len() + output.stderr.bytes.len()) as u64;
    agent::tools::shorten(&text, dropped, limits.observation_bytes)
}
