//! The table of results in the reference, one column for each backend and kind of user.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::{registry, results};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/security.md");
const BEGIN: &str = "<!-- attacks: written by the suite -->";
const END: &str = "<!-- end of attacks -->";
/// Set when the table is to be written.
const UPDATE: &str = "UPDATE_SECURITY_TABLE";
/// Where a copy of this program that runs as an ordinary user leaves its results.
const HAND_OVER: &str = "BASIS_ATTACK_RESULTS";
/// An id that belongs to nobody.
const USER: u32 = 64_243;
pub(crate) const CONTAINED: &str = "contained";

/// Results by column, in the order of the attacks.
pub(crate) type Columns = BTreeMap<String, Vec<String>>;

#[test]
fn the_reference_says_what_this_suite_gives() {
    let mut columns = own();
    if let Ok(place) = std::env::var(HAND_OVER) {
        let text: String = columns.iter().map(|(name, cells)| format!("{name}\t{}\n", cells.join("\t"))).collect();
        return fs::write(place, text).expect("written");
    }
    if rustix::process::geteuid().is_root() {
        columns.extend(as_user());
    }
    for (column, cells) in &columns {
        for (attack, cell) in registry::ALL.iter().zip(cells) {
            assert_eq!(cell, CONTAINED, "{column}: {} ({})", attack.number, attack.name);
        }
    }
    compare(columns);
}

/// Holds the reference to these columns, or writes them.
pub(crate) fn compare(mut columns: Columns) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read_to_string(REFERENCE).expect("the reference is there");
    let (head, rest) = text.split_once(BEGIN).expect("the reference has a place for the table");
    let (old, tail) = rest.split_once(END).expect("the place has an end");
    // What this machine cannot run stays as another one found it.
    for (name, cells) in parse(old) {
        columns.entry(name).or_insert(cells);
    }
    let new = format!("{head}{BEGIN}\n\n{}\n{END}{tail}", render(&columns));
    if std::env::var_os(UPDATE).is_some() {
        fs::write(REFERENCE, new).expect("written");
    } else {
        assert!(new == text, "docs/reference/security.md is out of date: run this test with {UPDATE}=1");
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

fn as_user() -> Columns {
    let place = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(place.path(), PermissionsExt::from_mode(0o777)).expect("opened");
    let copy = place.path().join("attack");
    fs::copy("/proc/self/exe", &copy).expect("copied");
    fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).expect("made executable");
    let handed = place.path().join("results");
    let output = Command::new(&copy)
        .args(["--exact", "table::the_reference_says_what_this_suite_gives"])
        .env("TMPDIR", place.path())
        .env(HAND_OVER, &handed)
        .current_dir("/")
        .uid(USER)
        .gid(USER)
        .output()
        .expect("started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let results = fs::read_to_string(handed).expect("handed over");
    let columns = results.lines().filter_map(|line| line.split_once('\t'));
    columns.map(|(name, cells)| (name.into(), cells.split('\t').map(str::to_owned).collect())).collect()
}

fn render(columns: &Columns) -> String {
    let names: Vec<&str> = columns.keys().map(String::as_str).collect();
    let mut text = format!("| # | attack | what it tries | how failure is seen | {} |\n", names.join(" | "));
    text.push_str(&format!("| --- | --- | --- | --- |{}\n", " --- |".repeat(names.len())));
    for (index, attack) in registry::ALL.iter().enumerate() {
        let cells: Vec<&str> = columns.values().map(|cells| cells.get(index).map_or("", String::as_str)).collect();
        let (name, tries, seen) = (attack.name, attack.tries, attack.seen);
        text.push_str(&format!("| {} | {name} | {tries} | {seen} | {} |\n", attack.number, cells.join(" | ")));
    }
    text
}

/// The columns of a rendered table.
fn parse(table: &str) -> Columns {
    const FIXED: usize = 4;
    let mut rows = table.lines().filter(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        cells
    });
    let Some(head) = rows.next() else { return Columns::new() };
    let mut columns: Columns = head.iter().skip(FIXED).map(|name| ((*name).to_owned(), Vec::new())).collect();
    for row in rows.skip(1) {
        for (name, cell) in head.iter().zip(row).skip(FIXED) {
            columns.entry((*name).to_owned()).or_default().push(cell.to_owned());
        }
    }
    columns
}

#[test]
fn a_table_reads_as_it_was_written() {
    let cells: Vec<String> = registry::ALL.iter().map(|attack| format!("result {}", attack.number)).collect();
    let columns = Columns::from([("one, root".to_owned(), cells.clone()), ("two, user".to_owned(), cells)]);
    assert_eq!(parse(&render(&columns)), columns);
}

#[test]
fn attacks_are_numbered_from_1_on() {
    assert!(registry::ALL.iter().map(|attack| attack.number).eq(1..=46));
    assert!(Path::new(REFERENCE).is_absolute());
}
