//! What sandboxes cost, as tables: `cargo bench -p basis-sandbox [-- rounds [crowd]]`.
#![expect(clippy::print_stdout, reason = "the tables are the result")]

use basis_sandbox::{SandboxError, bench};

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (rounds, crowd) = (numbers.next().unwrap_or(200), numbers.next().unwrap_or(1000));
    let scratch = tempfile::tempdir().expect("a temporary directory");
    show(bench::start(rounds, scratch.path()));
    show(bench::repository(rounds, scratch.path()));
    show(bench::crowd(crowd));
}

fn show(section: Result<bench::Section, SandboxError>) {
    println!("{}", section.expect("this machine can run the namespace backend").render());
}
