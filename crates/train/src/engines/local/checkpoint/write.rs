//! Writes safetensors files by hand, so that the same content gives the same bytes: the crate's metadata are in random order.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::super::super::EngineError;
use super::super::model::tensor::Tensor;
use super::files;

/// Writes the tensors of every part, whose names begin with its prefix.
pub(super) fn write(
    path: &Path,
    tensors: &[Tensor],
    parts: &[(&str, &[f32])],
    metadata: &[(&str, String)],
) -> Result<(), EngineError> {
    let mut header = serde_json::Map::new();
    header.insert(
        "__metadata__".to_owned(),
        metadata.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect(),
    );
    let mut begin = 0;
    for (prefix, _) in parts {
        for tensor in tensors {
            let end = begin + tensor.shape.iter().product::<usize>() * size_of::<f32>();
            let entry = json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [begin, end] });
            header.insert(format!("{prefix}{}", tensor.name), entry);
            begin = end;
        }
    }
    let mut header = serde_json::to_vec(&header).expect("a JSON value can be written");
    header.resize(header.len().next_multiple_of(8), b' ');
    files::write(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        for (_, values) in parts {
            for place in tensors.iter().flat_map(Tensor::places) {
                file.write_all(&values[place].to_le_bytes())?;
            }
        }
        Ok(())
    })
}
