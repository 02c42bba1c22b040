//! `basis serve`: the token gateway, in front of a model of this machine or of a model server; with a pack also its tasks.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use basis_gym::env_server::{EnvConfig, EnvServer, Open};
use basis_gym::episode::InvalidCause;
use basis_gym::gateway::{Gateway, Keep, Remote, RemoteConfig, Upstream};
use basis_gym::pack::Pack;
use basis_gym::serve::{Handler, Listener, Request, Response, serve};
use basis_gym::store::{Recorder, RunStart};
use basis_sandbox::Limits;
use basis_train::engines::Engine;
use basis_train::policy::SamplingOptions;
use basis_train::renderer::Renderer;
use basis_train::tinker_server::{ServerConfig, with_server};
use basis_train::upstream::{MODEL, with_upstream};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::{machine, models, packs, policies};

/// Serve a model to agents of others, and keep the tokens that they sample
///
/// Speaks OpenAI chat completions and responses, Anthropic messages, and `/inference/v1/generate`. A session is named by the path
/// (`/sessions/<name>/v1/…`) or by the API key. `GET /sessions/<name>` gives its tokens, `POST /sessions/<name>/end` with a `reward` makes
/// it an episode of a run. With `--pack`, loops of others ask for its tasks under `/tasks` and act on them under `/episodes`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    listen: String,
    /// Listen at this path instead, as a Unix socket
    #[arg(long, value_name = "PATH", conflicts_with = "listen")]
    socket: Option<PathBuf>,
    /// Directory of the model; default: the starting checkpoint
    #[arg(long, value_name = "DIR", conflicts_with = "upstream")]
    model: Option<PathBuf>,
    /// A model server to stand in front of, such as `http://localhost:8000/v1`; its key is taken from OPENAI_API_KEY
    #[arg(long, value_name = "URL", requires = "name")]
    upstream: Option<String>,
    /// The name of the model, here and on that server; default: `basis`
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Speak the Tinker protocol instead, over the model of this machine: others train it
    #[arg(long, conflicts_with_all = ["upstream", "key_file"])]
    tinker: bool,
    /// Serve the tasks of this pack, too: `POST /episodes` opens a sandbox, whose grade comes from here
    #[arg(long, value_name = "DIR", conflicts_with = "tinker")]
    pack: Option<PathBuf>,
    /// File with the key that clients must send, as `<key>` or `<key>:<session>`; default: anybody may ask
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let key = arguments.key_file.as_deref().map(read_key).transpose()?;
    let listener = match &arguments.socket {
        Some(path) => Listener::unix(path),
        None => Listener::tcp(&arguments.listen),
    };
    let listener = listener.kind(Kind::Machine)?;
    let name = arguments.name.as_deref().unwrap_or(MODEL);
    let pack = arguments.pack.as_deref();
    if let Some(url) = &arguments.upstream {
        let remote = Remote::new(RemoteConfig {
            base_url: url.clone(),
            model: name.to_owned(),
            api_key: policies::api_key(),
            proxy: None,
            timeout: Duration::from_secs(3600),
        });
        return listen(context, &listener, Box::new(remote.kind(Kind::Usage)?), key, pack);
    }
    let dir = models::directory(context, arguments.model.as_deref())?;
    let (mut engine, renderer) =
        if arguments.tinker { models::open_to_train(context, &dir)? } else { models::open(context, &dir)? };
    if arguments.tinker {
        return train(context, &listener, engine.as_mut(), renderer.as_ref(), name);
    }
    let options = SamplingOptions {
        temperature: context.settings.policy.temperature,
        max_tokens: context.settings.train.max_tokens,
        ..SamplingOptions::default()
    };
    let (served, sampled) = with_upstream(engine.as_mut(), &renderer, &options, name, |upstream| {
        listen(context, &listener, upstream, key, pack)
    });
    sampled.kind(Kind::Policy)?;
    served
}

/// Lets others train until the user has enough. Weights are kept in the cache of this process, and go with it.
fn train(
    context: &Context<'_>,
    listener: &Listener,
    engine: &mut dyn Engine,
    renderer: &dyn Renderer,
    name: &str,
) -> Result<(), Failure> {
    let directory = machine::cache(&context.settings).join("tinker").join(std::process::id().to_string());
    let config = ServerConfig {
        model: name.to_owned(),
        context: engine.info().context,
        stop: renderer.stop_ids(),
        directory: directory.clone(),
    };
    let served = with_server(engine, config, |server| {
        context.printer.say(format_args!("model `{name}` to be trained at {}; Ctrl-C ends", listener.address()));
        serve(listener, server, &context.stop).kind(Kind::Machine)
    });
    let _ = std::fs::remove_dir_all(&directory);
    served.map_err(Failure::from)?
}

/// Serves until the user has enough, which is success.
fn listen(
    context: &Context<'_>,
    listener: &Listener,
    upstream: Box<dyn Upstream>,
    key: Option<String>,
    pack: Option<&Path>,
) -> Result<(), Failure> {
    let model = upstream.model();
    let recorder: Arc<Mutex<Option<Recorder>>> = Arc::default();
    let tasks = pack.map(|path| tasks(context, path, key.clone(), keep(context, recorder.clone()))).transpose()?;
    let gateway = Gateway::new(upstream, key, Some(keep(context, recorder.clone())));
    context.printer.say(format_args!("model `{model}` at {}; Ctrl-C ends", listener.address()));
    serve(listener, &Both { gateway, tasks }, &context.stop).kind(Kind::Machine)?;
    if let Some(recorder) = recorder.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let name = recorder.name();
        recorder.finish(serde_json::json!({"model": model}))?;
        context.printer.say(format_args!("sessions that ended are in run {name}"));
    }
    Ok(())
}

/// The model and, where a pack was named, its tasks.
struct Both {
    gateway: Gateway,
    tasks: Option<EnvServer>,
}

impl Handler for Both {
    fn handle(&self, request: &Request) -> Response {
        match &self.tasks {
            Some(tasks) if EnvServer::answers(&request.path) => tasks.handle(request),
            _ => self.gateway.handle(request),
        }
    }
}

fn tasks(context: &Context<'_>, path: &Path, key: Option<String>, keep: Keep) -> Result<EnvServer, Failure> {
    let pack = Pack::open(path).kind(Kind::Input)?;
    let tasks = packs::select(&pack, &[], 0)?;
    let workshop = Arc::new(packs::workshop(context, &[&pack])?);
    context.printer.say(format_args!("{} tasks of `{}`", tasks.len(), pack.manifest.name));
    let keep: basis_gym::env_server::Keep = Arc::new(move |episode| keep(vec![episode]));
    let boxes = workshop.clone();
    let open: Open = Box::new(move |task| {
        let tree = boxes.blobs.tree(&task.context.tree).map_err(|error| InvalidCause::Task(error.to_string()))?;
        boxes.container(&task.context.tests, &tree, container_limits(&boxes.agent_limits))
    });
    let config = EnvConfig { key, keep: Some(keep), open: Some(open), ..EnvConfig::default() };
    Ok(EnvServer::new(tasks, workshop, config))
}

/// Whoever brings agent and grader runs whole programs and copies whole trees.
fn container_limits(agent: &Limits) -> Limits {
    Limits {
        wall: Duration::from_secs(3600),
        output_bytes: 256 << 20,
        disk_bytes: agent.disk_bytes.max(1 << 30),
        files: agent.files.max(1 << 18),
        processes: agent.processes.max(256),
        ..agent.clone()
    }
}

/// Records episodes in a run that begins with the first of them.
fn keep(context: &Context<'_>, recorder: Arc<Mutex<Option<Recorder>>>) -> Keep {
    let (runs, config) = (context.runs(), context.effective.to_toml());
    Box::new(move |episodes| {
        let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
        if recorder.is_none() {
            let start = RunStart { command: "serve", config: &config };
            *recorder = Some(Recorder::create(&runs, start).map_err(|error| error.to_string())?);
        }
        let recorder = recorder.as_ref().expect("it was made above");
        recorder.record_all("serve", 0, &episodes).map(drop).map_err(|error| error.to_string())
    })
}

fn read_key(path: &std::path::Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Kind::Input, format!("`{}`: {error}", path.display())))?;
    match text.trim() {
        "" => Err(Failure::new(Kind::Input, format!("`{}` is empty; expected a key", path.display()))),
        key => Ok(key.to_owned()),
    }
}
