//! Tables of results, and digests that say what they belong to.

use std::path::Path;

use basis_gym::stats::{Comparison, Evaluation, Interval};
use basis_train::run::{Effect, Interference};

use crate::exit::{Failure, Kind};
use crate::printer::Printer;
use crate::table::Table;

/// Prints an evaluation: success rates with intervals, invalid episodes apart.
pub(crate) fn evaluation(printer: &Printer, evaluation: &Evaluation) {
    if printer.is_json() {
        return printer.json(evaluation);
    }
    let k = evaluation.k;
    let header = [
        "skill",
        "#tasks",
        &format!("#avg@{k}"),
        "#95 % interval",
        &format!("#pass@{k}"),
        "#reward",
        "#invalid",
        "#bracket",
    ];
    let mut table = Table::new(&header);
    for (name, score) in &evaluation.skills {
        table.row([
            name.clone(),
            score.tasks.to_string(),
            rate(score.success),
            interval(&score.interval),
            rate(score.pass_at_k),
            format!("{:+.2}", score.reward),
            score.invalid.to_string(),
            if score.invalid == 0 { "-".into() } else { interval(&score.bracket) },
        ]);
    }
    let average = [rate(evaluation.average), interval(&evaluation.interval)];
    let [mean, spread] = average;
    table.row([
        "average".into(),
        String::new(),
        mean,
        spread,
        String::new(),
        String::new(),
        String::new(),
        String::new(),
    ]);
    printer.data(table.render());
}

/// Prints what training changed on the held-out tasks.
pub(crate) fn comparison(printer: &Printer, before: &Evaluation, after: &Evaluation, comparison: &Comparison) {
    let k = before.k;
    let mut table =
        Table::new(&["skill", "#tasks", &format!("#before (avg@{k})"), "#95 %", "#after", "#95 %", "#change", "#95 %"]);
    for (name, old) in &before.skills {
        let (Some(new), Some(change)) = (after.skills.get(name), comparison.skills.get(name)) else { continue };
        table.row([
            name.clone(),
            old.tasks.to_string(),
            rate(old.success),
            interval(&old.interval),
            rate(new.success),
            interval(&new.interval),
            format!("{:+.3}", change.change),
            interval(&change.interval),
        ]);
    }
    table.row([
        "average".into(),
        String::new(),
        rate(before.average),
        interval(&before.interval),
        rate(after.average),
        interval(&after.interval),
        format!("{:+.3}", comparison.average.change),
        interval(&comparison.average.interval),
    ]);
    printer.data(table.render());
    let relative = 100.0 * (after.average / before.average.max(f64::MIN_POSITIVE) - 1.0);
    printer.data(format_args!("average over {} skills and kinds: {relative:+.1} % relative", before.skills.len()));
}

/// A row per skill that a step is made from, a column per skill that it is measured on, in thousandths with standard errors.
pub(crate) fn interference(matrix: &Interference) -> Table {
    let header: Vec<String> =
        ["step on".to_owned()].into_iter().chain(matrix.effects.keys().map(|skill| format!("#{skill}"))).collect();
    let mut table = Table::new(&header);
    for (from, effects) in &matrix.effects {
        let cell = |to: &String| effects.get(to).map_or("-".to_owned(), effect);
        table.row([from.clone()].into_iter().chain(matrix.effects.keys().map(cell)));
    }
    table
}

fn effect(effect: &Effect) -> String {
    let error = effect.error.map_or("?".to_owned(), |error| format!("{:.1}", 1000.0 * error));
    format!("{:+.1} ± {error}", 1000.0 * effect.change)
}

fn rate(value: f64) -> String {
    format!("{value:.3}")
}

fn interval(interval: &Interval) -> String {
    format!("[{:.3}, {:.3}]", interval.low, interval.high)
}

/// The first digits of the BLAKE3 hash.
pub(crate) fn digest(bytes: impl AsRef<[u8]>) -> String {
    blake3::hash(bytes.as_ref()).to_hex()[..12].to_owned()
}

/// The same of a file.
pub(crate) fn digest_of_file(path: &Path) -> Result<String, Failure> {
    let bytes =
        std::fs::read(path).map_err(|error| Failure::new(Kind::Input, format!("`{}`: {error}", path.display())))?;
    Ok(digest(bytes))
}
