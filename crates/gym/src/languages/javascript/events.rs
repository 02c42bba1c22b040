//! The lines that the test runner writes to the report channel, and how the host reads them.
//!
//! A line counts when it is whole, is an event and carries the nonce of this run, or while a test file runs the key of that file; any
//! other line was written by someone else.

use serde::Deserialize;

/// One genuine event.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    Begin,
    /// The process of a test file begins; its lines carry the key.
    File {
        path: String,
        key: String,
    },
    /// The file could not be imported.
    Collect {
        message: String,
    },
    Test(TestEvent),
    /// A hook around the tests of a suite failed.
    Suite {
        title: String,
        detail: String,
    },
    Symptom(SymptomEvent),
    /// First lines of functions of a file that were entered.
    Covered {
        path: String,
        lines: Vec<usize>,
    },
    /// The reporter came to its end.
    Done {
        /// Processor time of the process in milliseconds.
        cpu: f64,
    },
    /// The process of the test file ended.
    Exit {
        status: Option<i32>,
        signal: Option<String>,
    },
    /// What the call at a position gave.
    Value {
        index: usize,
        value: Option<String>,
        exception: Option<String>,
    },
    /// The runner came to its end.
    End,
}

/// The end of one test.
#[derive(Debug, Deserialize)]
pub(super) struct TestEvent {
    pub(super) title: String,
    pub(super) outcome: String,
    pub(super) phase: String,
    /// Wall time in milliseconds.
    pub(super) ms: f64,
    pub(super) detail: String,
}

/// What a failed test showed, and where in the test file.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SymptomEvent {
    pub(super) title: String,
    #[serde(default)]
    pub(super) actual: Option<String>,
    #[serde(default)]
    pub(super) expected: Option<String>,
    #[serde(default)]
    pub(super) exception: Option<String>,
    /// From 1.
    #[serde(default)]
    pub(super) line: usize,
    /// From 1, in UTF-16 units.
    #[serde(default)]
    pub(super) column: usize,
}

/// Splits a report into genuine events and the number of other lines.
pub(super) fn parse(report: &[u8], nonce: &str) -> (Vec<Event>, usize) {
    let mut events = Vec::new();
    let mut foreign = 0;
    let mut key = None;
    for line in report.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        match parse_line(line, nonce, key.as_deref()) {
            Some(event) => {
                match &event {
                    Event::File { key: own, .. } => key = Some(own.clone()),
                    Event::Exit { .. } => key = None,
                    _ => {}
                }
                events.push(event);
            }
            None => foreign += 1,
        }
    }
    (events, foreign)
}

fn parse_line(line: &[u8], nonce: &str, key: Option<&str>) -> Option<Event> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    let own = value.get("nonce")?.as_str()?;
    let (is_runner, is_file) = (own == nonce, key == Some(own));
    let event: Event = (is_runner || is_file).then(|| serde_json::from_value(value).ok())??;
    let of_runner = matches!(event, Event::Begin | Event::File { .. } | Event::Exit { .. } | Event::End);
    // What concerns the whole run is never said by the process of a test file.
    (is_runner || !of_runner).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_speaks_for_its_file_while_that_runs_and_for_nothing_else() {
        let report = br#"{"nonce":"n","event":"begin"}
{"nonce":"k","event":"done","cpu":1}
{"nonce":"n","event":"file","path":"a","key":"k"}
{"nonce":"k","event":"done","cpu":1}
{"nonce":"k","event":"exit","status":1}
noise
{"nonce":"n","event":"exit","status":1,"signal":null}
{"nonce":"k","event":"done","cpu":1}
"#;
        let (events, foreign) = parse(report, "n");
        assert!(
            matches!(events[..], [Event::Begin, Event::File { .. }, Event::Done { .. }, Event::Exit { .. }]),
            "{events:?}"
        );
        assert_eq!(foreign, 4);
    }
}
