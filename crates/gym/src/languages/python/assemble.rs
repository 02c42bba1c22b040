//! Makes a [`TestReport`] of what a test process did: worst event wins, and everything that contradicts it is noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use basis_sandbox::{Outcome, Output};

use super::events::{Event, TestEvent, parse};
use crate::languages::{Coverage, Health, Phase, Secrets, Selection, Status, TestOutcome, TestReport};
use crate::record::TestId;

/// The exit status of a runner whose failing canary failed.
const SOME_TESTS_FAILED: i32 = 1;
/// The signal `SIGXCPU`.
const PROCESSOR_TIME_IS_UP: i32 = 24;

/// Reads the report of one run.
pub(super) fn assemble(output: &Output, selection: &Selection, secrets: &Secrets) -> TestReport {
    let (events, foreign) = parse(&output.report.bytes, &secrets.nonce);
    let mut run = Run::default();
    events.into_iter().for_each(|event| run.add(event));
    let canaries_work = run.take_canaries(secrets);
    let health = match output.outcome {
        Outcome::Signalled(PROCESSOR_TIME_IS_UP) if selection.processor.is_some() => Health::TimedOut,
        _ => run.health(output, foreign, canaries_work),
    };
    let mut outcomes = run.outcomes;
    for id in &selection.tests {
        outcomes.entry(id.clone()).or_insert_with(missing);
    }
    let coverage = selection.coverage.then_some(run.coverage);
    TestReport { outcomes, health, coverage, duration: output.duration, processor: run.processor }
}

/// What the events of one run add up to.
#[derive(Default)]
struct Run {
    begins: usize,
    ended: Option<BTreeMap<String, usize>>,
    processor: Duration,
    late: bool,
    counts: BTreeMap<String, usize>,
    phases: BTreeSet<(TestId, String)>,
    twice: Option<TestId>,
    uncollected: Vec<String>,
    outcomes: BTreeMap<TestId, TestOutcome>,
    coverage: Coverage,
}

impl Run {
    fn add(&mut self, event: Event) {
        self.late |= self.ended.is_some();
        match event {
            Event::Begin => self.begins += 1,
            Event::Collect { path, message } => self.uncollected.push(format!("`{path}`: {message}")),
            Event::Test(event) => self.add_test(event),
            Event::Symptom(event) => {
                let symptom: crate::record::Symptom = event.into();
                if let Some(outcome) = self.outcomes.get_mut(&symptom.test) {
                    outcome.symptom.get_or_insert(symptom);
                }
            }
            Event::Functions { functions } => self.coverage.functions = functions,
            Event::Touched { id, functions } if id.is_empty() => {
                self.coverage.imported = functions.into_iter().collect()
            }
            Event::Touched { id, functions } => {
                self.coverage.touched.insert(id, functions.into_iter().collect());
            }
            Event::Calls { function, calls } => {
                self.coverage.calls.insert(function, calls);
            }
            // Belongs to another kind of run.
            Event::Value { .. } => {}
            Event::End { counts, cpu } => {
                self.ended = Some(counts);
                self.processor = milliseconds(cpu);
            }
        }
    }

    fn add_test(&mut self, event: TestEvent) {
        let status = status(&event.outcome);
        let phase = phase(&event.phase);
        // Subtests report the call phase of their test many times.
        if event.phase != "subtest" && !self.phases.insert((event.id.clone(), event.phase)) {
            self.twice.get_or_insert(event.id.clone());
        }
        *self.counts.entry(event.outcome).or_default() += 1;
        let outcome = self.outcomes.entry(event.id).or_insert(TestOutcome {
            status,
            phase,
            detail: String::new(),
            symptom: None,
            duration: Duration::ZERO,
            processor: Duration::ZERO,
        });
        outcome.duration += milliseconds(event.ms);
        outcome.processor += milliseconds(event.cpu);
        if status > outcome.status || outcome.detail.is_empty() && status == outcome.status {
            (outcome.status, outcome.phase, outcome.detail) = (status, phase, event.detail);
        }
    }

    /// Takes the canaries out of the outcomes and says whether they did what they must.
    fn take_canaries(&mut self, secrets: &Secrets) -> bool {
        let [passing, failing] =
            secrets.canaries.each_ref().map(|name| self.outcomes.remove(&format!("canary.py::test_{name}")));
        passing.is_some_and(|outcome| outcome.passed()) && failing.is_some_and(|outcome| outcome.failed_in_call())
    }

    fn health(&self, output: &Output, foreign: usize, canaries_work: bool) -> Health {
        match output.outcome {
            Outcome::TimedOut => return Health::TimedOut,
            Outcome::OutOfMemory => return Health::OutOfMemory,
            _ if output.report.truncated() => return Health::TooLong,
            _ if foreign > 0 || self.begins > 1 || self.late => return Health::Forged,
            _ => {}
        }
        let Some(counts) = &self.ended else { return Health::NoEnd(describe(output.outcome)) };
        if let Some(id) = &self.twice {
            Health::DuplicateIds(id.clone())
        } else if !canaries_work {
            Health::CanaryBroken
        } else if *counts != self.counts {
            Health::ExitMismatch("the runner counted other outcomes than it reported".to_owned())
        } else if output.outcome != Outcome::Exited(SOME_TESTS_FAILED) {
            Health::ExitMismatch(format!("the test process {}, expected status 1", describe(output.outcome)))
        } else if !self.uncollected.is_empty() {
            Health::CollectFailed(self.uncollected.clone())
        } else {
            Health::Sound
        }
    }
}

fn describe(outcome: Outcome) -> String {
    match outcome {
        Outcome::Exited(status) => format!("exited with status {status}"),
        Outcome::Signalled(signal) => format!("was killed by signal {signal}"),
        Outcome::TimedOut => "ran out of time".to_owned(),
        Outcome::OutOfMemory => "ran out of memory".to_owned(),
        Outcome::TooMuchOutput => "wrote too much output".to_owned(),
        Outcome::Interrupted => "was interrupted".to_owned(),
    }
}

/// An outcome that the runner does not know is the worst one.
fn status(outcome: &str) -> Status {
    match outcome {
        "passed" => Status::Passed,
        "xpass" => Status::Xpass,
        "xfail" => Status::Xfail,
        "skipped" => Status::Skipped,
        "failed" => Status::Failed,
        _ => Status::Error,
    }
}

fn phase(phase: &str) -> Phase {
    match phase {
        "setup" => Phase::Setup,
        "teardown" => Phase::Teardown,
        _ => Phase::Call,
    }
}

fn milliseconds(count: f64) -> Duration {
    Duration::from_secs_f64((count / 1000.0).clamp(0.0, 1e6))
}

fn missing() -> TestOutcome {
    TestOutcome {
        status: Status::Missing,
        phase: Phase::Setup,
        detail: String::new(),
        symptom: None,
        duration: Duration::ZERO,
        processor: Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use basis_sandbox::{Captured, Refused};

    use super::*;

    fn secrets() -> Secrets {
        Secrets { nonce: "n".to_owned(), canaries: ["p".to_owned(), "f".to_owned()] }
    }

    fn line(text: &str) -> String {
        format!("{{\"nonce\":\"n\",{text}}}\n")
    }

    fn test(id: &str, phase: &str, outcome: &str) -> String {
        line(&format!(
            r#""event":"test","id":"{id}","phase":"{phase}","outcome":"{outcome}","ms":1.0,"cpu":1.0,"detail":"d""#
        ))
    }

    fn canaries() -> String {
        test("canary.py::test_p", "call", "passed") + &test("canary.py::test_f", "call", "failed")
    }

    fn report(body: &str, counts: &str, status: i32) -> TestReport {
        let text = line(r#""event":"begin""#) + body + &line(&format!(r#""event":"end","counts":{counts},"cpu":9.0"#));
        let report = Captured { total: text.len() as u64, bytes: text.into_bytes() };
        let output = Output {
            outcome: Outcome::Exited(status),
            stdout: Captured::default(),
            stderr: Captured::default(),
            report,
            refused: Refused::default(),
            duration: Duration::ZERO,
        };
        assemble(&output, &Selection::default(), &secrets())
    }

    #[test]
    fn the_worst_event_of_a_test_wins() {
        let body = canaries()
            + &test("a::t", "setup", "passed")
            + &test("a::t", "subtest", "failed")
            + &test("a::t", "call", "passed")
            + &test("a::t", "teardown", "passed");
        let report = report(&body, r#"{"passed":4,"failed":2}"#, 1);
        assert_eq!(report.health, Health::Sound);
        assert!(report.outcomes["a::t"].failed_in_call());
    }

    #[test]
    fn a_run_in_which_nothing_can_fail_breaks_the_canary() {
        let body = test("canary.py::test_p", "call", "passed") + &test("canary.py::test_f", "call", "passed");
        assert_eq!(report(&body, r#"{"passed":2}"#, 1).health, Health::CanaryBroken);
    }

    #[test]
    fn a_test_that_is_reported_twice_is_no_evidence() {
        let body = canaries() + &test("a::t", "call", "failed") + &test("a::t", "call", "passed");
        assert_eq!(report(&body, r#"{"passed":2,"failed":2}"#, 1).health, Health::DuplicateIds("a::t".to_owned()));
    }

    #[test]
    fn counts_and_exit_status_must_fit_the_events() {
        assert_eq!(report(&canaries(), r#"{"passed":1,"failed":1}"#, 0).health.code(), "exit_mismatch");
        assert_eq!(report(&canaries(), r#"{"passed":2,"failed":1}"#, 1).health.code(), "exit_mismatch");
    }

    #[test]
    fn a_line_without_the_nonce_makes_the_report_forged() {
        let body = canaries() + "{\"nonce\":\"guess\",\"event\":\"begin\"}\n";
        assert_eq!(report(&body, r#"{"passed":1,"failed":1}"#, 1).health, Health::Forged);
    }
}
