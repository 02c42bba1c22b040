//! A table of results in the reference: rows that a suite knows, and a column for each backend and kind of user.
//!
//! What a machine cannot run stays as another one found it. The attack suite has a table of the same kind.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, PoisonError};

use crate::again::Again;

/// Results by column, in the order of the rows.
pub(crate) type Columns = BTreeMap<String, Vec<String>>;

/// Where a table stands, and what its rows begin with.
pub(crate) struct Table {
    /// Absolute path of the page.
    pub(crate) page: &'static str,
    /// The lines around the table.
    pub(crate) marks: [&'static str; 2],
    /// The variable that is set when the table is to be written.
    pub(crate) update: &'static str,
    /// The names of the first columns.
    pub(crate) head: &'static [&'static str],
    /// Their cells.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// Holds the page to these columns, or writes them.
    pub(crate) fn compare(&self, mut columns: Columns) {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let text = fs::read_to_string(self.page).expect("the reference is there");
        let [begin, end] = self.marks;
        let (head, rest) = text.split_once(begin).expect("the reference has a place for the table");
        let (old, tail) = rest.split_once(end).expect("the place has an end");
        for (name, cells) in self.parse(old) {
            columns.entry(name).or_insert(cells);
        }
        let new = format!("{head}{begin}\n\n{}\n{end}{tail}", self.render(&columns));
        if std::env::var_os(self.update).is_some() {
            fs::write(self.page, new).expect("written");
        } else {
            assert!(new == text, "{} is out of date: run this test with {}=1", self.page, self.update);
        }
    }

    pub(crate) fn render(&self, columns: &Columns) -> String {
        let names = self.head.iter().copied().chain(columns.keys().map(String::as_str));
        let names: Vec<&str> = names.collect();
        let mut text = format!("| {} |\n|{}\n", names.join(" | "), " --- |".repeat(names.len()));
        for (index, row) in self.rows.iter().enumerate() {
            let results = columns.values().map(|cells| cells.get(index).map_or("", String::as_str));
            let cells: Vec<&str> = row.iter().map(String::as_str).chain(results).collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        text
    }

    /// The columns of a rendered table. Those of a table with other rows are void.
    pub(crate) fn parse(&self, table: &str) -> Columns {
        let fixed = self.head.len();
        let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        let mut rows = table.lines().filter(|line| line.starts_with('|')).map(cells);
        let head: Vec<String> = rows.next().unwrap_or_default();
        let rows: Vec<Vec<String>> = rows.skip(1).collect();
        let same = rows.len() == self.rows.len()
            && rows.iter().zip(&self.rows).all(|(old, new)| old.get(..fixed).is_some_and(|old| old == new.as_slice()));
        if !same {
            return Columns::new();
        }
        let column = |(index, name): (usize, &String)| {
            (name.clone(), rows.iter().map(|row| row.get(index).cloned().unwrap_or_default()).collect())
        };
        head.iter().enumerate().skip(fixed).map(column).collect()
    }
}

/// Runs these tests of this program once more as an ordinary user, whose id belongs to nobody: what it wrote to the file that the variable
/// `hand_over` names.
pub(crate) fn as_user(user: u32, tests: &[&str], hand_over: &str) -> Columns {
    let again = Again::new();
    let handed = again.place().join("results");
    again.run(user, tests, &[(hand_over, &handed)]);
    let results = fs::read_to_string(handed).expect("handed over");
    let columns = results.lines().filter_map(|line| line.split_once('\t'));
    columns.map(|(name, cells)| (name.into(), cells.split('\t').map(str::to_owned).collect())).collect()
}

/// Hands columns to whoever called [`as_user`].
pub(crate) fn hand_over(columns: &Columns, place: std::ffi::OsString) {
    let text: String = columns.iter().map(|(name, cells)| format!("{name}\t{}\n", cells.join("\t"))).collect();
    fs::write(place, text).expect("written");
}
