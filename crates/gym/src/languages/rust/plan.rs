//! Which programs hold the tests of a selection, under which names, and what their files look like with marks in them.
//!
//! A test proves that it came to its end with a mark: whoever leaves the process early gives none. The mark is written when the body of the test is
//! left, also by unwinding, so that a test that has to panic gives one, too. Every program gets two tests more, one that
//! passes and one that fails, under names of this run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::documentation::{self, Found, Program};
use super::manifest::{Kind, Manifest, Target};
use super::syntax::{self, TestFunction};
use crate::languages::{Secrets, Selection};
use crate::record::TestId;

/// The files of a tree that is made of directories, lowest first.
pub(super) struct View<'a> {
    pub(super) layers: &'a [PathBuf],
}

impl View<'_> {
    pub(super) fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.place(path)?).ok()
    }

    fn has(&self, path: &str) -> bool {
        self.place(path).is_some()
    }

    fn place(&self, path: &str) -> Option<PathBuf> {
        self.layers.iter().rev().map(|layer| layer.join(path)).find(|place| place.is_file())
    }

    fn paths(&self, folder: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        let mut pending = vec![folder.to_owned()];
        while let Some(folder) = pending.pop() {
            for entry in
                self.layers.iter().filter_map(|layer| std::fs::read_dir(layer.join(&folder)).ok()).flatten().flatten()
            {
                let Ok(name) = entry.file_name().into_string() else { continue };
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => pending.push(format!("{folder}/{name}")),
                    Ok(kind) if kind.is_file() => drop(found.insert(format!("{folder}/{name}"))),
                    _ => {}
                }
            }
        }
        found.into_iter().collect()
    }
}

/// A test in its program.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The id; `None` for those that a plan adds: the one that passes and the one that fails.
    pub(super) id: Result<TestId, Canary>,
    /// The name that the harness knows.
    pub(super) name: String,
}

/// Tests of a plan that prove that the harness tells passing from failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Canary {
    Passes,
    Fails,
}

/// What has to be built and run.
pub(super) struct Plan {
    /// Files as they have to be when the programs are built.
    pub(super) files: BTreeMap<String, String>,
    /// Programs with their tests.
    pub(super) programs: Vec<(Target, Vec<Run>)>,
    /// Where in their program the examples of documentation stand.
    pub(super) documentation: Program,
}

impl Plan {
    /// The plan of a selection. Tests that are not there are not in it, nor examples of documentation that are left out.
    pub(super) fn of(
        view: &View<'_>,
        manifest: &Manifest,
        selection: &Selection,
        secrets: &Secrets,
        left_out: &BTreeMap<TestId, String>,
    ) -> Self {
        let mut plan = Self::of_functions(view, manifest, selection, secrets);
        let mut examples = examples(view, manifest, selection);
        examples.retain(|example| !left_out.contains_key(&example.id));
        if !examples.is_empty() {
            plan.document(view, manifest, &examples, secrets);
        }
        plan
    }

    /// The plan of the test functions of a selection.
    pub(super) fn of_functions(view: &View<'_>, manifest: &Manifest, selection: &Selection, secrets: &Secrets) -> Self {
        let paths = view.paths("tests");
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let targets = manifest.targets(&|path| view.has(path), &paths);
        let wanted: BTreeSet<&str> = selection.tests.iter().map(String::as_str).collect();
        let mut plan = Self { files: BTreeMap::new(), programs: Vec::new(), documentation: Program::default() };
        for target in targets {
            let mut runs = Vec::new();
            for (path, modules) in modules(view, &target.root) {
                if !selection.files.contains(&path) {
                    continue;
                }
                let Some(source) = view.text(&path) else { continue };
                let mut tests = syntax::tests(&source);
                tests.retain(|test| !test.ignored);
                tests.retain(|test| wanted.is_empty() || wanted.contains(format!("{path}::{}", test.path).as_str()));
                let prefix: String = modules.iter().map(|module| format!("{module}::")).collect();
                runs.extend(tests.iter().map(|test| Run {
                    id: Ok(format!("{path}::{}", test.path)),
                    name: format!("{prefix}{}", test.path),
                }));
                plan.files.entry(path.clone()).or_insert_with(|| marked(&source, &path, &tests, secrets));
            }
            if !runs.is_empty() {
                runs.extend(plan.canaries(view, &target, secrets));
                plan.programs.push((target, runs));
            }
        }
        plan
    }

    /// Adds the program of some examples.
    fn document(&mut self, view: &View<'_>, manifest: &Manifest, examples: &[Found], secrets: &Secrets) {
        let program = Program::of(manifest, examples, &|id| guard(secrets, id));
        let mut runs: Vec<Run> =
            program.names.iter().map(|(id, name)| Run { id: Ok(id.clone()), name: name.clone() }).collect();
        let target = self.add_documentation(view, manifest, program.text.clone());
        runs.extend(self.canaries(view, &target, secrets));
        self.programs.push((target, runs));
        self.documentation = program;
    }

    /// Adds the file of the program of examples, so that cargo finds it.
    pub(super) fn add_documentation(&mut self, view: &View<'_>, manifest: &Manifest, text: String) -> Target {
        let (name, root) = (documentation::TARGET_NAME, documentation::ROOT.to_owned());
        self.files.insert(root.clone(), text);
        if !manifest.finds_tests() {
            let text = view.text("Cargo.toml").unwrap_or_default();
            let section = format!("{text}\n[[test]]\nname = \"{name}\"\npath = \"{root}\"\n");
            self.files.insert("Cargo.toml".to_owned(), section);
        }
        Target { kind: Kind::Test(name.to_owned()), root }
    }

    /// Adds two tests to the first file of a program.
    fn canaries(&mut self, view: &View<'_>, target: &Target, secrets: &Secrets) -> Vec<Run> {
        let [passes, fails] = secrets.canaries.each_ref().map(|name| format!("canary_{name}"));
        let text = self.files.entry(target.root.clone()).or_insert_with(|| view.text(&target.root).unwrap_or_default());
        let mark = |name: &str| guard(secrets, &format!("{}::{name}", target.root));
        text.push_str(&format!(
            "\n#[cfg(test)] #[test] fn {passes}() {{ {} }}\n#[cfg(test)] #[test] fn {fails}() {{ {} panic!() }}\n",
            mark(&passes),
            mark(&fails)
        ));
        vec![Run { id: Err(Canary::Passes), name: passes }, Run { id: Err(Canary::Fails), name: fails }]
    }
}

/// The examples of a selection in the documentation of the library.
fn examples(view: &View<'_>, manifest: &Manifest, selection: &Selection) -> Vec<Found> {
    let root = manifest.crate_root();
    let is_wanted = |found: &Found| selection.tests.is_empty() || selection.tests.contains(&found.id);
    if !manifest.has_documentation_tests() || !selection.files.iter().any(|path| documents(view, path)) {
        return Vec::new();
    }
    let own = modules(view, &root).into_iter().filter(|(path, _)| selection.files.contains(path));
    let all = own.flat_map(|(path, _)| documentation::found(&path, &view.text(&path).unwrap_or_default()));
    all.filter(is_wanted).collect()
}

fn documents(view: &View<'_>, path: &str) -> bool {
    view.text(path).is_some_and(|text| !documentation::examples(&text).is_empty())
}

/// The line that a test writes when it comes to its end.
pub(super) fn mark(secrets: &Secrets, id: &str) -> String {
    format!("{} {id}", secrets.nonce)
}

/// The channel to the host as code that calls it `channel`. It stays open when that is dropped.
pub(super) const CHANNEL: &str = "use ::std::io::Write as _; let mut channel = ::std::mem::ManuallyDrop::new(unsafe { \
    <::std::fs::File as ::std::os::fd::FromRawFd>::from_raw_fd(3) });";

/// Something that writes the mark when it is dropped.
pub(super) fn guard(secrets: &Secrets, id: &str) -> String {
    let line = mark(secrets, id) + "\n";
    format!(
        "struct Basis; impl ::std::ops::Drop for Basis {{ fn drop(&mut self) {{ {CHANNEL} \
         let _ = channel.write_all({line:?}.as_bytes()); }} }} let _basis = Basis;"
    )
}

/// A file whose tests write marks. No line moves.
fn marked(source: &str, path: &str, tests: &[TestFunction], secrets: &Secrets) -> String {
    let mut text = source.to_owned();
    for test in tests.iter().rev() {
        text.insert_str(test.body, &format!(" {} ", guard(secrets, &format!("{path}::{}", test.path))));
    }
    text
}

/// The files of the program that starts at `root`, each with the modules that it is.
pub(super) fn modules(view: &View<'_>, root: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = vec![(root.to_owned(), Vec::new())];
    let mut at = 0;
    while let Some((path, modules)) = found.get(at).cloned() {
        at += 1;
        let Some(source) = view.text(&path) else { continue };
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
        let stem = file.trim_end_matches(".rs");
        let home = if path == root || stem == "mod" { folder.to_owned() } else { join(folder, stem) };
        for (inline, name) in syntax::outer_modules(&source) {
            let home = inline.iter().fold(home.clone(), |home, module| join(&home, module));
            let candidates = [join(&home, &format!("{name}.rs")), join(&home, &format!("{name}/mod.rs"))];
            let Some(file) = candidates.into_iter().find(|file| view.has(file)) else { continue };
            if found.iter().all(|(known, _)| *known != file) {
                found.push((file, modules.iter().cloned().chain(inline).chain([name]).collect()));
            }
        }
    }
    found
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_followed_into_their_files() {
        let directory = tempfile::tempdir().expect("a directory");
        let files = [
            ("src/lib.rs", "mod a;\nmod b;\nmod c { mod d; }\nmod gone;\n"),
            ("src/a.rs", "mod deep;\n"),
            ("src/a/deep.rs", ""),
            ("src/b/mod.rs", "mod deep;\n"),
            ("src/b/deep.rs", ""),
            ("src/c/d.rs", ""),
        ];
        for (path, text) in files {
            let place = directory.path().join(path);
            std::fs::create_dir_all(place.parent().expect("a folder")).expect("made");
            std::fs::write(place, text).expect("written");
        }
        let layers = [directory.path().to_owned()];
        let found: Vec<_> = modules(&View { layers: &layers }, "src/lib.rs")
            .into_iter()
            .map(|(path, modules)| format!("{path} {}", modules.join("::")))
            .collect();
        let expected = [
            "src/lib.rs ",
            "src/a.rs a",
            "src/b/mod.rs b",
            "src/c/d.rs c::d",
            "src/a/deep.rs a::deep",
            "src/b/deep.rs b::deep",
        ];
        assert_eq!(found, expected);
    }
}
