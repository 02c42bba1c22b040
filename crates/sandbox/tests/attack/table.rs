//! The table of results in the reference, one column for each backend and kind of user.

use std::path::Path;

pub(crate) use crate::columns::Columns;
use crate::columns::{self, Table};
use crate::{registry, results};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/security.md");
/// Where a copy of this program that runs as an ordinary user leaves its results.
const HAND_OVER: &str = "BASIS_ATTACK_RESULTS";
/// An id that belongs to nobody.
const USER: u32 = 64_243;
pub(crate) const CONTAINED: &str = "contained";

#[test]
fn the_reference_says_what_this_suite_gives() {
    let mut columns = own();
    if let Some(place) = std::env::var_os(HAND_OVER) {
        return columns::hand_over(&columns, place);
    }
    if rustix::process::geteuid().is_root() {
        columns.extend(columns::as_user(
            USER,
            &["--exact", "table::the_reference_says_what_this_suite_gives"],
            HAND_OVER,
        ));
    }
    for (column, cells) in &columns {
        for (attack, cell) in registry::ALL.iter().zip(cells) {
            assert_eq!(cell, CONTAINED, "{column}: {} ({})", attack.number, attack.name);
        }
    }
    table().compare(columns);
}

pub(crate) fn table() -> Table {
    let row = |attack: &crate::Attack| {
        vec![attack.number.to_string(), attack.name.into(), attack.tries.into(), attack.seen.into()]
    };
    Table {
        page: REFERENCE,
        marks: ["<!-- attacks: written by the suite -->", "<!-- end of attacks -->"],
        update: "UPDATE_SECURITY_TABLE",
        head: &["#", "attack", "what it tries", "how failure is seen"],
        rows: registry::ALL.iter().map(row).collect(),
    }
}

fn own() -> Columns {
    let user = if rustix::process::geteuid().is_root() { "root" } else { "user" };
    let backends = results::opened().iter().enumerate();
    backends.map(|(index, backend)| (format!("{}, {user}", backend.name()), column(index))).collect()
}

fn column(backend: usize) -> Vec<String> {
    registry::ALL.iter().map(|attack| cell(&results::result(attack.number, backend))).collect()
}

/// A result as the table shows it.
fn cell(result: &results::Result) -> String {
    match result {
        Ok(()) => CONTAINED.to_owned(),
        Err(message) => format!("not contained: {}", message.replace(['\n', '\t'], " ")),
    }
}

#[test]
fn a_table_reads_as_it_was_written() {
    let cells: Vec<String> = registry::ALL.iter().map(|attack| format!("result {}", attack.number)).collect();
    let columns = Columns::from([("one, root".to_owned(), cells.clone()), ("two, user".to_owned(), cells)]);
    let written = table().render(&columns);
    assert_eq!(table().parse(&written), columns);
    let shorter = Table { rows: table().rows.split_off(1), ..table() };
    assert_eq!(shorter.parse(&written), Columns::new(), "its rows are others");
}

#[test]
fn attacks_are_numbered_from_1_on() {
    assert!(registry::ALL.iter().map(|attack| attack.number).eq(1..=46));
    assert!(Path::new(REFERENCE).is_absolute());
}
