//! Builds the programs of a plan in one fresh sandbox and runs each test as a process of its own.
//!
//! A test passed when its process exited with 0 and wrote exactly its mark to the report channel. Nothing that a test prints counts; what
//! it printed is only quoted, where somebody asks for symptoms. Examples of documentation that do not compile are left out, so that they do not
//! take the others with them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Command, Limits, Outcome, Output, Sandbox, SandboxError};
use serde::Deserialize;

use super::documentation::ROOT;
use super::environment::{Environment, TARGET};
use super::plan::{Canary, Plan, Run, View, mark};
use super::symptom;
use crate::languages::{Health, Phase, Secrets, Selection, Status, TestOutcome, TestReport};
use crate::record::TestId;

/// The exit status of a harness whose test failed.
const FAILED: i32 = 101;
/// The signal `SIGXCPU`.
const PROCESSOR_TIME_IS_UP: i32 = 24;
/// Processor time of a test where nothing else is asked for.
const LONGEST_TEST: Duration = Duration::from_secs(60);

/// Runs the selected tests of the tree that `layers` make, lowest first.
///
/// # Errors
/// [`SandboxError`] when the infrastructure failed; whatever the tests do is in the report.
pub(super) fn run_tests(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &[PathBuf],
    selection: &Selection,
    limits: &Limits,
) -> Result<TestReport, SandboxError> {
    let secrets = Secrets::draw()?;
    let view = View { layers };
    let plan =
        |left_out: &BTreeMap<TestId, String>| Plan::of(&view, &environment.manifest, selection, &secrets, left_out);
    let mut report = Report { outcomes: BTreeMap::new(), health: Health::Sound, duration: Duration::ZERO };
    let first = plan(&BTreeMap::new());
    let no_code = first.documentation.no_code.iter();
    let mut left_out: BTreeMap<TestId, String> = no_code.map(|id| (id.clone(), "it is no code".to_owned())).collect();
    if !first.programs.is_empty() {
        let mut sandbox = backend.create(&environment.spec(layers.to_vec(), limits.clone()))?;
        let ran = report.run(sandbox.as_mut(), (first, &plan, &mut left_out), &secrets, selection);
        sandbox.destroy()?;
        ran?;
    }
    report.leave_out(left_out, selection);
    for id in &selection.tests {
        report.outcomes.entry(id.clone()).or_insert_with(|| outcome(Status::Missing, String::new(), Duration::ZERO));
    }
    let Report { outcomes, health, duration } = report;
    Ok(TestReport { outcomes, health, coverage: None, duration, processor: duration })
}

struct Report {
    outcomes: BTreeMap<TestId, TestOutcome>,
    health: Health,
    duration: Duration,
}

impl Report {
    fn run(
        &mut self,
        sandbox: &mut dyn Sandbox,
        (mut plan, without, left_out): (Plan, &Planner<'_>, &mut BTreeMap<TestId, String>),
        secrets: &Secrets,
        selection: &Selection,
    ) -> Result<(), SandboxError> {
        let mut written = BTreeMap::new();
        let programs = loop {
            let built = build(sandbox, &plan, &written)?;
            self.duration += built.duration;
            match built.programs {
                Ok(programs) => break programs,
                Err(health) => {
                    // Errors of one kind hide those of others, so that there may be some more rounds.
                    let broken = broken_examples(&plan, &built.errors);
                    if broken.is_empty() {
                        self.health = health;
                        return Ok(());
                    }
                    left_out.extend(broken);
                }
            }
            written = std::mem::take(&mut plan.files);
            plan = without(left_out);
            if plan.programs.is_empty() {
                return Ok(());
            }
        };
        let plan = &plan;
        for (target, runs) in &plan.programs {
            let Some(program) = programs.get(&target.root) else {
                self.health = Health::CollectFailed(vec![format!("`{}` gave no program", target.root)]);
                return Ok(());
            };
            for run in runs {
                let output = sandbox.exec(&test_command(program, &run.name, selection.processor))?;
                self.duration += output.duration;
                if let Some(health) = self.add(target.root.as_str(), run, &output, (plan, secrets, selection.symptoms))
                {
                    self.health = health;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Adds examples of documentation that do not compile. Others can be believed, but those that were asked for were never tried.
    fn leave_out(&mut self, examples: BTreeMap<TestId, String>, selection: &Selection) {
        let mut asked = Vec::new();
        for (id, reason) in examples {
            let detail = format!("does not compile: {reason}");
            if selection.tests.contains(&id) {
                asked.push(format!("`{id}`: {detail}"));
            } else {
                self.outcomes.insert(id, outcome(Status::Skipped, detail, Duration::ZERO));
            }
        }
        if self.health == Health::Sound && !asked.is_empty() {
            self.health = Health::CollectFailed(asked);
        }
    }

    /// Adds what one process did, or says why nothing of this run can be believed.
    fn add(
        &mut self,
        root: &str,
        run: &Run,
        output: &Output,
        (plan, secrets, symptoms): (&Plan, &Secrets, bool),
    ) -> Option<Health> {
        match output.outcome {
            Outcome::TimedOut | Outcome::Signalled(PROCESSOR_TIME_IS_UP) => return Some(Health::TimedOut),
            Outcome::OutOfMemory => return Some(Health::OutOfMemory),
            _ => {}
        }
        let id = run.id.clone().unwrap_or_else(|_| format!("{root}::{}", run.name));
        let marked = match output.report.bytes.as_slice() {
            b"" => false,
            bytes if bytes == (mark(secrets, &id) + "\n").as_bytes() => true,
            _ => return Some(Health::Forged),
        };
        let found = match (output.outcome, marked) {
            (Outcome::Exited(0), true) => outcome(Status::Passed, String::new(), output.duration),
            (Outcome::Exited(0), false) => {
                outcome(Status::Error, "ended before the end of the test".to_owned(), output.duration)
            }
            (Outcome::Exited(FAILED), _) => {
                let panic = symptom::panic_of(&output.stderr.text());
                let detail = panic.as_ref().map_or_else(|| "failed".to_owned(), |panic| panic.message.clone());
                let mut found = outcome(Status::Failed, detail, output.duration);
                found.symptom = panic
                    .filter(|_| symptoms)
                    .and_then(|panic| symptom::of(&id, &panic, |path| plan.files.get(path).map(String::as_str)));
                found
            }
            (how, _) => outcome(Status::Error, format!("the test process ended: {how:?}"), output.duration),
        };
        match (&run.id, found.status) {
            (Ok(id), _) => drop(self.outcomes.insert(id.clone(), found)),
            (Err(Canary::Passes), Status::Passed) | (Err(Canary::Fails), Status::Failed) => {}
            (Err(_), _) => return Some(Health::CanaryBroken),
        }
        None
    }
}

/// Makes a plan without some examples of documentation.
type Planner<'a> = dyn Fn(&BTreeMap<TestId, String>) -> Plan + 'a;

/// The examples of documentation that do not compile, each with the first reason; all of them when it cannot be told which.
fn broken_examples(plan: &Plan, errors: &[Fault]) -> BTreeMap<TestId, String> {
    let mut broken = BTreeMap::new();
    for error in errors.iter().filter(|error| error.root == ROOT) {
        let places = error.places.iter().filter(|(path, _)| path == ROOT);
        for id in places.filter_map(|(_, line)| plan.documentation.around(*line)) {
            broken.entry(id.to_owned()).or_insert_with(|| error.message.clone());
        }
    }
    match errors.iter().find(|error| error.root == ROOT) {
        Some(error) if broken.is_empty() => {
            plan.documentation.lines.keys().map(|id| (id.clone(), error.message.clone())).collect()
        }
        _ => broken,
    }
}

fn outcome(status: Status, detail: String, duration: Duration) -> TestOutcome {
    TestOutcome { status, phase: Phase::Call, detail, symptom: None, duration, processor: duration }
}

/// A test alone in its process.
///
/// Its processor time is limited, because code that runs in circles would else be waited for.
pub(super) fn test_command(program: &str, name: &str, processor: Option<Duration>) -> Command {
    let seconds = processor.unwrap_or(LONGEST_TEST).as_secs().max(1);
    let limited = format!("ulimit -S -t {seconds}; ulimit -H -t {}; exec \"$@\"", seconds + 5);
    let argv = ["sh", "-c", &limited, "sh", program, "--exact", name, "--test-threads=1", "--nocapture"];
    Command { report: true, ..Command::new(argv) }
}

/// How a build ended.
pub(super) struct Built {
    /// Programs by their first file, or why there are none.
    pub(super) programs: Result<BTreeMap<String, String>, Health>,
    /// The errors of the compiler.
    pub(super) errors: Vec<Fault>,
    duration: Duration,
}

/// An error of the compiler.
pub(super) struct Fault {
    /// The first file of the program that it is in.
    root: String,
    message: String,
    /// Files and lines.
    pub(super) places: Vec<(String, usize)>,
}

/// A line of cargo.
#[derive(Deserialize)]
struct Message {
    executable: Option<String>,
    target: Option<Source>,
}

#[derive(Deserialize)]
struct Source {
    src_path: String,
}

impl Source {
    fn root(&self) -> Option<String> {
        Some(self.src_path.strip_prefix(crate::languages::WORKDIR)?.trim_start_matches('/').to_owned())
    }
}

/// Writes the files of a plan, as far as they are not written already, and builds its programs. Only build scripts and macros of the tree and of its dependencies run here, none
/// of which a submission may change.
pub(super) fn build(
    sandbox: &mut dyn Sandbox,
    plan: &Plan,
    written: &BTreeMap<String, String>,
) -> Result<Built, SandboxError> {
    for (path, text) in plan.files.iter().filter(|(path, text)| written.get(*path) != Some(text)) {
        sandbox.write(path, text.as_bytes())?;
    }
    let mut argv: Vec<String> =
        ["cargo", "test", "--no-run", "--offline", "--locked", "--quiet", "--message-format=json"]
            .map(str::to_owned)
            .into();
    argv.extend(plan.programs.iter().flat_map(|(target, _)| target.kind.arguments()));
    let output = sandbox.exec(&Command::new(argv))?;
    let programs = match output.outcome {
        Outcome::Exited(0) => Ok(programs(&output.stdout.text())),
        Outcome::TimedOut => Err(Health::TimedOut),
        Outcome::OutOfMemory => Err(Health::OutOfMemory),
        _ => Err(Health::CollectFailed(vec![format!("it does not compile: {}", first_error(&output))])),
    };
    Ok(Built { programs, errors: errors(&output), duration: output.duration })
}

fn programs(messages: &str) -> BTreeMap<String, String> {
    let read = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let named = read.filter_map(|message| {
        Some((message.target?.root()?, message.executable.filter(|program| program.starts_with(TARGET))?))
    });
    named.collect()
}

/// A line of the compiler.
#[derive(Deserialize)]
struct Diagnostic {
    message: Option<Text>,
    target: Option<Source>,
}

#[derive(Deserialize)]
struct Text {
    level: String,
    message: String,
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    line_start: usize,
}

fn errors(output: &Output) -> Vec<Fault> {
    let stdout = output.stdout.text();
    let read = stdout.lines().filter_map(|line| serde_json::from_str::<Diagnostic>(line).ok());
    let fault = |diagnostic: Diagnostic| {
        let text = diagnostic.message.filter(|text| text.level == "error")?;
        let root = diagnostic.target.and_then(|target| target.root()).unwrap_or_default();
        let places = text.spans.into_iter().map(|span| (span.file_name, span.line_start)).collect();
        Some(Fault { root, message: text.message, places })
    };
    read.filter_map(fault).collect()
}

fn first_error(output: &Output) -> String {
    let error = errors(output).into_iter().next().map(|error| error.message);
    error.unwrap_or_else(|| output.stderr.text().lines().next().unwrap_or("nothing was said").to_owned())
}
