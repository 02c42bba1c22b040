//! Policies by name, as `--policy` takes them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use basis_gym::gateway::{Remote, RemoteConfig};
use basis_gym::grade::Workshop;
use basis_gym::policy::Policy;
use basis_gym::policy::http::{Http, HttpConfig};
use basis_gym::policy::nothing::Nothing;
use basis_gym::policy::reference::Reference;
use basis_gym::policy::scripted::Scripted;
use basis_gym::program::{AgentProgram, ProgramConfig};
use basis_gym::rollout::Player;
use basis_gym::skills;
use basis_gym::task::Task;
use basis_train::engines::Engine;
use basis_train::policy::{SamplingOptions, with_policy};
use basis_train::renderer::Renderer;
use basis_train::upstream::MODEL;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::{models, settings};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Choice {
    /// Hands in the gold submission
    Reference,
    /// Hands in nothing
    Nothing,
    /// The imperfect teacher of generated packages; setting teacher.diligence
    Scripted,
    /// A model behind an OpenAI-compatible server; settings policy.url and policy.model
    Http,
    /// A model on this machine
    Engine,
}

/// A policy that is ready to act.
pub(crate) enum Chosen {
    /// One that needs no engine.
    Plain(Box<dyn Policy>),
    /// One that samples from an engine.
    Engine { engine: Box<dyn Engine>, renderer: Arc<dyn Renderer>, options: SamplingOptions, digest: String },
}

/// Makes the policy.
pub(crate) fn choose(
    context: &Context<'_>,
    choice: Choice,
    model: Option<&Path>,
    workshop: &Arc<Workshop>,
) -> Result<Chosen, Failure> {
    if model.is_some() && choice != Choice::Engine {
        return Err(Failure::new(Kind::Usage, "`--model` goes with `--policy engine` only"));
    }
    Ok(match choice {
        Choice::Reference => Chosen::Plain(Box::new(reference(workshop.clone()))),
        Choice::Nothing => Chosen::Plain(Box::new(Nothing)),
        Choice::Scripted => Chosen::Plain(Box::new(teacher(workshop.clone(), context.settings.teacher.diligence))),
        Choice::Http => Chosen::Plain(Box::new(http(context)?)),
        Choice::Engine => engine(context, model)?,
    })
}

impl Chosen {
    /// What has to be the same for a run to go on.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Plain(policy) => policy.name(),
            Self::Engine { digest, .. } => format!("engine {digest}"),
        }
    }

    /// Calls `body` with a program that acts with the turns of the policy's model.
    pub(crate) fn with_program<T>(
        self,
        context: &Context<'_>,
        config: ProgramConfig,
        body: impl FnOnce(Player<'_>) -> T,
    ) -> Result<T, Failure> {
        match self {
            Self::Plain(_) => {
                let program = AgentProgram::new(config, Arc::new(remote(context)?));
                Ok(body(Player::Program(&program)))
            }
            Self::Engine { mut engine, renderer, options, .. } => {
                let (value, outcome) = with_policy(engine.as_mut(), &renderer, &options, |policy| {
                    let program = AgentProgram::new(config, Arc::new(policy.upstream(MODEL)));
                    body(Player::Program(&program))
                });
                outcome.kind(Kind::Policy)?;
                Ok(value)
            }
        }
    }

    /// Calls `body` with the policy.
    pub(crate) fn with<T>(self, body: impl FnOnce(&dyn Policy) -> T) -> Result<T, Failure> {
        match self {
            Self::Plain(policy) => Ok(body(policy.as_ref())),
            Self::Engine { mut engine, renderer, options, .. } => {
                let (value, outcome) = with_policy(engine.as_mut(), &renderer, &options, |policy| body(policy));
                outcome.kind(Kind::Policy)?;
                Ok(value)
            }
        }
    }
}

/// The imperfect teacher.
pub(crate) fn teacher(workshop: Arc<Workshop>, diligence: f64) -> Scripted {
    Scripted::new(
        format!("scripted@{diligence}"),
        Arc::new(move |task: &Task, seed| match skills::teach(&workshop, task, diligence, seed) {
            Ok(teacher) => teacher,
            // A task that the teacher does not know is handed in unsolved; the text says why.
            Err(reason) => Box::new(move |_| basis_gym::teach::answer(reason.clone())),
        }),
    )
}

fn reference(workshop: Arc<Workshop>) -> Reference {
    Reference::new(Arc::new(move |task: &Task| {
        let skill = skills::find(&task.skill).ok_or_else(|| format!("unknown skill `{}`", task.skill))?;
        skill.reference(&workshop, task)
    }))
}

/// The settings of the policy `http`, which must say where its server is.
fn server<'a>(context: &'a Context<'_>) -> Result<&'a settings::Policy, Failure> {
    let policy = &context.settings.policy;
    match policy.url.is_empty() || policy.model.is_empty() {
        false => Ok(policy),
        true => Err(Failure::new(Kind::Usage, "the policy `http` needs `policy.url` and `policy.model`")
            .hint("for example `--set policy.url=http://localhost:8000/v1 --set policy.model=NAME`")),
    }
}

/// The key for model servers, which no flag and no file names.
pub(crate) fn api_key() -> Option<String> {
    std::env::var("OPENAI_API_KEY").ok().filter(|key| !key.is_empty())
}

/// The same server for programs.
fn remote(context: &Context<'_>) -> Result<Remote, Failure> {
    let policy = server(context)?;
    let (base_url, model) = (policy.url.clone(), policy.model.clone());
    let timeout = Duration::from_secs(600);
    Remote::new(RemoteConfig { base_url, model, api_key: api_key(), proxy: None, timeout }).kind(Kind::Usage)
}

pub(crate) fn http(context: &Context<'_>) -> Result<Http, Failure> {
    let policy = server(context)?;
    let config = HttpConfig {
        api_key: api_key(),
        temperature: Some(f64::from(policy.temperature)),
        max_tokens: u32::try_from(policy.max_tokens).ok(),
        ..HttpConfig::new(&policy.url, &policy.model)
    };
    Http::new(&config).kind(Kind::Usage)
}

fn engine(context: &Context<'_>, model: Option<&Path>) -> Result<Chosen, Failure> {
    let dir = models::directory(context, model)?;
    let (engine, renderer) = models::open(context, &dir)?;
    let options = SamplingOptions {
        temperature: context.settings.policy.temperature,
        max_tokens: context.settings.train.max_tokens,
        ..SamplingOptions::default()
    };
    let digest = models::digest(&dir)?;
    Ok(Chosen::Engine { engine, renderer, options, digest })
}
