//! Policies by name, as `--policy` takes them.

use std::path::Path;
use std::sync::Arc;

use basis_gym::grade::Workshop;
use basis_gym::policy::Policy;
use basis_gym::policy::http::{Http, HttpConfig};
use basis_gym::policy::nothing::Nothing;
use basis_gym::policy::reference::Reference;
use basis_gym::policy::scripted::Scripted;
use basis_gym::skills;
use basis_gym::task::Task;
use basis_train::engines::Engine;
use basis_train::policy::{SamplingOptions, with_policy};
use basis_train::renderer::Renderer;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::models;

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

fn http(context: &Context<'_>) -> Result<Http, Failure> {
    let policy = &context.settings.policy;
    if policy.url.is_empty() || policy.model.is_empty() {
        return Err(Failure::new(Kind::Usage, "the policy `http` needs `policy.url` and `policy.model`")
            .hint("for example `--set policy.url=http://localhost:8000/v1 --set policy.model=NAME`"));
    }
    let config = HttpConfig {
        api_key: std::env::var("OPENAI_API_KEY").ok().filter(|key| !key.is_empty()),
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
