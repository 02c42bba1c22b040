//! Checkpoints: a Hugging Face directory (`config.json`, `model.safetensors`), and `optimizer.safetensors` beside it.
//!
//! Weights are written as 32-bit floats and read as these or as bfloat16, from one file. Both files carry the weight version; moments that belong to
//! other weights are an error. Tokenizers are not looked at: whoever saves copies theirs.

use std::path::Path;

use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, SafeTensors};
use serde_json::json;

use super::super::EngineError;
use super::config::Config;
use super::files;
use super::model::tensor::Tensor;
use super::model::weights::Model;
use super::training::adamw::Moments;

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const FIRST: &str = "first.";
const SECOND: &str = "second.";

/// What a directory has.
pub(crate) struct Checkpoint {
    pub(crate) model: Model,
    pub(crate) moments: Moments,
    pub(crate) weight_version: u64,
}

/// Writes a checkpoint; without moments, those that are there are removed.
pub(crate) fn save(
    dir: &Path,
    model: &Model,
    moments: Option<&Moments>,
    weight_version: u64,
) -> Result<(), EngineError> {
    files::create_dir(dir)?;
    // First, so that moments never stand beside weights that they do not belong to.
    files::remove(&dir.join(OPTIMIZER))?;
    files::write(&dir.join(CONFIG), model.config.to_json().as_bytes())?;
    let metadata = vec![("format", "pt".to_owned()), ("weight_version", weight_version.to_string())];
    write(&dir.join(WEIGHTS), model, &[("", &model.values)], metadata.clone())?;
    let Some(moments) = moments.filter(|moments| moments.steps > 0) else { return Ok(()) };
    let metadata = metadata.into_iter().chain([("steps", moments.steps.to_string())]).collect();
    write(&dir.join(OPTIMIZER), model, &[(FIRST, &moments.first), (SECOND, &moments.second)], metadata)
}

/// Reads a checkpoint.
pub(crate) fn load(dir: &Path) -> Result<Checkpoint, EngineError> {
    let path = dir.join(CONFIG);
    let text = String::from_utf8(files::read(&path)?).map_err(|_| damaged(&path, "not UTF-8"))?;
    let config = Config::parse(&text).map_err(|reason| damaged(&path, reason))?;
    let path = dir.join(WEIGHTS);
    let mut model = Model::zeros(config);
    let (config, layout) = (&model.config, &model.layout);
    let tensors = Tensor::all(config, layout);
    let metadata = read(&path, &tensors, &mut [("", &mut model.values)])?;
    let weight_version = number(&metadata, "weight_version").unwrap_or(0);
    let moments = load_moments(&dir.join(OPTIMIZER), &tensors, model.values.len(), weight_version)?;
    Ok(Checkpoint { model, moments, weight_version })
}

fn load_moments(path: &Path, tensors: &[Tensor], total: usize, weight_version: u64) -> Result<Moments, EngineError> {
    if !path.exists() {
        return Ok(Moments::default());
    }
    let (mut first, mut second) = (vec![0.0; total], vec![0.0; total]);
    let metadata = read(path, tensors, &mut [(FIRST, &mut first), (SECOND, &mut second)])?;
    let steps = number(&metadata, "steps").ok_or_else(|| damaged(path, "`steps` is missing from its metadata"))?;
    match number(&metadata, "weight_version") {
        Some(version) if version == weight_version => Ok(Moments { first, second, steps }),
        version => Err(damaged(
            path,
            format!("it belongs to weight version {}, the weights are version {weight_version}", version.unwrap_or(0)),
        )),
    }
}

/// Writes by hand what `safetensors` would, so that the same content gives the same bytes: that crate's metadata are in random order.
fn write(
    path: &Path,
    model: &Model,
    parts: &[(&str, &Vec<f32>)],
    metadata: Vec<(&str, String)>,
) -> Result<(), EngineError> {
    let mut header = serde_json::Map::new();
    header.insert(
        "__metadata__".to_owned(),
        metadata.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect(),
    );
    let mut data = Vec::new();
    for (prefix, values) in parts {
        for tensor in Tensor::all(&model.config, &model.layout) {
            let begin = data.len();
            data.extend(tensor.places().flat_map(|place| values[place].to_le_bytes()));
            let entry = json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [begin, data.len()] });
            header.insert(format!("{prefix}{}", tensor.name), entry);
        }
    }
    let mut header = serde_json::to_vec(&header).expect("a JSON value can be written");
    header.resize(header.len().next_multiple_of(8), b' ');
    files::write(path, &[&(header.len() as u64).to_le_bytes()[..], &header, &data].concat())
}

/// Fills every part with its tensors.
fn read(path: &Path, tensors: &[Tensor], parts: &mut [(&str, &mut Vec<f32>)]) -> Result<Metadata, EngineError> {
    let content = files::read(path)?;
    let broken = |error: safetensors::SafeTensorError| damaged(path, format!("{error}; it may be truncated"));
    let file = SafeTensors::deserialize(&content).map_err(broken)?;
    let (_, metadata) = SafeTensors::read_metadata(&content).map_err(broken)?;
    for (prefix, values) in parts {
        for tensor in tensors {
            let name = format!("{prefix}{}", tensor.name);
            let view = file.tensor(&name).map_err(|_| damaged(path, format!("tensor `{name}` is missing")))?;
            if view.shape() != tensor.shape {
                let reason = format!("tensor `{name}` has the shape {:?}, expected {:?}", view.shape(), tensor.shape);
                return Err(damaged(path, reason));
            }
            let numbers = numbers(&view).map_err(|kind| {
                damaged(path, format!("tensor `{name}` has numbers of type {kind:?}, expected F32 or BF16"))
            })?;
            for (place, number) in tensor.places().zip(numbers) {
                values[place] = number;
            }
        }
    }
    Ok(metadata)
}

fn numbers(view: &TensorView) -> Result<Vec<f32>, Dtype> {
    let data = view.data();
    match view.dtype() {
        Dtype::F32 => Ok(data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()),
        Dtype::BF16 => {
            let widen = |&bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16);
            Ok(data.as_chunks().0.iter().map(widen).collect())
        }
        other => Err(other),
    }
}

fn number(metadata: &Metadata, key: &str) -> Option<u64> {
    metadata.metadata().as_ref()?.get(key)?.parse().ok()
}

fn damaged(path: &Path, reason: impl Into<String>) -> EngineError {
    EngineError::Damaged { path: path.to_owned(), reason: reason.into() }
}
