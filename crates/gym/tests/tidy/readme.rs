//! The tree in README.md: what it lists exists, and it lists every crate and every module at the top of one.

use std::collections::BTreeSet;
use std::path::Path;

use crate::source::crates_dir;

/// Files that are no modules of their own.
const UNLISTED: [&str; 4] = ["lib", "main", "mod", "testkit"];

/// Lines of the tree that are wrong, and what it lacks.
pub(crate) fn offences() -> Vec<String> {
    let root = crates_dir().join("..");
    let listed = tree(&std::fs::read_to_string(root.join("README.md")).unwrap());
    let gone =
        listed.iter().filter(|path| !root.join(path).exists()).map(|path| format!("`{path}` is listed, but not there"));
    let expected = expected();
    let missing = expected.iter().filter(|path| !listed.contains(*path)).map(|path| format!("`{path}` is not listed"));
    gone.chain(missing).collect()
}

/// The paths in the code block after the heading `## The tree`: two spaces of indentation for each level, then the name,
/// then what it is for after at least two spaces.
fn tree(readme: &str) -> BTreeSet<String> {
    let section = readme.split("\n## The tree\n").nth(1).expect("README.md has a section `The tree`");
    let block = section.split("```").nth(1).expect("the section has a code block");
    let mut parents: Vec<&str> = Vec::new();
    let mut paths = BTreeSet::new();
    for line in block.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let level = (line.len() - line.trim_start().len()) / 2;
        // Deep indentation continues the description of the line above.
        if level > parents.len() {
            continue;
        }
        parents.truncate(level);
        parents.push(line.split_whitespace().next().unwrap().trim_end_matches('/'));
        paths.insert(parents.join("/"));
    }
    paths
}

/// Every crate and every module at its top.
fn expected() -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (name, _) in crate::CRATES {
        paths.insert(format!("crates/{name}"));
        for module in modules(&crates_dir().join(name).join("src")) {
            paths.insert(format!("crates/{name}/src/{module}"));
        }
    }
    paths
}

fn modules(src: &Path) -> Vec<String> {
    let names = std::fs::read_dir(src).unwrap().map(|entry| entry.unwrap());
    let names = names.filter(|entry| entry.path().is_dir() || entry.path().extension().is_some_and(|it| it == "rs"));
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| !UNLISTED.contains(&name.trim_end_matches(".rs")) && name != "snapshots").collect()
}
