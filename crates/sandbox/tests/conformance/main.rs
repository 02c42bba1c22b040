//! What every backend must hold to: one suite of facts, run against each backend that this machine can run.
//!
//! Run by root, the suite runs once more as an ordinary user.

#![expect(clippy::print_stderr, reason = "skipped tests say why")]

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
mod user;

use basis_sandbox::{Backend, SandboxError, backends};
use std::sync::{Arc, OnceLock};

/// Makes a test of each function: it runs on every backend, all of which the tests share.
macro_rules! suite {
    ($($module:ident: $($fact:ident)*;)*) => {
        $(mod $module {
            $(#[test]
            fn $fact() {
                crate::on_every_backend(stringify!($fact), crate::$module::$fact);
            })*
        })*
    };
}

mod facts {
    crate::list::facts!(suite);
}

/// Runs `check` on each backend of the registry that this machine can run.
fn on_every_backend(fact: &str, check: fn(&dyn Backend)) {
    static OPENED: OnceLock<Vec<Arc<dyn Backend>>> = OnceLock::new();
    let opened = OPENED.get_or_init(|| backends::names().iter().filter_map(|name| available(name)).collect());
    for backend in opened {
        match list::elsewhere(backend.name(), fact) {
            Some(reason) => eprintln!("skipped on `{}`: {reason}", backend.name()),
            None => check(backend.as_ref()),
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
    on_every_backend("enforcement", |backend| {
        let limits: Vec<&str> = backend.enforcement().iter().map(|entry| entry.limit).collect();
        assert_eq!(limits, ["wall", "memory", "processes", "cpu", "output", "disk", "files", "network"]);
    });
}
