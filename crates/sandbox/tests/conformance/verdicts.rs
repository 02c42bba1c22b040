//! What came of each fact on each backend. A fact is tried once, however many tests ask.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use basis_sandbox::Backend;

use crate::columns::Table;
use crate::fixture;
use crate::list::{ALL, Fact, not_asked};

pub(crate) const HELD: &str = "held";

/// What the table says, or what the check that failed says.
pub(crate) type Verdict = Result<String, String>;

/// Verdicts on one backend.
pub(crate) struct Verdicts(Vec<OnceLock<Verdict>>);

impl Verdicts {
    pub(crate) fn new() -> Self {
        Self(ALL.iter().map(|_| OnceLock::new()).collect())
    }

    /// Tries a fact on a backend of this name, which is only opened if it has to be.
    pub(crate) fn of(&self, fact: &str, backend: &str, on: &dyn Fn(fn(&dyn Backend))) -> Verdict {
        let place = ALL.iter().position(|known| known.name == fact).expect("listed");
        self.0[place].get_or_init(|| attempt(&ALL[place], backend, on)).clone()
    }
}

fn attempt(fact: &Fact, backend: &str, on: &dyn Fn(fn(&dyn Backend))) -> Verdict {
    if let Some(reason) = not_asked(backend, fact.name) {
        return Ok(reason);
    }
    fixture::take_lacking();
    let caught = catch_unwind(AssertUnwindSafe(|| on(fact.check)));
    match (caught, fixture::take_lacking()) {
        (Ok(()), None) => Ok(HELD.into()),
        (Ok(()), Some(operation)) => Ok(format!("unsupported: {operation}")),
        (Err(panic), _) => {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
        }
    }
}

/// Where the verdicts stand.
pub(crate) fn table() -> Table {
    let words = |name: &str| name.replace('_', " ");
    Table {
        page: concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/conformance.md"),
        marks: ["<!-- facts: written by the suite -->", "<!-- end of facts -->"],
        update: "UPDATE_CONFORMANCE_TABLE",
        head: &["about", "fact"],
        rows: ALL.iter().map(|fact| vec![fact.about.into(), words(fact.name)]).collect(),
    }
}
