//! The shape of a model: what `config.json` of a Hugging Face directory says.
//!
//! Only what `Qwen3ForCausalLM` can be without sliding windows, attention biases and scaled rotary embeddings; anything else is an error that
//! names the setting, because it would compute something else in silence.

use serde_json::{Value, json};

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
        };
        config.check()?;
        Ok(config)
    }

    /// The text of a `config.json` that transformers and vLLM read.
    pub fn to_json(&self) -> String {
        let value = json!({
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
    pub(super) fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all keys (or all values) of a token.
    pub(super) fn key_width(&self) -> usize {
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
    if value["use_sliding_window"] == json!(true) {
        return Err("`use_sliding_window` is true, expected false".to_owned());
    }
    Ok(())
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
    }
    let nested = &value["rope_parameters"]["rope_theta"];
    let found = if nested.is_null() { &value["rope_theta"] } else { nested };
    found.as_f64().map(|theta| theta as f32).ok_or_else(|| format!("`rope_theta` is {found}, expected a number"))
}

/// The shortest decimal that reads back as this number; widening to f64 would print its error.
fn exact(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, |number| json!(number))
}
