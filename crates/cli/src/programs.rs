//! Agent programs of the user, as `--agent-cmd` names them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use basis_gym::episode::{End, Episode};
use basis_gym::program::ProgramConfig;

use crate::context::Context;
use crate::exit::{Failure, Kind};
use crate::text;

/// So much of what a program printed is shown.
const LONGEST_NOTE: usize = 200;

/// A program that acts in place of the loop of basis.
#[derive(clap::Args)]
pub(crate) struct Agent {
    /// A program that acts in place of the loop of basis: a line of bash, run in the sandbox of each task with its prompt on
    /// standard input. It finds the model at OPENAI_BASE_URL or ANTHROPIC_BASE_URL; see `docs/guides/gateway.md`
    #[arg(long, value_name = "COMMAND")]
    agent_cmd: Option<String>,
    /// Directory that the program sees read-only at `/agent`
    #[arg(long, value_name = "DIR", requires = "agent_cmd")]
    agent_dir: Option<PathBuf>,
    /// Wall time of the program in one episode, in seconds; default: 600
    #[arg(long, value_name = "SECONDS", requires = "agent_cmd")]
    agent_seconds: Option<f64>,
}

impl Agent {
    /// What the program may use; `temperature` is that of its turns.
    pub(crate) fn config(
        &self,
        context: &Context<'_>,
        temperature: Option<f32>,
    ) -> Result<Option<ProgramConfig>, Failure> {
        let Some(command) = &self.agent_cmd else { return Ok(None) };
        if context.settings.sandbox.backend == "kubernetes" {
            let message =
                "`--agent-cmd` does not work with `sandbox.backend=kubernetes`: a pod has no way to the gateway";
            return Err(Failure::new(Kind::Usage, message).hint("use the backend `namespace` or `container`"));
        }
        let seconds = self.agent_seconds.unwrap_or(600.0);
        let wall = Duration::try_from_secs_f64(seconds).ok().filter(|wall| !wall.is_zero());
        let wall = wall.ok_or_else(|| {
            Failure::new(Kind::Usage, format!("`--agent-seconds {seconds}`: expected a number above 0"))
        })?;
        let directory = self.agent_dir.as_deref().map(directory).transpose()?;
        Ok(Some(ProgramConfig { command: command.clone(), directory, wall, temperature }))
    }

    /// What has to be the same for a run to go on.
    pub(crate) fn identity(&self) -> String {
        let Some(command) = &self.agent_cmd else { return String::new() };
        let directory = self.agent_dir.as_ref().map_or(String::new(), |dir| format!(" in {}", dir.display()));
        let seconds = self.agent_seconds.map_or(String::new(), |seconds| format!(" for {seconds} s"));
        format!(" by {command:?}{directory}{seconds}")
    }
}

fn directory(path: &Path) -> Result<PathBuf, Failure> {
    match path.canonicalize() {
        Ok(directory) if directory.is_dir() => Ok(directory),
        _ => {
            Err(Failure::new(Kind::Input, format!("`{}` is no directory; expected that of the agent", path.display())))
        }
    }
}

/// Says how many programs failed, and what the first of them said: a command that cannot even start looks like a weak policy.
pub(crate) fn say(context: &Context<'_>, episodes: &[Episode]) {
    let failed: Vec<&Episode> = episodes.iter().filter(|episode| episode.end == Some(End::Crashed)).collect();
    let Some(program) = failed.first().and_then(|episode| episode.program.as_ref()) else { return };
    context.printer.say(format_args!(
        "{} of {} programs failed; the first {}: {}",
        failed.len(),
        episodes.len(),
        program.outcome,
        text::line(&program.output, LONGEST_NOTE)
    ));
}
