//! From a task to a directory.

use std::path::Path;
use std::sync::Arc;

use toml::Value;

use super::facts::{self, Facts};
use super::manifest::{Environment, Manifest, Phase, SCHEMA, Task as Package, Verifier};
use crate::episode::Submission;
use crate::formats::{FormatError, Written, output};
use crate::grade::Workshop;
use crate::languages::python::runner_files;
use crate::project::RunnerKind;
use crate::skills;
use crate::task::Task;
use crate::tree::Tree;

const VERIFY: &str = include_str!("verify.py");
/// Runs the verifier with nothing of the tree on its import path.
const TEST_SH: &str = "#!/bin/sh\nexec python3 -I -B \"$(dirname \"$0\")/verify.py\"\n";
const ANSWER: &str = "/logs/artifacts/answer.txt";
/// Everything that is needed to read the task back.
pub(super) const TASK_FILE: &str = "tests/basis.json";

/// Writes one directory for each task.
pub(super) fn directory(workshop: &Workshop, tasks: &[Arc<Task>], out: &Path) -> Result<Written, FormatError> {
    output::directory(out, |directory| {
        let mut written = Written::default();
        for task in tasks {
            let outcome = match Exported::of(workshop, task) {
                Ok(exported) => {
                    exported.write(&directory.join(name(task)))?;
                    Ok(())
                }
                Err(reason) => Err(reason),
            };
            written.add(&task.id, outcome);
        }
        written.unless_empty()
    })
}

/// The name of a task's directory.
fn name(task: &Task) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let project: String = task.project.chars().map(plain).collect();
    format!("{}-{}-{}", project.trim_matches('-'), task.skill, task.id)
}

/// Everything that goes into one directory.
struct Exported<'a> {
    task: &'a Task,
    version: &'a str,
    shown: Arc<Tree>,
    facts: Facts,
    gold: Submission,
}

impl<'a> Exported<'a> {
    fn of(workshop: &'a Workshop, task: &'a Task) -> Result<Self, String> {
        let skill = skills::find(&task.skill).ok_or_else(|| format!("there is no skill `{}`", task.skill))?;
        let shown = workshop.blobs.tree(&task.context.tree).map_err(|error| error.to_string())?;
        let facts = facts::of(workshop, task)?;
        Ok(Self {
            task,
            version: &workshop.toolchains.python.version,
            shown,
            facts,
            gold: skill.reference(workshop, task)?,
        })
    }

    fn write(&self, directory: &Path) -> Result<(), FormatError> {
        let text = |path: &str, text: &str| output::part(&directory.join(path), text);
        text("task.toml", &self.manifest())?;
        text("instruction.md", &self.instruction())?;
        text("environment/Dockerfile", &self.dockerfile())?;
        text("environment/requirements.txt", &self.requirements())?;
        text("tests/test.sh", TEST_SH)?;
        text("tests/verify.py", VERIFY)?;
        text("tests/facts.json", &self.facts.facts.to_string())?;
        text(TASK_FILE, &serde_json::to_string(self.task).expect("a task has only string keys"))?;
        text("solution/solve.sh", &self.solution())?;
        for (name, content) in runner_files() {
            text(&format!("tests/basis_runner/{name}"), content)?;
        }
        write_tree(&directory.join("environment/repo"), &self.shown)?;
        for (name, tree) in &self.facts.trees {
            write_tree(&directory.join("tests/trees").join(name), tree)?;
        }
        for file in &self.gold.files {
            if let Some(content) = &file.content {
                output::part(&directory.join("solution/files").join(&file.path), content)?;
            }
        }
        Ok(())
    }

    fn manifest(&self) -> String {
        let task = self.task;
        let text = |text: &str| Value::String(text.to_owned());
        let metadata = [
            ("skill", text(&task.skill)),
            ("project", text(&task.project)),
            ("family", text(&task.family)),
            ("licence", text(&task.origin.licence)),
            ("basis_task", text(&task.id)),
        ];
        let manifest = Manifest {
            schema_version: SCHEMA.to_owned(),
            artifacts: if self.facts.answers { Vec::new() } else { vec![text("/repo")] },
            task: Some(Package {
                name: format!("basis/{}", name(task)),
                description: format!("{} in {}", task.skill, task.project),
                keywords: vec![task.skill.clone(), "basis".to_owned()],
                ..Package::default()
            }),
            metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            agent: Phase { timeout_sec: Some(1800.0), user: Some(text("agent")), ..Phase::default() },
            verifier: Verifier {
                timeout_sec: Some(3600.0),
                user: Some(text("root")),
                environment_mode: Some("separate".to_owned()),
                ..Verifier::default()
            },
            environment: Environment {
                cpus: Some(Value::Integer(1)),
                memory_mb: Some(2048),
                storage_mb: Some(4096),
                workdir: Some("/repo".to_owned()),
                network_mode: Some("no-network".to_owned()),
                ..Environment::default()
            },
            ..Manifest::default()
        };
        toml::to_string_pretty(&manifest).expect("a manifest is a table of plain values")
    }

    fn instruction(&self) -> String {
        let place = match self.facts.answers {
            true => format!("The repository is at `/repo`. Write your answer to the file `{ANSWER}`."),
            false => "The repository is at `/repo`. Only files below it are looked at.".to_owned(),
        };
        format!("{}\n\n{place}\n", self.task.prompt.trim_end())
    }

    fn dockerfile(&self) -> String {
        let minor: Vec<&str> = self.version.split('.').take(2).collect();
        let install = match self.task.context.tests.runner {
            RunnerKind::Plain => "",
            _ => {
                "COPY requirements.txt /tmp/requirements.txt\nRUN pip install --no-cache-dir -r /tmp/requirements.txt\n"
            }
        };
        format!(
            "FROM python:{}-slim\n{install}RUN useradd --create-home agent && mkdir -p /logs/artifacts && chown agent /logs/artifacts\n\
             COPY --chown=agent repo /repo\nWORKDIR /repo\n",
            minor.join(".")
        )
    }

    fn requirements(&self) -> String {
        let wanted = self.task.context.tests.requirements.iter().map(String::as_str);
        wanted.chain(["pytest"]).map(|requirement| format!("{requirement}\n")).collect()
    }

    /// Puts the gold submission where the verifier looks for it.
    fn solution(&self) -> String {
        let mut script = "#!/bin/sh\nset -e\nhere=\"$(cd \"$(dirname \"$0\")\" && pwd)\"\n".to_owned();
        for file in &self.gold.files {
            let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
            let target = quoted(&format!("/repo/{}", file.path));
            script += &match file.content {
                Some(_) => {
                    let source = quoted(&file.path);
                    format!("mkdir -p \"$(dirname {target})\"\ncp \"$here/files/\"{source} {target}\n")
                }
                None => format!("rm -f {target}\n"),
            };
        }
        if self.facts.answers {
            script += &format!(
                "mkdir -p /logs/artifacts\ncat > {ANSWER} <<'END_OF_ANSWER'\n{}\nEND_OF_ANSWER\n",
                self.gold.answer
            );
        }
        script
    }
}

/// Files that are no text stay as they are.
fn write_tree(directory: &Path, tree: &Tree) -> Result<(), FormatError> {
    std::fs::create_dir_all(directory)?;
    Ok(tree.write_to(directory)?)
}
