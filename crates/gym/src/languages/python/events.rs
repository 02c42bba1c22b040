//! The lines that a test runner writes to the report channel, and how the host reads them.
//!
//! A line counts when it is whole, is an event and carries the nonce of this run; any other line was written by someone else.

use serde::Deserialize;

use crate::record::Symptom;

/// One genuine event.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    Begin,
    /// A file could not be collected.
    Collect {
        path: String,
        message: String,
    },
    Test(TestEvent),
    Symptom(SymptomEvent),
    /// Functions of the project as file and first line; later events refer to them by position.
    Functions {
        functions: Vec<(String, usize)>,
    },
    /// What one test entered; the empty id is the import of the test files.
    Touched {
        id: String,
        functions: Vec<usize>,
    },
    /// Calls of the function at a position that tests made, as source.
    Calls {
        function: usize,
        calls: Vec<String>,
    },
    /// What the call at a position gave.
    Value {
        index: usize,
        value: Option<String>,
        exception: Option<String>,
    },
    /// The runner came to its end; how many test events there were by outcome.
    End {
        counts: std::collections::BTreeMap<String, usize>,
        /// Processor time of the whole process in milliseconds.
        cpu: f64,
    },
}

/// One phase of one test.
#[derive(Debug, Deserialize)]
pub(super) struct TestEvent {
    pub(super) id: String,
    pub(super) phase: String,
    pub(super) outcome: String,
    /// Wall time in milliseconds.
    pub(super) ms: f64,
    /// Processor time in milliseconds.
    pub(super) cpu: f64,
    pub(super) detail: String,
}

/// What a failed test showed.
#[derive(Debug, Deserialize)]
pub(super) struct SymptomEvent {
    id: String,
    call: Option<String>,
    actual: Option<String>,
    expected: Option<String>,
    exception: Option<String>,
}

impl From<SymptomEvent> for Symptom {
    fn from(event: SymptomEvent) -> Self {
        let SymptomEvent { id, call, actual, expected, exception } = event;
        Self { test: id, call, actual, expected, exception }
    }
}

/// Splits a report into genuine events and the number of other lines.
pub(super) fn parse(report: &[u8], nonce: &str) -> (Vec<Event>, usize) {
    let mut events = Vec::new();
    let mut foreign = 0;
    for line in report.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        match parse_line(line, nonce) {
            Some(event) => events.push(event),
            None => foreign += 1,
        }
    }
    (events, foreign)
}

fn parse_line(line: &[u8], nonce: &str) -> Option<Event> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    (value.get("nonce")?.as_str()? == nonce).then(|| serde_json::from_value(value).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_the_nonce_are_foreign() {
        let report = b"{\"nonce\":\"n\",\"event\":\"begin\"}\nnoise\n{\"nonce\":\"x\",\"event\":\"begin\"}\n{\"nonce\":\"n\",\"event\":\"?\"}\n";
        let (events, foreign) = parse(report, "n");
        assert!(matches!(events[..], [Event::Begin]));
        assert_eq!(foreign, 3);
    }
}
