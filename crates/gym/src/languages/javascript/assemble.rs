//! Makes a [`TestReport`] of what the processes of the test files did: worst event wins, and everything that contradicts it is noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use basis_sandbox::{Outcome, Output};

use super::events::{Event, SymptomEvent, TestEvent, parse};
use crate::languages::{Coverage, Health, Phase, Secrets, Selection, Status, TestOutcome, TestReport};
use crate::record::TestId;

/// The exit status of a test file whose failing canary failed.
const SOME_TESTS_FAILED: i32 = 1;

/// The signal of the limit of processor time.
const PROCESSOR_TIME_IS_UP: &str = "SIGXCPU";

/// A report, and where its symptoms were seen.
pub(super) struct Assembled {
    pub(super) report: TestReport,
    pub(super) symptoms: Vec<(TestId, SymptomEvent)>,
}

/// Reads the report of one run.
pub(super) fn assemble(output: &Output, selection: &Selection, secrets: &Secrets) -> Assembled {
    let (events, foreign) = parse(&output.report.bytes, &secrets.nonce);
    let mut run = Run::default();
    events.into_iter().for_each(|event| run.add(event, secrets));
    let health = run.health(output, foreign);
    let wanted: BTreeSet<&TestId> = selection.tests.iter().collect();
    let mut outcomes = run.outcomes;
    // Whole files are run; tests that nobody asked for say nothing.
    outcomes.retain(|id, _| wanted.is_empty() || wanted.contains(id));
    for id in &selection.tests {
        outcomes.entry(id.clone()).or_insert_with(|| outcome(Status::Missing, Phase::Setup, String::new()));
    }
    let coverage = selection.coverage.then_some(run.coverage);
    let report = TestReport { outcomes, health, coverage, duration: output.duration, processor: run.processor };
    Assembled { report, symptoms: run.symptoms }
}

/// What the events of one run add up to.
#[derive(Default)]
struct Run {
    begins: usize,
    ended: bool,
    late: bool,
    file: Option<File>,
    uncollected: Vec<String>,
    canary_broken: bool,
    outcomes: BTreeMap<TestId, TestOutcome>,
    symptoms: Vec<(TestId, SymptomEvent)>,
    coverage: Coverage,
    processor: Duration,
    out_of_processor: bool,
}

/// What is known of the test file that runs.
#[derive(Default)]
struct File {
    path: String,
    titles: Vec<String>,
    canaries: [Option<Status>; 2],
    uncollected: bool,
    covered: BTreeSet<usize>,
    done: bool,
}

impl Run {
    fn add(&mut self, event: Event, secrets: &Secrets) {
        self.late |= self.ended;
        match event {
            Event::Begin => self.begins += 1,
            Event::End => self.ended = true,
            Event::File { path, .. } => self.file = Some(File { path, ..File::default() }),
            Event::Exit { status, signal } => {
                if let Some(file) = self.file.take() {
                    self.close(&file, status, signal.as_deref());
                }
            }
            event => {
                if let Some(mut file) = self.file.take() {
                    self.add_of_file(&mut file, event, secrets);
                    self.file = Some(file);
                }
            }
        }
    }

    fn add_of_file(&mut self, file: &mut File, event: Event, secrets: &Secrets) {
        self.late |= file.done;
        match event {
            Event::Collect { message } => {
                file.uncollected = true;
                self.uncollected.push(format!("`{}`: {message}", file.path));
            }
            Event::Test(event) => self.add_test(file, event, secrets),
            Event::Suite { title, detail } => {
                let inside = format!("{}::{title}::", file.path);
                for (_, outcome) in self.outcomes.iter_mut().filter(|(id, _)| id.starts_with(&inside)) {
                    worsen(outcome, Status::Error, Phase::Teardown, &detail);
                }
            }
            Event::Symptom(event) => {
                self.symptoms.push((format!("{}::{}", file.path, event.title), event));
            }
            Event::Covered { path, lines } => {
                for line in lines {
                    file.covered.insert(self.coverage.functions.len());
                    self.coverage.functions.push((path.clone(), line));
                }
            }
            Event::Done { cpu } => {
                file.done = true;
                self.processor += milliseconds(cpu);
            }
            // Belong to the runner or to another kind of run.
            _ => {}
        }
    }

    fn add_test(&mut self, file: &mut File, event: TestEvent, secrets: &Secrets) {
        let (status, phase) = (status(&event.outcome), phase(&event.phase));
        if let Some(at) = secrets.canaries.iter().position(|name| *name == event.title) {
            // A canary that is reported twice did not do what it must.
            file.canaries[at] = Some(if file.canaries[at].is_some() { Status::Error } else { status });
            return;
        }
        let id = format!("{}::{}", file.path, event.title);
        let mut own = outcome(status, phase, event.detail);
        own.duration = milliseconds(event.ms);
        // Which of two tests with one name is meant cannot be told.
        if let Some(known) = self.outcomes.get_mut(&id) {
            worsen(known, Status::Error, Phase::Setup, "two tests have this name");
        } else {
            self.outcomes.insert(id, own);
        }
        file.titles.push(event.title);
    }

    /// Judges the process of a test file as a whole.
    fn close(&mut self, file: &File, status: Option<i32>, signal: Option<&str>) {
        let ids = || file.titles.iter().map(|title| format!("{}::{title}", file.path));
        ids().for_each(|id| drop(self.coverage.touched.insert(id, file.covered.clone())));
        let how = match (status, signal) {
            (Some(SOME_TESTS_FAILED), _) if file.done => None,
            (Some(status), _) => Some(format!("the process of the test file exited with status {status}")),
            (None, signal) => Some(format!("the process of the test file was ended by {}", signal.unwrap_or("nobody"))),
        };
        self.out_of_processor |= signal == Some(PROCESSOR_TIME_IS_UP);
        let canaries_work = file.canaries == [Some(Status::Passed), Some(Status::Failed)];
        // vitest runs nothing of a file that cannot be imported.
        let is_excused = file.uncollected && file.titles.is_empty();
        self.canary_broken |= file.done && !canaries_work && !is_excused;
        if let Some(how) = how {
            // Nothing that such a process said can be believed.
            for id in ids() {
                self.outcomes.entry(id).and_modify(|outcome| worsen(outcome, Status::Error, Phase::Call, &how));
            }
            self.uncollected.push(format!("`{}`: {how}", file.path));
        }
    }

    fn health(&self, output: &Output, foreign: usize) -> Health {
        match output.outcome {
            Outcome::TimedOut => return Health::TimedOut,
            _ if self.out_of_processor => return Health::TimedOut,
            Outcome::OutOfMemory => return Health::OutOfMemory,
            _ if output.report.truncated() => return Health::TooLong,
            _ if foreign > 0 || self.begins > 1 || self.late => return Health::Forged,
            _ => {}
        }
        if !self.ended || output.outcome != Outcome::Exited(0) {
            Health::NoEnd(format!("{:?}", output.outcome))
        } else if self.canary_broken {
            Health::CanaryBroken
        } else if !self.uncollected.is_empty() {
            Health::CollectFailed(self.uncollected.clone())
        } else {
            Health::Sound
        }
    }
}

fn milliseconds(count: f64) -> Duration {
    Duration::from_secs_f64((count / 1000.0).clamp(0.0, 1e6))
}

fn worsen(outcome: &mut TestOutcome, status: Status, phase: Phase, detail: &str) {
    if status > outcome.status {
        (outcome.status, outcome.phase, outcome.detail) = (status, phase, detail.to_owned());
    }
}

fn outcome(status: Status, phase: Phase, detail: String) -> TestOutcome {
    TestOutcome { status, phase, detail, symptom: None, duration: Duration::ZERO, processor: Duration::ZERO }
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

#[cfg(test)]
mod tests {
    use basis_sandbox::{Captured, Refused};

    use super::*;

    fn secrets() -> Secrets {
        Secrets { nonce: "n".to_owned(), canaries: ["p".to_owned(), "f".to_owned()] }
    }

    fn test(title: &str, outcome: &str) -> String {
        format!(
            "{{\"nonce\":\"k\",\"event\":\"test\",\"title\":\"{title}\",\"outcome\":\"{outcome}\",\"phase\":\"call\",\"ms\":1,\"detail\":\"d\"}}\n"
        )
    }

    const DONE: &str = "{\"nonce\":\"k\",\"event\":\"done\",\"cpu\":2}\n";

    fn report(body: &str, status: i32) -> TestReport {
        let text = format!(
            "{{\"nonce\":\"n\",\"event\":\"begin\"}}\n{{\"nonce\":\"n\",\"event\":\"file\",\"path\":\"a.test.js\",\"key\":\"k\"}}\n{body}{{\"nonce\":\"n\",\"event\":\"exit\",\"status\":{status}}}\n{{\"nonce\":\"n\",\"event\":\"end\"}}\n"
        );
        let report = Captured { total: text.len() as u64, bytes: text.into_bytes() };
        let output = Output {
            outcome: Outcome::Exited(0),
            stdout: Captured::default(),
            stderr: Captured::default(),
            report,
            refused: Refused::default(),
            duration: Duration::ZERO,
        };
        assemble(&output, &Selection::default(), &secrets()).report
    }

    fn canaries() -> String {
        test("p", "passed") + &test("f", "failed")
    }

    #[test]
    fn a_file_that_ends_as_it_must_is_sound() {
        let report = report(&(canaries() + &test("adds", "passed") + DONE), 1);
        assert_eq!(report.health, Health::Sound);
        assert_eq!(report.passing(), ["a.test.js::adds"]);
    }

    #[test]
    fn two_tests_with_one_name_are_no_evidence() {
        let report = report(&(canaries() + &test("adds", "passed") + &test("adds", "passed") + DONE), 1);
        assert_eq!(report.outcomes["a.test.js::adds"].status, Status::Error);
    }

    #[test]
    fn a_process_that_ends_early_takes_its_passed_tests_with_it() {
        for (body, status) in [(canaries() + &test("adds", "passed") + DONE, 0), (test("adds", "passed"), 1)] {
            let report = report(&body, status);
            assert_eq!(report.outcomes["a.test.js::adds"].status, Status::Error);
            assert_eq!(report.health.code(), "collect_failed");
        }
    }

    #[test]
    fn a_file_in_which_nothing_can_fail_breaks_the_canary() {
        let body = test("p", "passed") + &test("f", "passed") + &test("adds", "passed") + DONE;
        assert_eq!(report(&body, 1).health, Health::CanaryBroken);
    }

    #[test]
    fn lines_after_the_end_of_a_file_and_without_its_key_are_forged() {
        assert_eq!(report(&(canaries() + DONE + &test("adds", "passed")), 1).health, Health::Forged);
        assert_eq!(report("{\"nonce\":\"guess\",\"event\":\"done\"}\n", 1).health, Health::Forged);
    }

    #[test]
    fn a_failed_hook_spoils_the_tests_of_its_suite() {
        let suite = "{\"nonce\":\"k\",\"event\":\"suite\",\"title\":\"s\",\"detail\":\"after\"}\n";
        let report = report(&(canaries() + &test("s::adds", "passed") + suite + DONE), 1);
        assert_eq!(report.outcomes["a.test.js::s::adds"].status, Status::Error);
    }
}
