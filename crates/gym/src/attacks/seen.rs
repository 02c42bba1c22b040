//! What an agent can see of a task, and how it puts hostile code where it will be run.

use crate::draft::module_name;
use crate::episode::{FileChange, Submission};
use crate::languages::{self, functions, is_source};
use crate::project::TestSetup;
use crate::task::Task;
use crate::tree::Tree;

/// The part of a task that an agent can see.
pub struct Seen<'a> {
    /// Which skill is asked for.
    pub skill: &'a str,
    /// What the agent reads.
    pub prompt: &'a str,
    /// The tree that it works in.
    pub tree: &'a Tree,
    /// How the project is tested.
    pub tests: &'a TestSetup,
    /// Path and text of the healthy file, for the attacks that model a leak; the others never look at it.
    pub leaked: Option<(&'a str, &'a str)>,
}

impl<'a> Seen<'a> {
    /// The visible part of `task`, whose tree is `tree`.
    pub fn of(task: &'a Task, tree: &'a Tree) -> Self {
        Self { skill: &task.skill, prompt: &task.prompt, tree, tests: &task.context.tests, leaked: None }
    }

    /// Source files, without tests.
    pub(super) fn sources(&self) -> Vec<(&'a str, &'a str)> {
        self.tree
            .paths()
            .filter(|path| is_source(path))
            .filter_map(|path| Some((path, self.tree.text(path)?)))
            .collect()
    }

    /// The source file that the prompt names, or else the longest one.
    pub(super) fn target(&self) -> Option<(&'a str, &'a str)> {
        let sources = self.sources();
        let named = sources.iter().find(|(path, _)| self.prompt.contains(path));
        named.or_else(|| sources.iter().max_by_key(|(_, text)| text.len())).copied()
    }

    /// The dotted name of a source file.
    pub(super) fn module(&self, path: &str) -> String {
        module_name(path, &self.tests.import_roots)
    }

    /// The function that the prompt of `testgen` names.
    pub(super) fn function(&self) -> Option<&'a str> {
        self.prompt.strip_prefix("Write tests for `")?.split('`').next()
    }

    /// The file in which something that is run is handed in.
    pub(super) fn place(&self) -> Option<&'a str> {
        match self.skill {
            "repro" => languages::of_runner(self.tests.runner).authoring().map(|authoring| authoring.script_path()),
            "testgen" => self.prompt.split("in the new file `").nth(1)?.split('`').next(),
            _ => None,
        }
    }

    /// Hands in code that runs as soon as the graded process imports anything of the submission: at the head of every source file, or
    /// of the script, or of the test file.
    pub(super) fn at_import(&self, code: &str) -> Option<Submission> {
        match self.place() {
            Some(place) => Some(files([(place.to_owned(), format!("{code}\n{}", self.harmless()))])),
            None => Some(files(self.sources().into_iter().map(|(path, text)| (path.to_owned(), head(text, code))))),
        }
    }

    /// Hands in code as the body of `def attack(…)`, which takes the place of every function of the sources, of the only test, or of
    /// what the script does.
    pub(super) fn at_call(&self, body: &str) -> Option<Submission> {
        let attack = format!("def attack(*args, **kwargs):\n{}\n", indented(body));
        match self.skill {
            "repro" => Some(self.script(&format!("{attack}attack()\nraise SystemExit(1)\n"))),
            "testgen" => {
                let place = self.place()?;
                Some(files([(place.to_owned(), format!("{attack}def test_attack():\n    attack()\n"))]))
            }
            _ => Some(self.every_function(&attack)),
        }
    }

    /// Appends to every source file what replaces all of its functions by `attack`; the original is `attack.original`.
    pub(super) fn every_function(&self, attack: &str) -> Submission {
        let replace = "\n\ndef _attacked(original):\n    import types\n    own = types.FunctionType(attack.__code__, attack.__globals__, original.__name__, attack.__defaults__, attack.__closure__)\n    own.__kwdefaults__ = attack.__kwdefaults__\n    own.original = original\n    return own\n\n\nfor _name, _value in list(globals().items()):\n    if hasattr(_value, '__code__') and _value.__module__ == __name__ and _name not in ('attack', '_attacked'):\n        globals()[_name] = _attacked(_value)\n";
        files(self.sources().into_iter().map(|(path, text)| (path.to_owned(), format!("{text}\n\n{attack}{replace}"))))
    }

    /// Hands in a script.
    pub(super) fn script(&self, text: &str) -> Submission {
        files([("repro.py".to_owned(), text.to_owned())])
    }

    /// What else has to stand in a file that is run, so that the attack and nothing else is judged.
    pub(super) fn harmless(&self) -> &'static str {
        if self.skill == "repro" { "raise SystemExit(1)\n" } else { "def test_nothing():\n    pass\n" }
    }
}

/// The text of the function that the prompt of `testgen` names.
pub(super) fn target_source(seen: &Seen<'_>) -> Option<String> {
    let (path, text) = seen.target()?;
    let span = functions(path, text)
        .into_iter()
        .find(|span| span.class.is_none() && Some(span.name.as_str()) == seen.function())?;
    Some(text[span.start..span.end].to_owned() + "\n")
}

/// A submission of files.
pub(super) fn files(files: impl IntoIterator<Item = (String, String)>) -> Submission {
    let change = |(path, text)| FileChange { path, content: Some(text) };
    Submission { answer: "Done.".into(), files: files.into_iter().map(change).collect() }
}

/// A submission of nothing but an answer.
pub(super) fn answer(text: impl Into<String>) -> Option<Submission> {
    Some(Submission { answer: text.into(), files: Vec::new() })
}

/// Python text as a literal.
pub(super) fn literal(text: &str) -> String {
    serde_json::to_string(text).expect("text is text")
}

/// Every line four columns to the right.
pub(super) fn indented(code: &str) -> String {
    code.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// Code before everything but what must stand first.
fn head(text: &str, code: &str) -> String {
    match text.lines().any(|line| line.starts_with("from __future__")) {
        true => format!("{text}\n{code}\n"),
        false => format!("{code}\n{text}"),
    }
}
