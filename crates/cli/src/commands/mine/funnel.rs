//! What became of commits, mutations and bug records, and why some of them became nothing.

use basis_gym::factory::Funnel;

use crate::table::Table;

/// One row for each stage that saw something.
pub(super) fn table(funnel: &Funnel) -> Table {
    let mut table = Table::new(&["", "#made", "rejected"]);
    for (stage, passage) in &funnel.0 {
        let reasons: Vec<String> = passage.rejected.iter().map(|(code, count)| format!("{count} {code}")).collect();
        table.row([stage.to_string(), passage.made.to_string(), reasons.join(", ")]);
    }
    table
}

#[cfg(test)]
mod tests {
    use basis_gym::factory::Stage;

    use super::*;

    #[test]
    fn every_reason_stands_beside_what_it_prevented() {
        let skill = |name: &str| Stage::Skill(name.to_owned());
        let counts = [
            (Stage::Candidate, Ok(()), 3),
            (Stage::Candidate, Err("no_source"), 9),
            (Stage::Buildable, Ok(()), 2),
            (Stage::Buildable, Err("environment"), 1),
            (Stage::History, Ok(()), 1),
            (Stage::History, Err("no_f2p"), 1),
            (Stage::Mutation, Ok(()), 2),
            (Stage::Mutation, Err("hangs"), 1),
            (Stage::Mutation, Err("survived"), 2),
            (Stage::SeveralFiles, Ok(()), 1),
            (skill("edit"), Ok(()), 1),
            (skill("edit"), Err("gate_failed"), 1),
            (skill("testgen"), Err("few_variants"), 2),
        ];
        let mut funnel = Funnel::default();
        for (stage, outcome, count) in counts {
            (0..count).for_each(|_| funnel.count(stage.clone(), outcome));
        }
        insta::assert_snapshot!(table(&funnel).render());
    }
}
