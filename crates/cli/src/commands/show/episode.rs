//! One episode as a story: the task, each turn with what it led to, the submission, the grade.

use basis_gym::episode::{End, Episode, FileChange, Grade, InvalidCause, Observation, ProgramRecord, Step, ToolCall};
use basis_gym::store::EpisodeRow;

use crate::printer::{Printer, Style};
use crate::table::Table;
use crate::text::{head, indented, sanitized};

/// Lines shown of a text that may be long.
const LINES: usize = 30;

/// Prints the episode; with `full`, long texts are not shortened.
pub(super) fn print(row: &EpisodeRow, episode: &Episode, full: bool, printer: &Printer) {
    if printer.is_json() {
        printer.json(episode);
        return;
    }
    let view = View { printer, lines: if full { usize::MAX } else { LINES } };
    view.heading(&format!("episode {} ({})", row.id, row.key));
    printer.data(format_args!("skill {}, policy {}", episode.skill, sanitized(&episode.policy)));
    view.heading("task");
    view.text(&episode.prompt, "  ");
    for (index, step) in episode.steps.iter().enumerate() {
        view.step(index + 1, step);
    }
    view.heading(&format!("submission ({})", ended(episode.end)));
    view.text(&episode.submission.answer, "  ");
    episode.submission.files.iter().for_each(|change| view.file(change));
    episode.program.iter().for_each(|program| view.program(program));
    view.grade(&episode.grade);
    view.costs(episode);
}

struct View<'a> {
    printer: &'a Printer,
    lines: usize,
}

impl View<'_> {
    fn heading(&self, text: &str) {
        let gap = if text.starts_with("episode") { "" } else { "\n" };
        self.printer.data(format_args!("{gap}{}", self.printer.styled(Style::Bold, format_args!("== {text}"))));
    }

    fn text(&self, text: &str, prefix: &str) {
        if !text.trim().is_empty() {
            self.printer.data(indented(&head(&sanitized(text), self.lines), prefix));
        }
    }

    fn step(&self, number: usize, step: &Step) {
        self.heading(&format!("turn {number}"));
        self.text(&step.reply.text, "  ");
        if let Some(malformed) = &step.reply.malformed {
            self.text(malformed, "  malformed: ");
        }
        for (index, call) in step.reply.calls.iter().enumerate() {
            self.call(call);
            if let Some(observation) = step.observations.get(index) {
                self.observation(observation);
            }
        }
    }

    fn call(&self, call: &ToolCall) {
        match call {
            ToolCall::Bash { command } => {
                self.text(command, "  $ ");
            }
            ToolCall::StrReplace { path, old, new } => {
                self.printer.data(format_args!("  str_replace {}", sanitized(path)));
                self.text(old, "  - ");
                self.text(new, "  + ");
            }
        }
    }

    fn observation(&self, observation: &Observation) {
        self.text(&observation.text, "  | ");
        let status = match observation.status {
            Some(0) | None => String::new(),
            Some(status) => format!("exit status {status}, "),
        };
        let remark = format!("  ({status}{:.2} s)", observation.duration.as_secs_f64());
        self.printer.data(self.printer.styled(Style::Dim, remark));
    }

    fn file(&self, change: &FileChange) {
        match &change.content {
            Some(content) => {
                self.printer.data(format_args!("  {}:", sanitized(&change.path)));
                self.text(content, "  > ");
            }
            None => self.printer.data(format_args!("  {}: deleted", sanitized(&change.path))),
        }
    }

    fn program(&self, program: &ProgramRecord) {
        let ProgramRecord { outcome, turns, drifts, branches, output } = program;
        self.heading(&format!("program: {outcome}"));
        self.text(output, "  | ");
        let more = branches.len() + 1;
        self.printer.data(format_args!("  {turns} turns in {more} sequences of tokens, {drifts} with drift"));
    }

    fn grade(&self, grade: &Grade) {
        match grade {
            Grade::Scored(score) => {
                let style = if score.reward > 0.0 { Style::Green } else { Style::Red };
                self.heading(&format!(
                    "grade: {}",
                    self.printer.styled(style, format_args!("reward {}", score.reward))
                ));
                self.printer.data(format_args!("  {}: {}", score.code, sanitized(&score.detail)));
                self.table(&score.table);
            }
            Grade::Invalid(cause) => {
                self.heading("grade: invalid, says nothing about the policy");
                self.text(&invalid(cause), "  ");
            }
        }
    }

    fn table(&self, outcomes: &[(String, String)]) {
        if outcomes.is_empty() {
            return;
        }
        let mut table = Table::new(&["test or run", "outcome"]);
        for (name, outcome) in outcomes {
            table.row([sanitized(name), sanitized(outcome)]);
        }
        self.printer.data(indented(&head(&table.render(), self.lines), "  "));
    }

    fn costs(&self, episode: &Episode) {
        let tokens = episode.tokens.as_ref().map_or(String::new(), |trace| {
            let sampled = trace.sampled.iter().filter(|sampled| **sampled).count();
            let versions = trace.takeovers.iter().map(|(_, version)| format!(", then {version}")).collect::<String>();
            format!(", {sampled} of {} tokens sampled by weights {}{versions}", trace.ids.len(), trace.weight_version)
        });
        let (acting, grading) = (episode.acting.as_secs_f64(), episode.grading.as_secs_f64());
        let costs = format!("\nacting {acting:.2} s, grading {grading:.2} s{tokens}");
        self.printer.data(self.printer.styled(Style::Dim, costs));
    }
}

fn ended(end: Option<End>) -> &'static str {
    match end {
        Some(End::Submitted) => "submitted",
        Some(End::TurnLimit) => "at the turn limit",
        Some(End::ContextFull) => "when the context was full",
        Some(End::Crashed) => "when the agent's program failed",
        Some(End::TimeLimit) => "when the agent's program was out of time",
        None => "the episode did not end by itself",
    }
}

fn invalid(cause: &InvalidCause) -> String {
    match cause {
        InvalidCause::Sandbox(message) => format!("sandbox: {message}"),
        InvalidCause::Model(message) => format!("model: {message}"),
        InvalidCause::Grader(message) => format!("grader: {message}"),
        InvalidCause::Task(message) => format!("task: {message}"),
    }
}
