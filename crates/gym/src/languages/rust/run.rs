//! Builds the programs of a plan in one fresh sandbox and runs each test as a process of its own.
//!
//! A test passed when its process exited with 0 and wrote exactly its mark to the report channel. Nothing that a test prints counts; what
//! it printed is only quoted, where somebody asks for symptoms.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Command, Limits, Outcome, Output, Sandbox, SandboxError};
use serde::Deserialize;

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
    let plan = Plan::of(&View { layers }, &environment.manifest, selection, &secrets);
    let mut report = Report { outcomes: BTreeMap::new(), health: Health::Sound, duration: Duration::ZERO };
    if !plan.programs.is_empty() {
        let mut sandbox = backend.create(&environment.spec(layers.to_vec(), limits.clone()))?;
        let ran = report.run(sandbox.as_mut(), &plan, &secrets, selection);
        sandbox.destroy()?;
        ran?;
    }
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
        plan: &Plan,
        secrets: &Secrets,
        selection: &Selection,
    ) -> Result<(), SandboxError> {
        let built = build(sandbox, plan)?;
        self.duration += built.duration;
        let programs = match built.programs {
            Ok(programs) => programs,
            Err(health) => {
                self.health = health;
                return Ok(());
            }
        };
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
    /// File and line of the errors of the compiler.
    pub(super) errors: Vec<(String, usize)>,
    duration: Duration,
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

/// Writes the files of a plan and builds its programs. Only build scripts and macros of the tree and of its dependencies run here, none
/// of which a submission may change.
pub(super) fn build(sandbox: &mut dyn Sandbox, plan: &Plan) -> Result<Built, SandboxError> {
    for (path, text) in &plan.files {
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
    let errors = errors(&output).into_iter().flat_map(|text| text.spans).map(|span| (span.file_name, span.line_start));
    Ok(Built { programs, errors: errors.collect(), duration: output.duration })
}

fn programs(messages: &str) -> BTreeMap<String, String> {
    let read = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let named = read.filter_map(|message| {
        let root = message.target?.src_path.strip_prefix(crate::languages::WORKDIR)?.trim_start_matches('/').to_owned();
        Some((root, message.executable.filter(|program| program.starts_with(TARGET))?))
    });
    named.collect()
}

/// A line of the compiler.
#[derive(Deserialize)]
struct Diagnostic {
    message: Option<Text>,
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

fn errors(output: &Output) -> Vec<Text> {
    let stdout = output.stdout.text();
    let read = stdout.lines().filter_map(|line| serde_json::from_str::<Diagnostic>(line).ok()?.message);
    read.filter(|text| text.level == "error").collect()
}

fn first_error(output: &Output) -> String {
    let error = errors(output).into_iter().next().map(|text| text.message);
    error.unwrap_or_else(|| output.stderr.text().lines().next().unwrap_or("nothing was said").to_owned())
}
