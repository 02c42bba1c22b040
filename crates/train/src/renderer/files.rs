//! What a renderer leaves in a model's directory: `tokenizer.json`, and `renderer.json` with its name.
//!
//! `renderer.json` is `{"version":1,"renderer":"compact"}`; a newer version is refused. Directories that come from elsewhere lack it: the
//! control tokens of their tokenizer then tell the family.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Renderer, RendererError, names, open};
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
    let name = match std::fs::read(&path) {
        Ok(bytes) => Some(name(&path, &bytes)?),
        Err(error) if error.kind() == ErrorKind::NotFound && dir.join(TOKENIZER).is_file() => None,
        Err(error) => return Err(file(&path, error.to_string())),
    };
    let path = dir.join(TOKENIZER);
    let tokenizer = Tokenizer::load(&path).map_err(|error| file(&path, error.to_string()))?;
    match name {
        Some(name) => open(&name, tokenizer).map(Arc::from),
        None => detect(&tokenizer).map(Arc::from).ok_or_else(|| {
            let known = names().join("`, `");
            file(&path, format!("it has the control tokens of no renderer (`{known}`), and there is no `{RENDERER}`"))
        }),
    }
}

fn name(path: &Path, bytes: &[u8]) -> Result<String, RendererError> {
    let named: Named = serde_json::from_slice(bytes).map_err(|error| file(path, error.to_string()))?;
    if named.version > VERSION {
        return Err(file(path, format!("version {} is newer than {VERSION}; update basis", named.version)));
    }
    Ok(named.renderer)
}

/// The renderer whose control tokens the tokenizer has.
fn detect(tokenizer: &Tokenizer) -> Option<Box<dyn Renderer>> {
    names().into_iter().find_map(|name| open(name, tokenizer.clone()).ok())
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
    fn a_directory_from_elsewhere_is_known_by_its_control_tokens() {
        let qwen = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/tokenizer");
        assert_eq!(load(&qwen).expect("loads").name(), "qwen3");
        let dir = tempfile::tempdir().expect("a directory");
        let other = Tokenizer::train(&["a".to_owned()], 300, &["<|end|>"]).expect("trains");
        other.save(&dir.path().join(TOKENIZER)).expect("saves");
        let text = load(dir.path()).err().expect("is unknown").to_string();
        assert!(text.contains("the control tokens of no renderer (`compact`, `qwen3`)"), "{text}");
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
