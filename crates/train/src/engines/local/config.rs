//! The shape of a model: what `config.json` of a Hugging Face directory says.
//!
//! Only what `Qwen3ForCausalLM` can be without sliding windows, attention biases and scaled rotary embeddings; anything else is an error that
//! names the setting, because it would compute something else in silence. So is a setting that is not known here, except for those that
//! say nothing of what is computed ([`WITHOUT_EFFECT`]).

use serde_json::{Map, Value, json};

/// Settings of Qwen3's files that change nothing of what this engine computes: where they came from, how a fresh model is made, what
/// generation does by default, and windows that [`refuse_other_models`] makes sure are not used.
const WITHOUT_EFFECT: [&str; 17] = [
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "bos_token_id",
    "dtype",
    "eos_token_id",
    "initializer_range",
    "layer_types",
    "max_window_layers",
    "pad_token_id",
    "sliding_window",
    "torch_dtype",
    "transformers_version",
    "unsloth_version",
    "use_cache",
];

/// Settings that are read, or that must have the only value this engine computes.
const WITH_EFFECT: [&str; 17] = [
    "attention_bias",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "tie_word_embeddings",
    "use_sliding_window",
    "vocab_size",
];

/// Sizes and constants of a model; the names are those of `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Ids are below this.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layers.
    pub intermediate_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads of queries.
    pub num_attention_heads: usize,
    /// Heads of keys and values; divides the heads of queries.
    pub num_key_value_heads: usize,
    /// Width of a head; even.
    pub head_dim: usize,
    /// Longest sequence in tokens.
    pub max_position_embeddings: usize,
    /// Added to the mean square in every norm.
    pub rms_norm_eps: f32,
    /// Base of the rotary embedding.
    pub rope_theta: f32,
    /// Whether the output matrix is the embedding.
    pub tie_word_embeddings: bool,
    /// Ids that the file names for other programs: beginning, end and padding of texts. Kept as they are.
    pub text_ids: TextIds,
}

/// What a file says of the ids of special tokens, for the programs that generate from it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TextIds(Map<String, Value>);

impl TextIds {
    const NAMES: [&str; 3] = ["bos_token_id", "eos_token_id", "pad_token_id"];

    fn of(value: &Value) -> TextIds {
        let known = Self::NAMES.into_iter().filter(|name| !value[name].is_null());
        TextIds(known.map(|name| (name.to_owned(), value[name].clone())).collect())
    }
}

impl Config {
    /// The size that `basis` trains by default: 1.8 million parameters at a vocabulary of 1024.
    pub fn small(vocab_size: usize) -> Config {
        Config {
            vocab_size,
            hidden_size: 192,
            intermediate_size: 512,
            num_hidden_layers: 4,
            num_attention_heads: 6,
            num_key_value_heads: 2,
            head_dim: 32,
            max_position_embeddings: 2048,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            tie_word_embeddings: true,
            text_ids: TextIds::default(),
        }
    }

    /// Reads the text of a `config.json`.
    ///
    /// # Errors
    /// One line that names the setting and what was expected.
    pub fn parse(text: &str) -> Result<Config, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        refuse_other_models(&value)?;
        let heads = size(&value, "num_attention_heads")?;
        let hidden_size = size(&value, "hidden_size")?;
        let config = Config {
            vocab_size: size(&value, "vocab_size")?,
            hidden_size,
            intermediate_size: size(&value, "intermediate_size")?,
            num_hidden_layers: size(&value, "num_hidden_layers")?,
            num_attention_heads: heads,
            num_key_value_heads: size(&value, "num_key_value_heads")?,
            head_dim: if value["head_dim"].is_null() { hidden_size / heads } else { size(&value, "head_dim")? },
            max_position_embeddings: size(&value, "max_position_embeddings")?,
            rms_norm_eps: value["rms_norm_eps"].as_f64().unwrap_or(1e-6) as f32,
            rope_theta: rope_theta(&value)?,
            tie_word_embeddings: value["tie_word_embeddings"].as_bool().unwrap_or(false),
            text_ids: TextIds::of(&value),
        };
        config.check()?;
        Ok(config)
    }

    /// The text of a `config.json` that transformers and vLLM read.
    pub fn to_json(&self) -> String {
        let mut value = json!({
            "architectures": ["Qwen3ForCausalLM"],
            "attention_bias": false,
            "dtype": "float32",
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "max_position_embeddings": self.max_position_embeddings,
            "model_type": "qwen3",
            "num_attention_heads": self.num_attention_heads,
            "num_hidden_layers": self.num_hidden_layers,
            "num_key_value_heads": self.num_key_value_heads,
            "rms_norm_eps": exact(self.rms_norm_eps),
            "rope_parameters": { "rope_theta": exact(self.rope_theta), "rope_type": "default" },
            "rope_theta": exact(self.rope_theta),
            "tie_word_embeddings": self.tie_word_embeddings,
            "use_sliding_window": false,
            "vocab_size": self.vocab_size,
        });
        value.as_object_mut().expect("it is an object").extend(self.text_ids.0.clone());
        serde_json::to_string_pretty(&value).expect("a JSON value can be written") + "\n"
    }

    /// Says what makes these sizes impossible, if anything does.
    ///
    /// # Errors
    /// One line that names the setting and what was expected.
    pub fn check(&self) -> Result<(), String> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        for (name, size) in sizes {
            if size == 0 || size > 1 << 24 {
                return Err(format!("`{name}` is {size}, expected 1 to {}", 1 << 24));
            }
        }
        if !self.num_attention_heads.is_multiple_of(self.num_key_value_heads) {
            return Err(format!(
                "`num_key_value_heads` is {}, expected a divisor of `num_attention_heads` ({})",
                self.num_key_value_heads, self.num_attention_heads
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(format!("`head_dim` is {}, expected an even number", self.head_dim));
        }
        Ok(())
    }

    /// Width of all queries of a token.
    pub(crate) fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all keys (or all values) of a token.
    pub(crate) fn key_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// Heads of queries that share one head of keys and values.
    pub(super) fn group(&self) -> usize {
        self.num_attention_heads / self.num_key_value_heads
    }
}

fn refuse_other_models(value: &Value) -> Result<(), String> {
    let expected = [("model_type", json!("qwen3")), ("hidden_act", json!("silu")), ("attention_bias", json!(false))];
    for (name, wanted) in expected {
        if !value[name].is_null() && value[name] != wanted {
            return Err(format!("`{name}` is {}, expected {wanted}", value[name]));
        }
    }
    if value["model_type"].is_null() {
        return Err("`model_type` is missing, expected \"qwen3\"".to_owned());
    }
    if !matches!(value["use_sliding_window"], Value::Null | Value::Bool(false)) {
        return Err(format!("`use_sliding_window` is {}, expected false", value["use_sliding_window"]));
    }
    let types = value["layer_types"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(other) = types.iter().find(|&kind| kind != "full_attention") {
        return Err(format!("`layer_types` has {other}, expected \"full_attention\" alone"));
    }
    let known = |name: &str| WITH_EFFECT.contains(&name) || WITHOUT_EFFECT.contains(&name);
    match value.as_object().into_iter().flatten().find(|(name, value)| !known(name) && !value.is_null()) {
        Some((name, value)) => Err(format!(
            "`{name}` is {value}, which this engine does not know; remove it if it has no effect on what the model computes"
        )),
        None => Ok(()),
    }
}

fn size(value: &Value, name: &str) -> Result<usize, String> {
    let found = &value[name];
    found.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| format!("`{name}` is {found}, expected a size"))
}

/// Newer files have it in `rope_parameters`, older ones at the top, with `rope_scaling` beside it.
fn rope_theta(value: &Value) -> Result<f32, String> {
    for name in ["rope_parameters", "rope_scaling"] {
        let parameters = &value[name];
        let kind = if parameters["rope_type"].is_null() { &parameters["type"] } else { &parameters["rope_type"] };
        if !kind.is_null() && kind != "default" {
            return Err(format!("`{name}` has the type {kind}, expected \"default\""));
        }
        let known = ["rope_type", "type", "rope_theta"];
        if let Some((key, found)) =
            parameters.as_object().into_iter().flatten().find(|(key, _)| !known.contains(&key.as_str()))
        {
            return Err(format!("`{name}.{key}` is {found}, which this engine does not know"));
        }
    }
    let nested = &value["rope_parameters"]["rope_theta"];
    let found = if nested.is_null() { &value["rope_theta"] } else { nested };
    found.as_f64().map(|theta| theta as f32).ok_or_else(|| format!("`rope_theta` is {found}, expected a number"))
}

/// The shortest decimal that reads back as this number; widening to f64 would print its error.
fn exact(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, |number| json!(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the file of Qwen3-0.6B says.
    fn small_qwen() -> Value {
        json!({
            "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
            "bos_token_id": 151_643, "eos_token_id": 151_645, "head_dim": 128, "hidden_act": "silu",
            "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072,
            "max_position_embeddings": 40_960, "max_window_layers": 28, "model_type": "qwen3",
            "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-6,
            "rope_scaling": null, "rope_theta": 1_000_000, "sliding_window": null, "tie_word_embeddings": true,
            "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": true,
            "use_sliding_window": false, "vocab_size": 151_936
        })
    }

    #[test]
    fn the_file_of_a_published_model_is_read_and_comes_back() {
        let config = Config::parse(&small_qwen().to_string()).expect("is read");
        assert_eq!((config.query_width(), config.key_width(), config.group()), (2048, 1024, 2));
        assert_eq!((config.rope_theta, config.tie_word_embeddings), (1e6, true));
        let written: Value = serde_json::from_str(&config.to_json()).expect("is JSON");
        assert_eq!((&written["eos_token_id"], &written["pad_token_id"]), (&json!(151_645), &Value::Null));
        assert_eq!(Config::parse(&config.to_json()), Ok(config));
    }

    #[test]
    fn what_would_compute_something_else_is_refused_by_name() {
        let cases = [
            ("model_type", json!("qwen3_moe"), "`model_type` is \"qwen3_moe\", expected \"qwen3\""),
            ("attention_bias", json!(true), "`attention_bias` is true, expected false"),
            ("use_sliding_window", json!(true), "`use_sliding_window` is true, expected false"),
            ("layer_types", json!(["full_attention", "sliding_attention"]), "`layer_types` has \"sliding_attention\""),
            ("rope_scaling", json!({"rope_type": "yarn", "factor": 4.0}), "`rope_scaling` has the type \"yarn\""),
            ("rope_scaling", json!({"factor": 4.0}), "`rope_scaling.factor` is 4.0"),
            ("rope_parameters", json!({"rope_theta": 1e4, "partial_rotary_factor": 0.5}), "`rope_parameters.partial"),
            ("quantization_config", json!({"bits": 4}), "`quantization_config` is {\"bits\":4}, which this engine"),
            ("num_key_value_heads", json!(5), "`num_key_value_heads` is 5, expected a divisor"),
            ("hidden_size", json!("wide"), "`hidden_size` is \"wide\", expected a size"),
        ];
        for (name, value, expected) in cases {
            let mut file = small_qwen();
            file[name] = value;
            let error = Config::parse(&file.to_string()).expect_err("is refused");
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
