//! What became of the mutations and of the bug records, and why some of them became nothing.

use std::collections::BTreeMap;

use basis_gym::factory::Yield;

use crate::table::Table;

/// One row for the bug records, one for each skill.
pub(super) fn table(made: &Yield) -> Table {
    let mut rows: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    let mut records = (0, Vec::new());
    for (stage, count) in &made.funnel {
        if stage == "bug records" {
            records.0 = *count;
        } else if stage == "bug records in two files" {
            rows.entry("bug records in two files").or_default().0 = *count;
        } else if let Some(reason) = stage.strip_prefix("rejected mutation: ") {
            records.1.push(format!("{count} {reason}"));
        } else if let Some(skill) = stage.strip_prefix("gated ") {
            rows.entry(skill).or_default().0 += count;
        } else if let Some(skill) = stage.strip_prefix("gate failed ") {
            rows.entry(skill).or_default().1.push(format!("{count} failed their gates"));
        } else if let Some((what, reason)) = stage.strip_prefix("rejected ").and_then(|rest| rest.split_once(": ")) {
            rows.entry(what).or_default().1.push(format!("{count} {reason}"));
        }
    }
    let mut table = Table::new(&["", "#made", "rejected"]);
    let mut row = |name: &str, (count, reasons): (usize, Vec<String>)| {
        table.row([name.to_owned(), count.to_string(), reasons.join(", ")]);
    };
    row("bug records", records);
    rows.into_iter().for_each(|(skill, counts)| row(skill, counts));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_beside_what_it_prevented() {
        let funnel = [
            ("bug records", 2),
            ("bug records in two files", 1),
            ("gate failed edit", 1),
            ("gated edit", 1),
            ("gated review", 2),
            ("mutations tried", 5),
            ("rejected mutation: hangs", 1),
            ("rejected mutation: survived", 2),
            ("rejected review: no_wrong_candidate", 1),
            ("rejected testgen: few_variants", 2),
        ];
        let funnel = funnel.into_iter().map(|(stage, count)| (stage.to_owned(), count)).collect();
        insta::assert_snapshot!(table(&Yield { funnel, ..Yield::default() }).render());
    }
}
