//! How hard the tasks of a pack are for a model: the pass rates of a run, kept beside the pack.

use std::collections::BTreeMap;
use std::path::Path;

use basis_gym::pack::{Measured, Pack};
use basis_gym::store::{self, EpisodeFilter, EpisodeRow, Reader};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::table::Table;

pub(super) fn run(path: &Path, run: &str, context: &Context<'_>) -> Result<(), Failure> {
    let pack = Pack::open_whole(path).kind(Kind::Input)?;
    let reader = Reader::open(&store::find_run(&context.runs(), run)?)?;
    let episodes = reader.rows(&EpisodeFilter { phase: Some("eval".to_owned()), ..EpisodeFilter::default() })?;
    let model = model(&reader.config()?).map(str::to_owned);
    let mut rows: BTreeMap<&str, Vec<&EpisodeRow>> = BTreeMap::new();
    for episode in &episodes {
        rows.entry(&episode.key.task).or_default().push(episode);
    }
    let (name, started) = (reader.name(), reader.started()?);
    let of_task = |(skill, task, episodes): (&str, &str, &[&EpisodeRow])| {
        let judged = episodes.iter().filter_map(|episode| episode.reward);
        let solved = judged.clone().filter(|reward| *reward > 0.0).count() as u32;
        let model = model.clone().unwrap_or_else(|| episodes[0].policy.clone());
        let judged = judged.count() as u32;
        let row = Measured { task: task.to_owned(), run: name.clone(), model, started, judged, solved };
        (skill.to_owned(), row)
    };
    let known =
        pack.tasks.iter().filter_map(|task| Some((task.skill.as_str(), task.id.as_str(), rows.get(task.id.as_str())?)));
    let measured: Vec<(String, Measured)> =
        known.map(|(skill, task, rows)| of_task((skill, task, rows))).filter(|(_, row)| row.judged > 0).collect();
    if measured.is_empty() {
        let reason = format!(
            "run `{name}` has no judged episode of a task of this pack; make one with `basis eval {}`",
            path.display()
        );
        return Err(Failure::new(Kind::Input, reason));
    }
    print(context, &measured);
    Pack::measure(path, &name, measured.into_iter().map(|(_, row)| row).collect()).kind(Kind::Machine)
}

/// Who acted, as the first line of the settings of an evaluation says: `# eval of <model> on <pack> (…`.
fn model(config: &str) -> Option<&str> {
    Some(config.lines().next()?.strip_prefix("# eval of ")?.split_once(" on ")?.0)
}

fn print(context: &Context<'_>, measured: &[(String, Measured)]) {
    if context.printer.is_json() {
        return measured.iter().for_each(|(_, row)| context.printer.json(row));
    }
    let mut skills: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (skill, row) in measured {
        let at = if row.is_telling() {
            1
        } else if row.solved == 0 {
            0
        } else {
            2
        };
        skills.entry(skill).or_default()[at] += 1;
    }
    let mut table = Table::new(&["skill", "#never solved", "#sometimes", "#always"]);
    for (skill, counts) in skills {
        table.row(std::iter::once(skill.to_owned()).chain(counts.map(|count| count.to_string())));
    }
    context.printer.data(table.render());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_what_the_evaluation_was_of() {
        assert_eq!(model("# eval of engine ab12 on pkg (3 tasks, digest 1), 2 attempts\nx = 1"), Some("engine ab12"));
        assert_eq!(model("x = 1"), None);
    }
}
