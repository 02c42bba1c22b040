//! Measures what sandboxes cost, beside what a plain process and other tools cost in the same minutes.
//!
//! The cases take turns in changing order, because the speed of a busy machine changes from second to second; only ratios
//! between rows of one section mean something. `p10` is what the work costs, the median what a busy machine sees.

mod crowd;
mod others;
mod repository;
mod start;
mod turns;

use std::time::Duration;

pub use crowd::crowd;
pub use repository::repository;
pub use start::start;

/// Measurements that belong together.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Section {
    /// What was measured.
    pub title: String,
    /// What took turns; the first row is what the others are compared with.
    pub rows: Vec<Row>,
    /// What the rows and other figures of the section are held to.
    pub targets: Vec<Target>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// One case.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Row {
    /// What was done.
    pub name: String,
    /// One round in ten was faster.
    pub p10: Duration,
    /// Every second round was faster.
    pub median: Duration,
    /// `p10` divided by that of the first row.
    pub p10_ratio: f64,
    /// `median` divided by that of the first row.
    pub median_ratio: f64,
}

/// A figure and its bound.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Target {
    /// What it is, with its unit.
    pub what: String,
    /// What was measured.
    pub measured: f64,
    /// The bound.
    pub bound: f64,
    /// Whether the figure has to be at least the bound, rather than at most.
    pub at_least: bool,
}

impl Target {
    /// A figure that must not be larger.
    pub fn at_most(what: impl Into<String>, measured: f64, bound: f64) -> Self {
        Self { what: what.into(), measured, bound, at_least: false }
    }

    /// A figure that must not be smaller.
    pub fn at_least(what: impl Into<String>, measured: f64, bound: f64) -> Self {
        Self { what: what.into(), measured, bound, at_least: true }
    }

    /// Whether it holds.
    pub fn is_met(&self) -> bool {
        if self.at_least { self.measured >= self.bound } else { self.measured <= self.bound }
    }
}

impl Section {
    /// The section as text for people.
    pub fn render(&self) -> String {
        let mut text = format!("{}\n", self.title);
        if !self.rows.is_empty() {
            text += &format!("{:<52}{:>10}{:>8}{:>12}{:>8}\n", "", "p10 ms", "ratio", "median ms", "ratio");
        }
        for row in &self.rows {
            let [p10, median] = [row.p10, row.median].map(|time| time.as_secs_f64() * 1e3);
            let (p10_ratio, median_ratio) = (row.p10_ratio, row.median_ratio);
            text += &format!("{:<52}{p10:>10.2}{p10_ratio:>8.2}{median:>12.2}{median_ratio:>8.2}\n", row.name);
        }
        for target in &self.targets {
            let (word, sign) =
                (if target.is_met() { "met" } else { "MISSED" }, if target.at_least { '≥' } else { '≤' });
            text += &format!("{word:<7}{:<68} {:>9.2} ({sign} {})\n", target.what, target.measured, target.bound);
        }
        for note in &self.notes {
            text += &format!("note   {note}\n");
        }
        text
    }

    /// The row called `name`.
    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// Adds a bound on the p10 of a row, in milliseconds, if the row is there.
    fn bound_milliseconds(&mut self, name: &str, bound: f64) {
        if let Some(row) = self.row(name) {
            let target = Target::at_most(format!("{name}: p10 in ms"), row.p10.as_secs_f64() * 1e3, bound);
            self.targets.push(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_says_which_targets_are_met() {
        let row = |name: &str, p10, ratio| Row {
            name: name.into(),
            p10: Duration::from_micros(p10),
            median: Duration::from_micros(2 * p10),
            p10_ratio: ratio,
            median_ratio: ratio,
        };
        let mut section = Section {
            title: "example".into(),
            rows: vec![row("plain", 500, 1.0), row("sandbox", 1500, 3.0)],
            targets: vec![Target::at_most("ratio", 3.0, 2.5), Target::at_least("rate, per second", 200.0, 150.0)],
            notes: vec!["podman is not installed".into()],
        };
        section.bound_milliseconds("sandbox", 5.0);
        section.bound_milliseconds("no such row", 5.0);
        let text = section.render();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines[3],
            "sandbox                                                   1.50    3.00        3.00    3.00"
        );
        assert!(lines[4].starts_with("MISSED ratio"), "{text}");
        assert!(lines[5].starts_with("met    rate, per second") && lines[5].ends_with("200.00 (≥ 150)"), "{text}");
        assert!(lines[6].starts_with("met    sandbox: p10 in ms") && lines[6].ends_with("1.50 (≤ 5)"), "{text}");
        assert_eq!(lines[7], "note   podman is not installed");
    }
}
