//! What calls give on a tree: evaluated in a fresh sandbox with the names of a test file, outside any test.
//!
//! Each call becomes a test of its own beside those whose names it uses: in the test module of a source file, at the end of another file. Where only
//! examples of documentation are tests, it becomes an example with what they import.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Limits, SandboxError};
use serde::Deserialize;

use super::environment::Environment;
use super::plan::{CHANNEL, Plan, View};
use super::run::{build, test_command};
use super::{documentation, syntax};
use crate::languages::{Call, Observation, Secrets, Selection};

/// What a probe writes.
#[derive(Deserialize)]
struct Line {
    nonce: String,
    value: Option<String>,
    panic: Option<String>,
}

/// Evaluates calls in order on the tree that `layers` make. A call that could not be evaluated observes nothing.
///
/// # Errors
/// [`SandboxError`] when the infrastructure failed.
pub(super) fn evaluate(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &[PathBuf],
    calls: &[Call],
    limits: &Limits,
    processor: Option<Duration>,
) -> Result<Vec<Observation>, SandboxError> {
    let mut observations = vec![Observation::default(); calls.len()];
    let mut left: BTreeSet<usize> = (0..calls.len()).collect();
    // A call that does not compile outside its test takes the others with it: they are tried again without it.
    for _ in 0..3 {
        let secrets = Secrets::draw()?;
        let view = View { layers };
        let probes = Probes::of(&view, environment, calls, &left, &secrets);
        if probes.plan.programs.is_empty() {
            break;
        }
        let mut sandbox = backend.create(&environment.spec(layers.to_vec(), limits.clone()))?;
        let built = build(sandbox.as_mut(), &probes.plan, &BTreeMap::new())?;
        let Ok(programs) = built.programs else {
            sandbox.destroy()?;
            let places = built.errors.iter().flat_map(|error| &error.places);
            let broken = places.filter_map(|place| probes.lines.get(place));
            let before = left.len();
            for index in broken {
                left.remove(index);
            }
            if left.len() == before {
                break;
            }
            continue;
        };
        for (root, name, index) in &probes.tests {
            let Some(program) = programs.get(root) else { continue };
            let output = sandbox.exec(&test_command(program, name, processor))?;
            let line = serde_json::from_slice::<Line>(&output.report.bytes).ok();
            if let Some(line) = line.filter(|line| line.nonce == secrets.nonce) {
                observations[*index] = Observation { value: line.value, exception: line.panic };
            }
        }
        sandbox.destroy()?;
        break;
    }
    Ok(observations)
}

/// Files with probes, and what the probes are called.
struct Probes {
    plan: Plan,
    /// First file of the program, name for the harness, index of the call.
    tests: Vec<(String, String, usize)>,
    /// The call of each line that a probe is on.
    lines: BTreeMap<(String, usize), usize>,
}

impl Probes {
    fn of(
        view: &View<'_>,
        environment: &Environment,
        calls: &[Call],
        left: &BTreeSet<usize>,
        secrets: &Secrets,
    ) -> Self {
        let files: BTreeSet<&str> = left.iter().map(|index| calls[*index].path.as_str()).collect();
        let mut plan = Plan::of_functions(view, &environment.manifest, &Selection::files(files), secrets);
        let (mut tests, mut lines) = (Vec::new(), BTreeMap::new());
        for (target, runs) in &plan.programs {
            let mut done = BTreeSet::new();
            for run in runs {
                let Ok(id) = &run.id else { continue };
                let Some((path, inside)) = id.split_once("::") else { continue };
                let module = inside.rsplit_once("::").map_or("", |(module, _)| module);
                let prefix = run.name.rsplit_once("::").map_or(String::new(), |(prefix, _)| format!("{prefix}::"));
                if !done.insert(path.to_owned()) {
                    continue;
                }
                let Some(text) = plan.files.get_mut(path) else { continue };
                let own = left.iter().filter(|index| calls[**index].path == path);
                for index in own {
                    let name = format!("probe_{index}");
                    let Some(at) = syntax::end_of_module(text, module) else { continue };
                    text.insert_str(at, &format!("\n{}\n", probe(&name, &calls[*index].source, secrets)));
                    tests.push((target.root.clone(), format!("{prefix}{name}"), *index));
                }
            }
        }
        let known: BTreeSet<usize> = tests.iter().map(|(_, _, index)| *index).collect();
        let others = left.iter().filter(|index| !known.contains(index));
        tests.extend(documented(view, environment, calls, others, (&mut plan, secrets)));
        for (path, text) in &plan.files {
            for (number, line) in text.lines().enumerate() {
                let index = line.split_once("fn probe_").and_then(|(_, rest)| rest.split('(').next()?.parse().ok());
                index.map(|index: usize| lines.insert((path.clone(), number + 1), index));
            }
        }
        Self { plan, tests, lines }
    }
}

/// Adds calls of files in which only examples are tests.
fn documented<'a>(
    view: &View<'_>,
    environment: &Environment,
    calls: &[Call],
    left: impl Iterator<Item = &'a usize>,
    (plan, secrets): (&mut Plan, &Secrets),
) -> Vec<(String, String, usize)> {
    let manifest = &environment.manifest;
    let mut files: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    left.for_each(|index| files.entry(&calls[*index].path).or_default().push(*index));
    let mut text = manifest.extern_crate();
    let mut tests = Vec::new();
    for (at, (path, indexes)) in files.into_iter().enumerate() {
        let Some(source) = view.text(path).filter(|source| !documentation::examples(source).is_empty()) else {
            continue;
        };
        text.push_str(&format!("mod names_{at} {{\n{}\n", documentation::names(&source).join("\n")));
        for index in indexes {
            text.push_str(&format!("{}\n", probe(&format!("probe_{index}"), &calls[index].source, secrets)));
            tests.push((documentation::ROOT.to_owned(), format!("names_{at}::probe_{index}"), index));
        }
        text.push_str("}\n");
    }
    if !tests.is_empty() {
        let target = plan.add_documentation(view, manifest, text);
        plan.programs.push((target, Vec::new()));
    }
    tests
}

/// A test that evaluates a call and says what it gave, on one line.
fn probe(name: &str, call: &str, secrets: &Secrets) -> String {
    let nonce = &secrets.nonce;
    format!(
        "#[test] fn {name}() {{ let seen = ::std::panic::catch_unwind(|| ::std::format!(\"{{:?}}\", {call})); \
         let (key, text) = match seen {{ Ok(text) => (\"value\", text), Err(panic) => (\"panic\", \
         panic.downcast_ref::<::std::string::String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| ::std::string::ToString::to_string(text))).unwrap_or_default()) }}; \
         let line = ::std::format!(\"{{{{\\\"nonce\\\":\\\"{nonce}\\\",\\\"{{key}}\\\":\\\"{{}}\\\"}}}}\", text.chars().flat_map(|letter| match letter {{ '\"' | '\\\\' => ::std::vec!['\\\\', letter], letter if letter < ' ' => ::std::vec![' '], letter => ::std::vec![letter] }}).collect::<::std::string::String>()); \
         {CHANNEL} \
         let _ = channel.write_all(line.as_bytes()); }}"
    )
}
