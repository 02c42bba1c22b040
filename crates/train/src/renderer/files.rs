//! What a renderer leaves in a model's directory: `tokenizer.json`, and `renderer.json` with its name.
//!
//! `renderer.json` is `{"version":1,"renderer":"compact"}`; a newer version is refused.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Renderer, RendererError, open};
use crate::tokenizer::Tokenizer;

const VERSION: u32 = 1;
const RENDERER: &str = "renderer.json";
const TOKENIZER: &str = "tokenizer.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    version: u32,
    renderer: String,
}

/// Writes what [`load`] needs into `dir`, which must exist.
///
/// # Errors
/// [`RendererError::File`].
pub fn save(renderer: &dyn Renderer, dir: &Path) -> Result<(), RendererError> {
    let path = dir.join(RENDERER);
    let named = Named { version: VERSION, renderer: renderer.name().to_owned() };
    let bytes = serde_json::to_vec(&named).expect("has only string keys");
    std::fs::write(&path, bytes).map_err(|error| file(&path, error.to_string()))?;
    let path = dir.join(TOKENIZER);
    renderer.tokenizer().save(&path).map_err(|error| file(&path, error.to_string()))
}

/// Opens the renderer of the model in `dir`.
///
/// # Errors
/// [`RendererError::File`] with the file that is missing or damaged, or as [`open`].
pub fn load(dir: &Path) -> Result<Arc<dyn Renderer>, RendererError> {
    let path = dir.join(RENDERER);
    let bytes = std::fs::read(&path).map_err(|error| file(&path, error.to_string()))?;
    let named: Named = serde_json::from_slice(&bytes).map_err(|error| file(&path, error.to_string()))?;
    if named.version > VERSION {
        return Err(file(&path, format!("version {} is newer than {VERSION}; update basis", named.version)));
    }
    let path = dir.join(TOKENIZER);
    let tokenizer = Tokenizer::load(&path).map_err(|error| file(&path, error.to_string()))?;
    open(&named.renderer, tokenizer).map(Arc::from)
}

fn file(path: &Path, reason: String) -> RendererError {
    RendererError::File { path: path.to_path_buf(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::renderer;

    #[test]
    fn a_saved_renderer_encodes_as_before() {
        let dir = tempfile::tempdir().expect("a directory");
        save(renderer().as_ref(), dir.path()).expect("saves");
        let loaded = load(dir.path()).expect("loads");
        let text = "look at the file <|end|> é";
        assert_eq!(loaded.tokenizer().encode(text), renderer().tokenizer().encode(text));
        assert_eq!((loaded.name(), loaded.stop_ids()), ("compact", renderer().stop_ids()));
    }

    #[test]
    fn a_missing_or_newer_file_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let text = load(dir.path()).err().expect("is missing").to_string();
        assert!(text.contains("renderer.json"), "{text}");
        std::fs::write(dir.path().join(RENDERER), r#"{"version":7,"renderer":"compact"}"#).expect("writes");
        let text = load(dir.path()).err().expect("is newer").to_string();
        assert!(text.contains("version 7 is newer than 1"), "{text}");
    }
}
