//! One row, as it is written and as it may be read.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::formats::FormatError;
use crate::record::TestId;
use crate::tree::with_path;

const NEXT: &str = "a row of SWE-bench has `instance_id`, `repo`, `base_commit`, `problem_statement`, `patch`, `test_patch`, `FAIL_TO_PASS`";

/// A row. Columns that descendants of the format add are passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) instance_id: String,
    /// `owner/name`.
    pub(super) repo: String,
    pub(super) base_commit: String,
    pub(super) patch: String,
    pub(super) test_patch: String,
    pub(super) problem_statement: String,
    #[serde(default)]
    pub(super) hints_text: String,
    #[serde(default)]
    pub(super) created_at: Value,
    #[serde(default)]
    pub(super) version: String,
    #[serde(rename = "FAIL_TO_PASS", with = "tests")]
    pub(super) fail_to_pass: Vec<TestId>,
    #[serde(rename = "PASS_TO_PASS", with = "tests", default)]
    pub(super) pass_to_pass: Vec<TestId>,
    #[serde(default)]
    pub(super) environment_setup_commit: String,
}

/// A list as JSON in a text, which is how the original has it; descendants have plain lists.
mod tests {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(tests: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(tests).expect("texts are JSON"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        let list = match Value::deserialize(deserializer)? {
            Value::String(text) => {
                serde_json::from_str(&text).map_err(|_| D::Error::custom("a list of tests is no JSON"))?
            }
            other => other,
        };
        serde_json::from_value(list).map_err(|_| D::Error::custom("expected a list of names of tests"))
    }
}

/// All rows of a file: lines of JSON, or one JSON list. Every row is read before any is used.
pub(super) fn read(path: &Path) -> Result<Vec<Row>, FormatError> {
    let named = if path.is_dir() { path.join("rows.jsonl") } else { path.to_owned() };
    let text = with_path(&named, std::fs::read_to_string(&named))?;
    let values = values(&named, &text)?;
    let rows: Vec<Row> = values
        .into_iter()
        .enumerate()
        .map(|(at, value)| {
            let place = format!("`{}` row {}", named.display(), at + 1);
            serde_json::from_value(value).map_err(|error| FormatError::field(place, error.to_string(), NEXT))
        })
        .collect::<Result<_, _>>()?;
    match rows.is_empty() {
        true => Err(FormatError::file(&named, "has no rows", NEXT)),
        false => Ok(rows),
    }
}

/// The objects of a file.
pub(super) fn values(path: &Path, text: &str) -> Result<Vec<Value>, FormatError> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text)
            .map_err(|error| FormatError::file(path, format!("is no JSON: {error}"), "name lines of JSON, or a list"));
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let place = format!("`{}` line {}", path.display(), at + 1);
            serde_json::from_str(line)
                .map_err(|error| FormatError::field(place, error.to_string(), "each line has to be one JSON object"))
        })
        .collect()
}
