//! Model directories: the starting checkpoint that is compiled in, and those of the user.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_gym::blobs::write_atomically;
use basis_train::engines::{self, Engine};
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
            Err(Failure::new(Kind::Input, format!("no model in `{}`: it has no `config.json`", dir.display()))
                .hint("name a directory with config.json, model.safetensors, tokenizer.json and renderer.json"))
        }
        None => start(context),
    }
}

/// Opens engine and renderer of a model directory.
pub(crate) fn open(dir: &Path) -> Result<Model, Failure> {
    let renderer = renderer::load(dir).kind(Kind::Input)?;
    let engine = engines::open("local", dir, machine::cores()).kind(Kind::Input)?;
    Ok((engine, renderer))
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
