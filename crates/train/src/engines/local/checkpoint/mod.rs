//! Checkpoints: a Hugging Face directory (`config.json`, `model.safetensors`), and `optimizer.safetensors` beside it.
//!
//! Weights are written as 32-bit floats to one file, and read as these or as bfloat16, from one file or several ([`read`]). A directory of
//! adapters names that of the frozen weights ([`adapters`]). All files carry the weight version; moments that belong to other weights are an
//! error. Tokenizers are not looked at: whoever saves copies theirs.

mod adapters;
mod files;
mod open;
mod read;
mod write;

use std::io::Write;
use std::path::{Path, PathBuf};

use super::super::{EngineError, Lora};
use super::config::Config;
use super::model::adapters::Adapters;
use super::model::tensor::Tensor;
use super::model::weights::Model;
use super::training::adamw::Moments;
use files::damaged;
pub(crate) use open::{Found, open, reload};
use read::{Tensors, Weights};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model";
const OPTIMIZER: &str = "optimizer.safetensors";
const FIRST: &str = "first.";
const SECOND: &str = "second.";

/// What a directory has.
pub(crate) struct Checkpoint {
    pub(crate) model: Model,
    pub(crate) adapters: Option<Trained>,
    pub(crate) moments: Moments,
    pub(crate) weight_version: u64,
}

/// Adapters, and where the frozen weights beside them are.
#[derive(Clone)]
pub(crate) struct Trained {
    pub(crate) adapters: Adapters,
    pub(crate) base: PathBuf,
}

/// What is written.
pub(crate) struct Saved<'a> {
    pub(crate) model: &'a Model,
    pub(crate) adapters: Option<&'a Trained>,
    /// Without these, those that are there are removed.
    pub(crate) moments: Option<&'a Moments>,
    pub(crate) weight_version: u64,
}

/// Writes a checkpoint.
pub(crate) fn save(dir: &Path, saved: &Saved) -> Result<(), EngineError> {
    let Saved { model, adapters, moments, weight_version } = *saved;
    files::create_dir(dir)?;
    // First, so that moments never stand beside weights that they do not belong to.
    files::remove(&dir.join(OPTIMIZER))?;
    let text = |name: &str, text: String| files::write(&dir.join(name), |file| file.write_all(text.as_bytes()));
    text(CONFIG, model.config.to_json())?;
    let metadata = vec![("format", "pt".to_owned()), ("weight_version", weight_version.to_string())];
    let (name, tensors, values) = match adapters {
        None => (format!("{WEIGHTS}.safetensors"), Tensor::all(&model.config, &model.layout), &model.values),
        Some(Trained { adapters, base }) => {
            text(adapters::CONFIG, adapters::to_json(&adapters.config, base))?;
            (adapters::WEIGHTS.to_owned(), adapters.tensors(), &adapters.values)
        }
    };
    write::write(&dir.join(name), &tensors, &[("", values)], &metadata)?;
    let Some(moments) = moments.filter(|moments| moments.steps > 0) else { return Ok(()) };
    let metadata: Vec<_> = metadata.into_iter().chain([("steps", moments.steps.to_string())]).collect();
    write::write(&dir.join(OPTIMIZER), &tensors, &[(FIRST, &moments.first), (SECOND, &moments.second)], &metadata)
}

/// Reads a checkpoint; where it has adapters, the weights they stand beside, too.
fn load(dir: &Path) -> Result<Checkpoint, EngineError> {
    if !has_adapters(dir) {
        let (model, weight_version) = load_model(dir)?;
        let tensors = Tensor::all(&model.config, &model.layout);
        let moments = load_moments(dir, &tensors, model.values.len(), weight_version)?;
        return Ok(Checkpoint { model, adapters: None, moments, weight_version });
    }
    let (model, _) = load_model(&adapters::read(dir)?.base)?;
    let (trained, moments, weight_version) = load_adapters(dir, &model)?;
    Ok(Checkpoint { model, adapters: Some(trained), moments, weight_version })
}

/// Whether a directory has adapters rather than weights.
fn has_adapters(dir: &Path) -> bool {
    dir.join(adapters::CONFIG).is_file()
}

/// Reads the adapters of a directory, which belong to this model.
fn load_adapters(dir: &Path, model: &Model) -> Result<(Trained, Moments, u64), EngineError> {
    let described = adapters::read(dir)?;
    let mut trained = fresh_adapters(described.lora, &described.base, model, 0)
        .map_err(|reason| damaged(&dir.join(adapters::CONFIG), reason))?;
    let file = Tensors::open(&dir.join(adapters::WEIGHTS))?;
    let tensors = trained.adapters.tensors();
    for tensor in &tensors {
        file.read(&tensor.name, tensor, &mut trained.adapters.values)?;
    }
    let weight_version = file.number("weight_version").unwrap_or(0);
    let moments = load_moments(dir, &tensors, trained.adapters.values.len(), weight_version)?;
    Ok((trained, moments, weight_version))
}

/// New adapters for the model of a directory.
fn fresh_adapters(mut lora: Lora, base: &Path, model: &Model, seed: u64) -> Result<Trained, String> {
    // The order in which modules were named says nothing; files do not depend on it.
    lora.targets.sort();
    let adapters = Adapters::new(lora, &model.config, &model.layout, seed)?;
    // An absolute path, so that a copied directory still finds the weights.
    let base = std::path::absolute(base).map_err(|error| format!("`{}`: {error}", base.display()))?;
    Ok(Trained { adapters, base })
}

fn load_model(dir: &Path) -> Result<(Model, u64), EngineError> {
    let path = dir.join(CONFIG);
    let text = String::from_utf8(files::read(&path)?).map_err(|_| damaged(&path, "not UTF-8"))?;
    let config = Config::parse(&text).map_err(|reason| damaged(&path, reason))?;
    let mut model = Model::zeros(config);
    let weights = Weights::open(dir, WEIGHTS)?;
    weights.read(&Tensor::all(&model.config, &model.layout), &mut model.values)?;
    Ok((model, weights.number("weight_version").unwrap_or(0)))
}

fn load_moments(dir: &Path, tensors: &[Tensor], total: usize, weight_version: u64) -> Result<Moments, EngineError> {
    let path = &dir.join(OPTIMIZER);
    if !path.exists() {
        return Ok(Moments::default());
    }
    let file = Tensors::open(path)?;
    let (mut first, mut second) = (vec![0.0; total], vec![0.0; total]);
    for (prefix, values) in [(FIRST, &mut first), (SECOND, &mut second)] {
        for tensor in tensors {
            file.read(&format!("{prefix}{}", tensor.name), tensor, values)?;
        }
    }
    let steps = file.number("steps").ok_or_else(|| damaged(path, "`steps` is missing from its metadata"))?;
    match file.number("weight_version") {
        Some(version) if version == weight_version => Ok(Moments { first, second, steps }),
        version => Err(damaged(
            path,
            format!("it belongs to weight version {}, the weights are version {weight_version}", version.unwrap_or(0)),
        )),
    }
}
