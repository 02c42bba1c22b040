//! A run at a glance, and the list of its episodes.

use basis_gym::store::{Cell, EpisodeRow, Manifest, Reader};
use basis_train::run::Interference;
use serde::Serialize;

use crate::exit::Failure;
use crate::printer::Printer;
use crate::results;
use crate::table::Table;
use crate::text::sanitized;

/// What `--json` gives for a run.
#[derive(Serialize)]
struct Overview {
    run: String,
    command: String,
    started: u64,
    episodes: u64,
    manifest: Option<Manifest>,
    cells: Vec<Cell>,
}

/// Prints rewards per phase, iteration and skill.
pub(super) fn print(reader: &Reader, printer: &Printer) -> Result<(), Failure> {
    let overview = Overview {
        run: reader.name(),
        command: reader.command()?,
        started: reader.started()?,
        episodes: reader.count()?,
        manifest: reader.manifest()?,
        cells: reader.overview()?,
    };
    if printer.is_json() {
        printer.json(&overview);
        return Ok(());
    }
    let state = if overview.manifest.is_some() { "complete" } else { "not complete" };
    printer.data(format_args!("{}: {}, {state}, {} episodes\n", overview.run, overview.command, overview.episodes));
    printer.data(table(&overview.cells).render());
    print_interference(reader, printer)
}

/// Prints the mean of the interference matrices that were measured, if any.
fn print_interference(reader: &Reader, printer: &Printer) -> Result<(), Failure> {
    let rows = reader.metrics()?;
    let (matrix, measured) = Interference::mean(rows.iter().map(|row| &row.values));
    if measured > 0 {
        printer.data(format_args!(
            "\nwhat a step on one skill does to the others, in thousandths of what their advantages offer, mean of {measured}:"
        ));
        printer.data(results::interference(&matrix).render());
    }
    Ok(())
}

/// Prints one line per episode.
pub(super) fn print_rows(rows: &[EpisodeRow], printer: &Printer) {
    if printer.is_json() {
        rows.iter().for_each(|row| printer.json(row));
        return;
    }
    let mut table =
        Table::new(&["#id", "episode", "skill", "policy", "#reward", "code", "#turns", "#tokens", "#seconds"]);
    for row in rows {
        table.row([
            row.id.to_string(),
            row.key.to_string(),
            row.skill.clone(),
            sanitized(&row.policy),
            row.reward.map_or("-".to_owned(), |reward| format!("{reward}")),
            code(row),
            row.turns.to_string(),
            row.sampled_tokens.to_string(),
            format!("{:.2}", (row.acting + row.grading).as_secs_f64()),
        ]);
    }
    printer.data(table.render());
}

/// One line per phase and iteration, the mean reward of each skill beside each other.
fn table(cells: &[Cell]) -> Table {
    let mut skills: Vec<&str> = cells.iter().map(|cell| cell.skill.as_str()).collect();
    skills.sort_unstable();
    skills.dedup();
    let rewards = skills.iter().map(|skill| format!("#{skill}"));
    let header: Vec<String> = ["phase", "#iteration", "#episodes", "#invalid"]
        .map(str::to_owned)
        .into_iter()
        .chain(rewards)
        .chain(["#turns", "#tokens", "#acting s", "#grading s"].map(str::to_owned))
        .collect();
    let mut table = Table::new(&header);
    for part in cells.chunk_by(|left, right| (&left.phase, left.iteration) == (&right.phase, right.iteration)) {
        table.row(line(part, &skills));
    }
    table
}

fn line(part: &[Cell], skills: &[&str]) -> Vec<String> {
    let episodes: u64 = part.iter().map(|cell| cell.episodes).sum();
    let mean = |value: fn(&Cell) -> f64| {
        part.iter().map(|cell| value(cell) * cell.episodes as f64).sum::<f64>() / episodes as f64
    };
    let invalid: u64 = part.iter().map(|cell| cell.invalid).sum();
    let mut line =
        vec![part[0].phase.clone(), part[0].iteration.to_string(), episodes.to_string(), invalid.to_string()];
    for skill in skills {
        let reward = part.iter().find(|cell| cell.skill == *skill).and_then(|cell| cell.reward);
        line.push(reward.map_or("-".to_owned(), |reward| format!("{reward:.3}")));
    }
    line.push(format!("{:.1}", mean(|cell| cell.turns)));
    line.push(format!("{:.0}", mean(|cell| cell.sampled_tokens)));
    line.push(format!("{:.2}", mean(|cell| cell.acting_seconds)));
    line.push(format!("{:.2}", mean(|cell| cell.grading_seconds)));
    line
}

/// The code of the grade, or the boundary that made the episode invalid.
fn code(row: &EpisodeRow) -> String {
    match &row.invalid {
        Some(boundary) => format!("invalid: {boundary}"),
        None => row.code.clone().unwrap_or_default(),
    }
}
