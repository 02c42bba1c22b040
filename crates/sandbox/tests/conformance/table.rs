//! The table of facts in the reference; and the suite as an ordinary user, when it runs as root.

use crate::columns::{self, Columns};
use crate::list::ALL;
use crate::{opened, verdicts};

/// An id that belongs to nobody.
const USER: u32 = 64_242;
/// Where a copy of this program that runs as an ordinary user leaves its results.
const HAND_OVER: &str = "BASIS_CONFORMANCE_RESULTS";

#[test]
fn the_reference_says_what_this_suite_gives() {
    let mut columns = own();
    if let Some(place) = std::env::var_os(HAND_OVER) {
        return columns::hand_over(&columns, place);
    }
    if rustix::process::geteuid().is_root() {
        columns.extend(columns::as_user(USER, &["facts::", "table::the_reference"], HAND_OVER));
    }
    verdicts::table().compare(columns);
}

fn own() -> Columns {
    let user = if rustix::process::geteuid().is_root() { "root" } else { "user" };
    let column = |opened: &crate::Opened| {
        let name = opened.backend.name();
        let cell = |fact: &crate::list::Fact| match opened.verdict(fact.name) {
            Ok(verdict) => verdict,
            Err(message) => panic!("`{name}` does not hold to {}: {message}", fact.name),
        };
        (format!("{name}, {user}"), ALL.iter().map(cell).collect())
    };
    opened().iter().map(column).collect()
}
