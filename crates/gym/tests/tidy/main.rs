//! Rules about the source that neither the compiler nor clippy checks.
//!
//! Each test names the file and the rule. The import table is the architecture: widen it only on purpose, and say so in
//! `ARCHITECTURE.md`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod imports;
mod readme;
mod source;

use std::collections::BTreeSet;

use source::{SourceFile, crates_dir, sources};

/// The library crates, lowest first, and what each may depend on.
const CRATES: [(&str, &[&str]); 4] =
    [("sandbox", &[]), ("gym", &["sandbox"]), ("train", &["sandbox", "gym"]), ("cli", &["sandbox", "gym", "train"])];

/// What only `cli` may do: print, read the environment, exit.
const FORBIDDEN_IN_LIBRARIES: [&str; 9] = [
    "println!",
    "print!(",
    "eprintln!",
    "eprint!(",
    "env::var",
    "env::vars",
    "env::args",
    "env::home_dir",
    "process::exit",
];

fn check(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

#[test]
fn crates_depend_only_on_those_below() {
    let offences = CRATES.iter().flat_map(|(name, allowed)| {
        let manifest = std::fs::read_to_string(crates_dir().join(name).join("Cargo.toml")).unwrap();
        let own: BTreeSet<String> = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("basis-"))
            .map(|line| line.chars().take_while(char::is_ascii_alphanumeric).collect())
            .collect();
        let wrong = own.into_iter().filter(|dependency| !allowed.contains(&dependency.as_str()));
        wrong.map(|dependency| format!("crates/{name}/Cargo.toml: depends on `{dependency}`")).collect::<Vec<_>>()
    });
    check("cli → train → gym → sandbox, and nothing else", offences.collect());
}

#[test]
fn modules_of_gym_import_only_what_the_table_allows() {
    check("imports inside `gym` (the table is in `crates/gym/tests/tidy/imports.rs`)", imports::offences());
}

#[test]
fn every_source_file_says_what_it_is() {
    let silent = sources(&["sandbox", "gym", "train", "cli"])
        .into_iter()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| file.name);
    check("every file begins with `//!`: what it is, its boundary, what it does not do", silent.collect());
}

#[test]
fn libraries_do_not_print_read_the_environment_or_exit() {
    let find = |file: SourceFile| {
        let used = FORBIDDEN_IN_LIBRARIES.iter().filter(|word| file.code().contains(**word));
        used.map(|word| format!("{}: `{word}`", file.name)).collect::<Vec<_>>()
    };
    let files = sources(&["sandbox", "gym", "train"]).into_iter().filter(|file| file.is_library());
    check("only `cli` prints, reads the environment and exits", files.flat_map(find).collect());
}

#[test]
fn readme_shows_the_tree_as_it_is() {
    check("the tree in README.md", readme::offences());
}
