//! The Tinker protocol from both sides: one suite of a client's expectations, against our own server over a real socket, and against any
//! other that `BASIS_TEST_TINKER` names.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]
#![expect(clippy::print_stderr, reason = "skipped tests say why")]

#[path = "../engine/support.rs"]
#[allow(dead_code, reason = "the tests of engines use all of it")]
mod support;

mod conformance;
mod server;
