//! What every backend must hold to: one suite of facts, run against each backend that this machine can run.
//!
//! Run by root, the suite runs once more as an ordinary user. What came of it is the table in `docs/reference/conformance.md`; a test
//! compares them, and writes it when `UPDATE_CONFORMANCE_TABLE=1`.

#![expect(clippy::print_stderr, reason = "skipped tests say why")]

mod again;
mod columns;
mod commands;
mod copies;
mod crowded;
mod differences;
mod fixture;
mod interrupts;
mod isolation;
mod leftovers;
mod lifetime;
mod limits;
mod list;
mod paths;
mod programs;
mod shells;
mod sizes;
mod specification;
mod table;
mod verdicts;

use verdicts::{Verdict, Verdicts};

use basis_sandbox::{Backend, SandboxError, backends};
use std::sync::{Arc, OnceLock};

/// Makes a test of each function: it runs on every backend, all of which the tests share.
macro_rules! suite {
    ($($module:ident: $($fact:ident)*;)*) => {
        $(mod $module {
            $(#[test]
            fn $fact() {
                crate::hold(stringify!($fact));
            })*
        })*
    };
}

mod facts {
    crate::list::facts!(suite);
}

/// A backend of the registry that this machine can run, and what came of the facts on it.
struct Opened {
    backend: Arc<dyn Backend>,
    verdicts: Verdicts,
}

impl Opened {
    fn verdict(&self, fact: &str) -> Verdict {
        self.verdicts.of(fact, self.backend.name(), &|check| check(self.backend.as_ref()))
    }
}

fn opened() -> &'static [Opened] {
    static OPENED: OnceLock<Vec<Opened>> = OnceLock::new();
    let open = |name: &&str| Some(Opened { backend: available(name)?, verdicts: Verdicts::new() });
    OPENED.get_or_init(|| backends::names().iter().filter_map(open).collect())
}

/// Fails the calling test unless every backend holds to the fact.
fn hold(fact: &str) {
    for opened in opened() {
        let name = opened.backend.name();
        match opened.verdict(fact) {
            Ok(verdict) if verdict == verdicts::HELD => {}
            Ok(verdict) => eprintln!("`{name}`: {verdict}"),
            Err(message) => panic!("`{name}`: {message}"),
        }
    }
}

fn available(name: &str) -> Option<Arc<dyn Backend>> {
    match fixture::open(name) {
        Ok(backend) => Some(backend),
        Err(SandboxError::Unavailable { backend, reason }) => {
            eprintln!("skipped: backend `{backend}` is not available here: {reason}");
            None
        }
        Err(error) => panic!("opening `{name}`: {error}"),
    }
}

#[test]
fn an_unknown_backend_is_an_error_that_lists_the_known_ones() {
    let error = backends::open("nonesuch").err().expect("refused").to_string();
    assert!(
        error.starts_with("sandbox specification: `nonesuch`: no such sandbox backend; known: namespace, container"),
        "{error}"
    );
}

#[test]
fn the_benchmark_compares_each_way_with_a_plain_process() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    match basis_sandbox::bench::start(1, scratch.path()) {
        Ok(section) => {
            assert!(section.rows[0].name.starts_with("plain process"));
            assert!(section.rows.len() >= 5);
        }
        Err(SandboxError::Unavailable { reason, .. }) => eprintln!("skipped: {reason}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_backend_says_how_it_keeps_each_limit() {
    for opened in opened() {
        let limits: Vec<&str> = opened.backend.enforcement().iter().map(|entry| entry.limit).collect();
        assert_eq!(limits, ["wall", "memory", "processes", "cpu", "output", "disk", "files", "network"]);
    }
}
