//! Adapters on disk, as PEFT keeps them: `adapter_config.json` with the directory of the frozen weights, `adapter_model.safetensors`.
//!
//! Only plain LoRA is read. What PEFT can do beyond that is an error that names the setting, because it would compute something else.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::super::{EngineError, Lora};
use super::files::{self, damaged};

pub(super) const CONFIG: &str = "adapter_config.json";
pub(super) const WEIGHTS: &str = "adapter_model.safetensors";

/// What `adapter_config.json` says.
pub(super) struct Described {
    pub(super) lora: Lora,
    /// Where the frozen weights are.
    pub(super) base: PathBuf,
}

/// The text of an `adapter_config.json`.
pub(super) fn to_json(lora: &Lora, base: &Path) -> String {
    let value = json!({
        "base_model_name_or_path": base,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": lora.rank,
        "target_modules": lora.targets,
        "task_type": "CAUSAL_LM",
        "use_dora": false,
        "use_rslora": false,
    });
    serde_json::to_string_pretty(&value).expect("a JSON value can be written") + "\n"
}

/// Reads the `adapter_config.json` of a directory.
pub(super) fn read(dir: &Path) -> Result<Described, EngineError> {
    let path = dir.join(CONFIG);
    let wrong = |reason: String| damaged(&path, reason);
    let value: Value =
        serde_json::from_slice(&files::read(&path)?).map_err(|error| wrong(format!("not JSON: {error}")))?;
    refuse_other_kinds(&value).map_err(wrong)?;
    let unreadable = |name: &str, expected: &str| wrong(format!("`{name}` is {}, expected {expected}", value[name]));
    let targets = value["target_modules"]
        .as_array()
        .and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
    let base =
        value["base_model_name_or_path"].as_str().ok_or_else(|| unreadable("base_model_name_or_path", "a path"))?;
    let targets = targets.ok_or_else(|| unreadable("target_modules", "a list of names"))?;
    let lora = Lora {
        rank: value["r"].as_u64().ok_or_else(|| unreadable("r", "a rank"))? as usize,
        alpha: value["lora_alpha"].as_f64().ok_or_else(|| unreadable("lora_alpha", "a number"))? as f32,
        targets,
    };
    Ok(Described { lora, base: dir.join(base) })
}

fn refuse_other_kinds(value: &Value) -> Result<(), String> {
    let plain = [
        ("peft_type", json!("LORA")),
        ("bias", json!("none")),
        ("fan_in_fan_out", json!(false)),
        ("use_dora", json!(false)),
        ("use_rslora", json!(false)),
        ("lora_bias", json!(false)),
        ("lora_dropout", json!(0.0)),
        ("rank_pattern", json!({})),
        ("alpha_pattern", json!({})),
    ];
    for (name, wanted) in plain {
        let found = &value[name];
        if !found.is_null() && *found != wanted && found.as_f64() != wanted.as_f64().or(Some(f64::NAN)) {
            return Err(format!("`{name}` is {found}, expected {wanted}"));
        }
    }
    let absent = ["modules_to_save", "layers_to_transform", "layers_pattern", "exclude_modules", "target_parameters"];
    match absent.into_iter().find(|name| !value[*name].is_null()) {
        Some(name) => Err(format!("`{name}` is {}, expected null", value[name])),
        None => Ok(()),
    }
}
