//! One command in a pod, from its text to its output.

use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::connection::Connection;
use super::script::{self, quote};
use super::stream::{self, Event};
use crate::{Captured, Command, Outcome, Output, Refused, SandboxError, SandboxSpec, Sink};

mod heard;
mod listener;

use listener::{Ended, Listener};

/// A limit of wall time beyond this is none.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// Processes of ours that count for the user: shells, what the keeper runs.
const OURS: u64 = 12;

/// Kills everything in the container but PID 1 and the shell that says so.
pub(super) const KILL_ALL: &str = "kill -9 -1 2> /dev/null; exit 0";

/// Runs a command to its end.
pub(super) async fn run(
    connection: &Connection,
    spec: &SandboxSpec,
    command: &Command,
    interrupts: watch::Receiver<u64>,
    sink: Sink<'_>,
) -> Result<Output, SandboxError> {
    let started = Instant::now();
    if let Some(reason) = impossible(command) {
        let stderr = Captured { bytes: reason.as_bytes().into(), total: reason.len() as u64 };
        let stdout = Captured::default();
        let ended = Ended { outcome: Outcome::Exited(126), stdout, stderr, refused: Refused::default() };
        return Ok(output(ended, Captured::default(), started));
    }
    let random = || script::token().map_err(|error| SandboxError::system("read /dev/urandom", error));
    let (token, mark) = (random()?, random()?);
    let report = command.report.then(|| format!("report-{mark}"));
    let text = text(spec, command, &token, report.as_deref());
    let argv = script::without_environment(script::shell_from_input(text.len(), &mark));
    let input = [text.as_bytes(), &command.stdin].concat();
    let ended = Notify::new();
    let reported = async {
        match &report {
            Some(pipe) => collect(connection, pipe, spec.limits.output_bytes, &ended).await,
            None => Ok(Captured::default()),
        }
    };
    let heard = async {
        let (stdin, events) = stream::start(&connection.client, &connection.agent, &argv)
            .await
            .map_err(|error| stream::lost(&connection.agent, &error))?;
        let wall = command.wall.unwrap_or(spec.limits.wall).min(spec.limits.wall).min(LONGEST);
        let mut listener = Listener::new(connection, spec, (&token, mark), started + wall, sink, interrupts);
        let result = listener.listen(stdin, events, &input).await;
        ended.notify_one();
        result
    };
    let (heard, report) = tokio::try_join!(heard, reported)?;
    Ok(output(heard, report, started))
}

fn output(ended: Ended, report: Captured, started: Instant) -> Output {
    let Ended { outcome, stdout, stderr, refused } = ended;
    Output { outcome, stdout, stderr, report, refused, duration: started.elapsed() }
}

/// Why no kernel could start this.
fn impossible(command: &Command) -> Option<&'static str> {
    let environment = command.env.iter().flat_map(|(name, value)| [name, value]);
    let all = command.argv.iter().chain(environment).chain(&command.cwd);
    all.into_iter().any(|text| text.contains('\0')).then_some("sandbox: an argument with a zero byte\n")
}

/// What the shell in the container is told.
fn text(spec: &SandboxSpec, command: &Command, token: &str, report: Option<&str>) -> String {
    let mut environment = spec.env.clone();
    environment.extend(command.env.clone());
    let mut words: Vec<String> = environment.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    // `env` would take such a program for a variable.
    if command.argv.first().is_some_and(|program| program.contains('=')) {
        words.extend(["sh", "-c", r#"exec "$@""#, "sh"].map(str::to_owned));
    }
    match command.argv.as_slice() {
        [] => words.push(String::new()),
        argv => words.extend(argv.iter().cloned()),
    }
    let variables = [
        ("token", token.to_owned()),
        ("cwd", command.cwd.clone().unwrap_or_else(|| spec.workdir.clone())),
        ("processes", (spec.limits.processes + OURS).to_string()),
        ("crowd", spec.limits.processes.to_string()),
        // Above the limit of the volume, so that a full one shows as such and not as a signal.
        ("blocks", (spec.limits.disk_bytes.saturating_add(1 << 20) / 512).to_string()),
        ("report", report.map(|pipe| format!("/basis/{pipe}")).unwrap_or_default()),
    ];
    // A list in the background would ignore what Ctrl-C sends, and so would the command.
    words.insert(0, "--default-signal=INT,QUIT".into());
    let lines: String = variables.iter().map(|(name, value)| format!("{name}={}\n", quote(value))).collect();
    lines + &script::with_words(words.iter().map(String::as_str), script::COMMAND)
}

/// Takes what the command writes to descriptor 3, until it closes that or has `ended`.
async fn collect(connection: &Connection, pipe: &str, keep: u64, ended: &Notify) -> Result<Captured, SandboxError> {
    let text = script::with_words([format!("/basis/control/agent/{pipe}").as_str()], script::REPORT);
    let argv = script::shell_from_input(text.len(), "report");
    let (mut input, mut events) = stream::start(&connection.client, &connection.keeper, &argv)
        .await
        .map_err(|error| stream::lost(&connection.keeper, &error))?;
    input.send(text.as_bytes()).await.map_err(|error| SandboxError::Lost(error.to_string()))?;
    let mut captured = Captured::default();
    let mut closed = false;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = ended.notified(), if !closed => {
                closed = true;
                // If it does not arrive, the stream is broken and says so.
                let _ = input.close().await;
                continue;
            }
            () = input.keep(), if !closed => continue,
        };
        match event {
            Event::Stdout(bytes) => heard::keep(&mut captured, &bytes, keep),
            Event::Stderr(_) => {}
            Event::Exited(_) => return Ok(captured),
            Event::Failed(reason) | Event::Cut(reason) => return Err(SandboxError::Lost(reason)),
        }
    }
}

/// What a shell's status says.
fn by_status(status: i32) -> Outcome {
    if (129..=192).contains(&status) { Outcome::Signalled(status - 128) } else { Outcome::Exited(status) }
}
