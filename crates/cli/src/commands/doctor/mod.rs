//! `basis doctor`: what this machine offers, and what to change where something is missing.

mod capacity;
mod isolation;
mod kernel;
mod machine;
mod python;

use serde::Serialize;

use crate::context::Context;
use crate::exit::{Failure, Kind};
use crate::printer::{Printer, Style};

/// Check what this machine offers and say what to do about what is missing
///
/// Ends with exit code 4 when something is missing without which basis cannot run.
#[derive(clap::Args)]
pub(crate) struct Arguments {}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    verdict: Verdict,
    found: String,
    /// What to do about it; empty when all is well.
    next: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
    /// Works, with less speed or less strictness.
    Poor,
    /// basis cannot run without it.
    Missing,
}

impl Check {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Good, found: found.into(), next: String::new() }
    }

    fn poor(what: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Poor, found: found.into(), next: next.into() }
    }

    fn missing(what: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Missing, found: found.into(), next: next.into() }
    }
}

pub(crate) fn run(_: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let mut checks = machine::checks(context);
    checks.push(python::check(context));
    checks.extend(kernel::checks());
    checks.extend(isolation::checks(context));
    checks.extend(capacity::checks(context));
    for check in &checks {
        if context.printer.is_json() {
            context.printer.json(check);
        } else {
            print(check, context.printer);
        }
    }
    let missing: Vec<&str> =
        checks.iter().filter(|check| check.verdict == Verdict::Missing).map(|check| check.what).collect();
    match missing.as_slice() {
        [] => Ok(()),
        _ => Err(Failure::new(Kind::Machine, format!("this machine lacks: {}", missing.join(", ")))),
    }
}

fn print(check: &Check, printer: &Printer) {
    let (style, word) = verdict(check);
    printer.data(format_args!(
        "{}  {:<20}  {}",
        printer.styled(style, format_args!("{word:<7}")),
        check.what,
        check.found
    ));
    if !check.next.is_empty() {
        printer.data(format_args!("{:33}{}", "", printer.styled(Style::Bold, format_args!("-> {}", check.next))));
    }
}

fn verdict(check: &Check) -> (Style, &'static str) {
    match check.verdict {
        Verdict::Good => (Style::Green, "good"),
        Verdict::Poor => (Style::Yellow, "poor"),
        Verdict::Missing => (Style::Red, "missing"),
    }
}

/// What is printed of a check, for snapshots.
#[cfg(test)]
fn text(check: &Check) -> String {
    let next = if check.next.is_empty() { String::new() } else { format!("\n        -> {}", check.next) };
    format!("{:<7} {}: {}{next}", verdict(check).1, check.what, check.found)
}
