//! What people see while training goes on: a progress bar per rollout, a line per iteration and probe.

use basis_train::run::Event;

use crate::printer::Printer;
use crate::progress::Progress;
use crate::results;

/// Turns events into progress and lines.
pub(crate) struct TrainingView<'a> {
    printer: &'a Printer,
    /// Of the iteration that is waited for.
    progress: Option<(u32, Progress)>,
}

impl<'a> TrainingView<'a> {
    pub(crate) fn new(printer: &'a Printer) -> Self {
        Self { printer, progress: None }
    }

    pub(crate) fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Resumed { iteration } => self.printer.say(format_args!("going on after iteration {iteration}")),
            Event::Rollout { phase, iteration, total, reused } => {
                let label = if *phase == "probe" {
                    format!("probe after {iteration}")
                } else {
                    format!("iteration {iteration}")
                };
                let progress = self.printer.progress(&label, *total as u64);
                progress.advance(*reused as u64);
                self.progress = Some((*iteration, progress));
            }
            Event::Episode { iteration, .. } => {
                if let Some((_, progress)) = self.progress.as_ref().filter(|(awaited, _)| awaited == iteration) {
                    progress.advance(1);
                }
            }
            Event::Iteration { iteration, iterations, metrics } => {
                self.progress = None;
                self.printer.say(format_args!("iteration {iteration}/{iterations}  {}", line(metrics)));
            }
            Event::Interference { iteration, matrix } => {
                self.printer.say(format_args!("a step on one skill, measured on the others, iteration {iteration}:"));
                self.printer.say(results::interference(matrix).render());
            }
            Event::Probe { iteration, evaluation } => {
                self.progress = None;
                let skills: Vec<String> =
                    evaluation.skills.iter().map(|(name, score)| format!("{name} {:.3}", score.success)).collect();
                self.printer.say(format_args!(
                    "held-out after {iteration}: average {:.3}  {}",
                    evaluation.average,
                    skills.join("  ")
                ));
            }
            Event::Checkpoint { .. } => {}
        }
    }
}

/// Success per skill, then what tells whether learning and machine are well.
fn line(metrics: &[(String, f64)]) -> String {
    let value = |name: &str| metrics.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    let skills =
        metrics.iter().filter_map(|(key, value)| Some(format!("{} {value:.2}", key.strip_prefix("success/")?)));
    let rest = [
        ("signal", "signal/all"),
        ("kl", "train/kl"),
        ("entropy", "train/entropy"),
        ("rollout s", "time/rollout"),
        ("training s", "time/training"),
    ];
    let rest = rest.iter().filter_map(|(label, key)| Some(format!("{label} {:.3}", value(key)?)));
    skills.chain(rest).collect::<Vec<_>>().join("  ")
}
