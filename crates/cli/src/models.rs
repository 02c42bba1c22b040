//! Model directories: the starting checkpoint that is compiled in, and those of the user.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_gym::blobs::write_atomically;
use basis_train::engines::tinker::{Reduction, Tinker, TinkerConfig};
use basis_train::engines::{self, Engine, EngineError, Lora, Options, Precision};
use basis_train::policy::SamplingOptions;
use basis_train::renderer::{self, Renderer};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;
use crate::results;

/// The starting checkpoint; `basis sft` with default settings makes the same files.
const START: &[(&str, &[u8])] = &[
    ("config.json", include_bytes!("../start/config.json")),
    ("model.safetensors", include_bytes!("../start/model.safetensors")),
    ("tokenizer.json", include_bytes!("../start/tokenizer.json")),
    ("renderer.json", include_bytes!("../start/renderer.json")),
];

/// What samples and trains, and the format of its text.
pub(crate) type Model = (Box<dyn Engine>, Arc<dyn Renderer>);

/// The directory of a model: the given one, or the starting checkpoint, unpacked into the cache.
pub(crate) fn directory(context: &Context<'_>, given: Option<&Path>) -> Result<PathBuf, Failure> {
    match given {
        Some(dir) if dir.join("config.json").is_file() => Ok(dir.to_path_buf()),
        Some(dir) => {
            Err(Failure::new(Kind::Input, format!("no model in `{}`: it has no `config.json`", dir.display())).hint(
                "name a directory that `basis` wrote, or one of Qwen3 with config.json, tokenizer.json and safetensors",
            ))
        }
        None => start(context),
    }
}

/// Opens engine and renderer of a model directory, to sample from it.
pub(crate) fn open(context: &Context<'_>, dir: &Path) -> Result<Model, Failure> {
    open_with("local", dir, &Options { lora: None, ..options(context) })
}

/// Opens engine and renderer of a model directory, to train it or adapters beside it.
pub(crate) fn open_to_train(context: &Context<'_>, dir: &Path) -> Result<Model, Failure> {
    open_with("local", dir, &options(context))
}

fn open_with(engine: &str, dir: &Path, options: &Options) -> Result<Model, Failure> {
    let renderer = renderer::load(dir).kind(Kind::Input)?;
    Ok((open_engine(engine, dir, options)?, renderer))
}

/// Opens what samples and trains alone, which needs no tokenizer.
pub(crate) fn open_engine(engine: &str, dir: &Path, options: &Options) -> Result<Box<dyn Engine>, Failure> {
    engines::open_with(engine, dir, options).map_err(|error| match error {
        EngineError::Unavailable { .. } => Failure::from(error),
        error => Failure::from_error(Kind::Input, error),
    })
}

/// How the settings say that an engine holds and trains a model.
pub(crate) fn options(context: &Context<'_>) -> Options {
    let engine = &context.settings.engine;
    let lora = Lora { rank: engine.lora_rank, alpha: engine.lora_alpha, targets: engine.lora_targets.clone() };
    Options {
        threads: machine::cores(),
        precision: if engine.precision == "bf16" { Precision::Bf16 } else { Precision::Fp32 },
        recompute: engine.recompute,
        lora: (lora.rank > 0).then_some(lora),
    }
}

/// What tells the weights of a directory from others: a digest of its adapters, of its weights, or of the index of these.
pub(crate) fn digest(dir: &Path) -> Result<String, Failure> {
    let names = ["adapter_model.safetensors", "model.safetensors", "model.safetensors.index.json"];
    let found = names.map(|name| dir.join(name)).into_iter().find(|path| path.is_file());
    results::digest_of_file(&found.unwrap_or_else(|| dir.join("model.safetensors")))
}

/// Which engine samples and trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EngineName {
    /// The processors of this machine
    Local,
    /// A GPU of this machine; needs a build with the feature `gpu`
    Gpu,
    /// A service that speaks the Tinker protocol; its key is taken from TINKER_API_KEY
    Tinker,
}

/// A service that trains, and the model to ask it for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Service {
    /// What samples and trains
    #[arg(long, value_enum, default_value = "local")]
    engine: EngineName,
    /// For `tinker`: address of the service, such as `http://localhost:8000`
    #[arg(long, value_name = "URL", required_if_eq("engine", "tinker"))]
    url: Option<String>,
    /// For `tinker`: the model to begin with; default: the first that the service offers
    #[arg(long, value_name = "NAME")]
    base_model: Option<String>,
    /// For `tinker`: rank of the adapter that is trained, 0 for all weights where the service can
    #[arg(long, default_value_t = 32, value_name = "N")]
    rank: u32,
}

impl Service {
    /// Whether it is a service at all; the address then.
    pub(crate) fn address(&self) -> Option<&str> {
        self.url.as_deref().filter(|_| self.engine == EngineName::Tinker)
    }

    /// What has to be the same for a run to go on.
    pub(crate) fn identity(&self) -> String {
        let base = self.base_model.as_deref().unwrap_or("first");
        match self.address() {
            Some(url) => format!(" at {url} ({base}, rank {})", self.rank),
            None if self.engine == EngineName::Gpu => " on a GPU".to_owned(),
            None => String::new(),
        }
    }

    /// Which engine here holds the models that are on this machine.
    fn here(&self) -> &'static str {
        if self.engine == EngineName::Gpu { "gpu" } else { "local" }
    }

    /// Fails at once where the engine cannot be opened here.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        Ok(engines::available(self.here())?)
    }

    /// Opens a model of this machine to train it, or adapters beside it.
    pub(crate) fn open_to_train(&self, context: &Context<'_>, dir: &Path) -> Result<Model, Failure> {
        open_with(self.here(), dir, &options(context))
    }

    /// Opens a model of this machine that is not trained.
    pub(crate) fn open(&self, context: &Context<'_>, dir: &Path) -> Result<Model, Failure> {
        open_with(self.here(), dir, &Options { lora: None, ..options(context) })
    }
}

/// Opens the engine that was chosen, to train; text is turned into ids by the model directory in any case.
pub(crate) fn open_chosen(context: &Context<'_>, service: &Service, dir: &Path) -> Result<Model, Failure> {
    let Some(url) = service.address() else { return service.open_to_train(context, dir) };
    let renderer = renderer::load(dir).kind(Kind::Input)?;
    let config = TinkerConfig {
        url: url.to_owned(),
        key: std::env::var("TINKER_API_KEY").ok().filter(|key| !key.is_empty()),
        proxy: None,
        base_model: service.base_model.clone(),
        rank: service.rank,
        vocab: renderer.tokenizer().vocab_size(),
        context: SamplingOptions::default().context,
        concurrency: 256,
    };
    let engine = Tinker::open(&config, Box::new(context.printer.aside()))?;
    context.printer.say(format_args!(
        "engine tinker at {url}: losses are {}",
        match engine.reduction() {
            Reduction::Sum => "summed over tokens",
            Reduction::SequenceMean => "averaged over sequences",
        }
    ));
    Ok((Box::new(engine), renderer))
}

fn start(context: &Context<'_>) -> Result<PathBuf, Failure> {
    let digest = results::digest(START.iter().map(|(_, bytes)| results::digest(bytes)).collect::<String>());
    let dir = machine::cache(&context.settings).join("models").join(format!("start-{digest}"));
    std::fs::create_dir_all(&dir).kind(Kind::Machine)?;
    for (name, bytes) in START {
        let path = dir.join(name);
        if std::fs::read(&path).ok().as_deref() != Some(bytes) {
            write_atomically(&path, bytes).kind(Kind::Machine)?;
        }
    }
    Ok(dir)
}
