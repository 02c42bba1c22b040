//! Reads tensors from safetensors files, one tensor in memory at a time.
//!
//! A model's weights are one file, or several with an index, as Hugging Face splits large models.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde_json::Value;

use super::super::super::EngineError;
use super::super::model::tensor::Tensor;
use super::files::{at, damaged, read};

/// Largest header that is read; that of a model with ten thousand tensors has about one MiB.
const LARGEST_HEADER: u64 = 100 << 20;

/// An open safetensors file.
pub(super) struct Tensors {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the data begin.
    begin: u64,
}

impl Tensors {
    pub(super) fn open(path: &Path) -> Result<Tensors, EngineError> {
        let truncated = || damaged(path, "it may be truncated: header and data do not fit its size");
        let mut file = File::open(path).map_err(at(path))?;
        let size = file.metadata().map_err(at(path))?.len();
        let mut start = [0; 8];
        file.read_exact(&mut start).map_err(|_| truncated())?;
        let length = u64::from_le_bytes(start);
        if length > LARGEST_HEADER.min(size) {
            return Err(truncated());
        }
        let mut header = Vec::new();
        file.by_ref().take(length).read_to_end(&mut header).map_err(at(path))?;
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| damaged(path, format!("its header cannot be read: {error}; it may be truncated")))?;
        let begin = 8 + length;
        if begin + metadata.data_len() as u64 != size {
            return Err(truncated());
        }
        Ok(Tensors { path: path.to_owned(), file, metadata, begin })
    }

    /// A number in the file's metadata.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.metadata.metadata().as_ref()?.get(key)?.parse().ok()
    }

    /// Puts the tensor called `name` to the places of `tensor`.
    pub(super) fn read(&self, name: &str, tensor: &Tensor, values: &mut [f32]) -> Result<(), EngineError> {
        let wrong = |reason: String| Err(damaged(&self.path, format!("tensor `{name}` {reason}")));
        let Some(info) = self.metadata.info(name) else { return wrong("is missing".to_owned()) };
        if info.shape != tensor.shape {
            return wrong(format!("has the shape {:?}, expected {:?}", info.shape, tensor.shape));
        }
        let bytes = match info.dtype {
            Dtype::F32 => size_of::<f32>(),
            Dtype::BF16 => size_of::<u16>(),
            other => return wrong(format!("has numbers of type {other:?}, expected F32 or BF16")),
        };
        let (begin, end) = info.data_offsets;
        let expected = tensor.shape.iter().product::<usize>() * bytes;
        if end.checked_sub(begin) != Some(expected) {
            return wrong(format!("has the bytes {begin} to {end}, expected {expected}"));
        }
        let mut data = vec![0; expected];
        self.file.read_exact_at(&mut data, self.begin + begin as u64).map_err(at(&self.path))?;
        match info.dtype {
            Dtype::F32 => fill(tensor, values, data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes))),
            _ => fill(tensor, values, data.as_chunks().0.iter().map(widen)),
        }
        Ok(())
    }
}

fn widen(&bytes: &[u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
}

fn fill(tensor: &Tensor, values: &mut [f32], numbers: impl Iterator<Item = f32>) {
    for (place, number) in tensor.places().zip(numbers) {
        values[place] = number;
    }
}

/// The weights of a directory, in one file or several.
pub(super) struct Weights {
    files: Vec<Tensors>,
    /// The file of each tensor, where there is an index.
    places: Option<(PathBuf, BTreeMap<String, usize>)>,
}

impl Weights {
    /// Opens `<stem>.safetensors`, or else the files that `<stem>.safetensors.index.json` names.
    pub(super) fn open(dir: &Path, stem: &str) -> Result<Weights, EngineError> {
        let (single, index) =
            (dir.join(format!("{stem}.safetensors")), dir.join(format!("{stem}.safetensors.index.json")));
        if single.exists() || !index.exists() {
            return Ok(Weights { files: vec![Tensors::open(&single)?], places: None });
        }
        let value: Value =
            serde_json::from_slice(&read(&index)?).map_err(|error| damaged(&index, format!("not JSON: {error}")))?;
        let map = value["weight_map"].as_object().ok_or_else(|| damaged(&index, "`weight_map` is missing"))?;
        let (mut files, mut names, mut places) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (tensor, file) in map {
            let file = file.as_str().filter(|file| !file.contains('/') && *file != "..");
            let file = file.ok_or_else(|| damaged(&index, format!("the file of `{tensor}` is not a file name")))?;
            let number = match names.iter().position(|name| name == file) {
                Some(number) => number,
                None => {
                    files.push(Tensors::open(&dir.join(file))?);
                    names.push(file.to_owned());
                    files.len() - 1
                }
            };
            places.insert(tensor.clone(), number);
        }
        Ok(Weights { files, places: Some((index, places)) })
    }

    /// A number in the metadata of a single file.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.files.first().filter(|_| self.places.is_none())?.number(key)
    }

    /// Puts tensors to their places.
    pub(super) fn read(&self, tensors: &[Tensor], values: &mut [f32]) -> Result<(), EngineError> {
        for tensor in tensors {
            let number = match &self.places {
                None => 0,
                Some((index, places)) => *places
                    .get(&tensor.name)
                    .ok_or_else(|| damaged(index, format!("tensor `{}` is missing", tensor.name)))?,
            };
            self.files[number].read(&tensor.name, tensor, values)?;
        }
        Ok(())
    }
}
