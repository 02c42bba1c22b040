//! `bash`: runs a command line in a fresh shell in the repository.
//!
//! Nothing but files lives from one call to the next. The observation holds no durations or process ids, so that the same
//! command on the same files reads the same.

use basis_sandbox::{Command, Outcome, Output, Sandbox, SandboxError};

use super::{observation, registry::Tool};
use crate::agent::AgentLimits;
use crate::episode::{Observation, ToolCall};

/// The kernel takes at most 128 KiB in one argument.
const MAX_COMMAND_BYTES: usize = 100_000;

/// The registry entry.
pub(super) const TOOL: Tool = Tool {
    name: "bash",
    description: "Runs a shell command in the repository and shows its output.",
    parameters: &[("command", "The command line.")],
    call: |values| {
        let [command] = values.try_into().expect("there is one parameter");
        ToolCall::Bash { command }
    },
};

/// Runs `command` and shows stdout, then stderr, then how it ended unless with status 0.
pub(super) fn run(command: &str, sandbox: &mut dyn Sandbox, limits: &AgentLimits) -> Result<Observation, SandboxError> {
    if let Some(text) = unusable(command) {
        return Ok(Observation { text, status: None, duration: std::time::Duration::ZERO });
    }
    let mut shell = Command::new(["bash", "-c", command]);
    shell.wall = Some(limits.command_wall);
    let output = sandbox.exec(&shell)?;
    let status = match output.outcome {
        Outcome::Exited(status) => Some(status),
        _ => None,
    };
    Ok(Observation { text: show(&output, limits), status, duration: output.duration })
}

fn unusable(command: &str) -> Option<String> {
    if command.len() > MAX_COMMAND_BYTES {
        return Some(format!("not run: the command has {} bytes, more than {MAX_COMMAND_BYTES}", command.len()));
    }
    command.contains('\0').then(|| "not run: the command contains a NUL character".to_owned())
}

fn show(output: &Output, limits: &AgentLimits) -> String {
    let mut text = output.stdout.text();
    observation::end_line(&mut text);
    text.push_str(&output.stderr.text());
    observation::end_line(&mut text);
    let total = output.stdout.total + output.stderr.total;
    let dropped = total - (output.stdout.bytes.len() + output.stderr.bytes.len()) as u64;
    let mut text = observation::shorten(&text, dropped, limits.observation_bytes);
    match ending(output.outcome, limits) {
        Some(ending) => text.push_str(&ending),
        None if text.is_empty() => text.push_str("[no output]"),
        None => text.truncate(text.trim_end_matches('\n').len()),
    }
    text
}

fn ending(outcome: Outcome, limits: &AgentLimits) -> Option<String> {
    match outcome {
        Outcome::Exited(0) => None,
        Outcome::Exited(status) => Some(format!("[exit {status}]")),
        Outcome::Signalled(signal) => Some(format!("[killed by signal {signal}]")),
        Outcome::TimedOut => Some(format!("[killed after {} s]", limits.command_wall.as_secs_f64())),
        Outcome::OutOfMemory => Some("[killed: out of memory]".to_owned()),
        Outcome::TooMuchOutput => Some("[killed: too much output]".to_owned()),
        Outcome::Interrupted => Some("[interrupted]".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use basis_sandbox::{Captured, Refused};

    fn check(stdout: &str, stderr: &str, outcome: Outcome, expected: &str) {
        let captured = |text: &str| Captured { bytes: text.into(), total: text.len() as u64 };
        let output = Output {
            outcome,
            stdout: captured(stdout),
            stderr: captured(stderr),
            report: Captured::default(),
            refused: Refused::default(),
            duration: std::time::Duration::ZERO,
        };
        assert_eq!(show(&output, &AgentLimits::default()), expected);
    }

    #[test]
    fn stderr_and_the_status_follow_stdout() {
        check("a\n", "", Outcome::Exited(0), "a");
        check("a", "b\n", Outcome::Exited(2), "a\nb\n[exit 2]");
        check("", "", Outcome::Exited(0), "[no output]");
        check("", "", Outcome::Exited(1), "[exit 1]");
        check("a", "", Outcome::TimedOut, "a\n[killed after 10 s]");
        check("", "b", Outcome::Signalled(9), "b\n[killed by signal 9]");
        check("", "", Outcome::OutOfMemory, "[killed: out of memory]");
        check("a", "", Outcome::TooMuchOutput, "a\n[killed: too much output]");
    }

    #[test]
    fn commands_that_the_kernel_would_refuse_are_not_run() {
        assert_eq!(unusable("echo \0"), Some("not run: the command contains a NUL character".into()));
        assert!(unusable(&"x".repeat(MAX_COMMAND_BYTES + 1)).is_some());
        assert_eq!(unusable("echo"), None);
    }
}
