//! What went wrong with one request, in words with a next step, and whether another attempt may help.

use std::time::Duration;

use serde_json::Value;

use crate::client::CallError;
use crate::policy::PolicyError;

/// One failed attempt.
pub(super) struct Failure {
    pub(super) error: PolicyError,
    /// Set when another attempt may help.
    pub(super) retry: bool,
}

impl Failure {
    /// A failure that the server at `url` reports.
    pub(super) fn status(url: &str, status: u16, body: &str) -> Self {
        let next = match status {
            401 | 403 => "; check the API key",
            300..=399 | 404 | 405 => "; check that the address ends in `/v1` and that the server has this model",
            408 | 425 | 429 => "; use fewer workers or try later",
            500.. => "; look at the server's log",
            _ => "",
        };
        let text = format!("`{url}` answered {status}: {}{next}", excerpt(&message(body)));
        Self { error: PolicyError::Unavailable(text), retry: matches!(status, 408 | 425 | 429 | 500..) }
    }

    /// A failure below HTTP. A request that ran into its time-out would do so again.
    pub(super) fn transport(url: &str, error: &CallError, timeout: Duration) -> Self {
        match error {
            CallError::Timeout => {
                let seconds = timeout.as_secs_f64();
                let next = "raise the time-out or lower the tokens per turn";
                let text = format!("`{url}` gave no answer within {seconds} s; {next}");
                Self { error: PolicyError::Unavailable(text), retry: false }
            }
            CallError::TooLong(_) => Self::nonsense(url, &error.to_string()),
            CallError::Unwritable(_) | CallError::Protocol(_) | CallError::Broken(_) => {
                let text = format!("cannot reach `{url}`: {error}; check the address and that the server is up");
                Self { error: PolicyError::Unavailable(text), retry: !matches!(error, CallError::Unwritable(_)) }
            }
        }
    }

    /// An answer that makes no sense.
    pub(super) fn nonsense(url: &str, why: &str) -> Self {
        let text = format!("`{url}` sent no usable chat completion: {why}");
        Self { error: PolicyError::BadReply(text), retry: false }
    }
}

/// The beginning of a text, on one line.
pub(super) fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() > 200 {
        true => line.chars().take(200).chain(['…']).collect(),
        false => line,
    }
}

/// The server's own words: `error.message`, `error`, `message`, `detail`, or everything.
fn message(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let places = [&json["error"]["message"], &json["error"], &json["message"], &json["detail"]];
    places.into_iter().find_map(Value::as_str).unwrap_or(body).to_owned()
}
