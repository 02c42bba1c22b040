//! From a package to files.

use std::collections::BTreeMap;

use super::Split;
use super::cases::{Case, Cases};
use super::fragment::Fragment;
use super::package::{Module, Package};
use crate::project::{Origin, Project, RunnerKind, TestSetup};
use crate::tree::Tree;

/// Examples in a docstring.
const EXAMPLES: usize = 2;

/// The package as a project.
pub(super) fn project(package: &Package, seed: u64, split: Split) -> Project {
    let name = &package.name;
    let mut tree = Tree::new();
    let mut tests = Vec::new();
    tree.insert("README.md", readme(package));
    tree.insert(format!("{name}/__init__.py"), "");
    for module in &package.modules {
        tree.insert(module.path(name), module_text(name, module, &package.modules));
        let path = format!("tests/test_{}.py", module.name);
        tree.insert(path.clone(), test_text(name, module));
        tests.push(path);
    }
    tests.sort();
    let label = match split {
        Split::Train => "train",
        Split::HeldOut => "held-out",
    };
    Project {
        name: name.clone(),
        version: String::new(),
        tree,
        tests: TestSetup {
            runner: RunnerKind::Plain,
            files: tests,
            import_roots: vec![String::new()],
            requirements: Vec::new(),
            before: None,
        },
        origin: Origin { licence: "Apache-2.0".to_owned(), ..Origin::new("generated", format!("{label}:{seed}")) },
    }
}

/// Lines that a module has as a file.
pub(super) fn module_lines(package: &str, module: &Module, modules: &[Module]) -> usize {
    module_text(package, module, modules).lines().count()
}

fn readme(package: &Package) -> String {
    let modules: Vec<String> = package.modules.iter().map(|module| format!("`{}`", module.name)).collect();
    format!("# {}\n\nA small package with the modules {}.\n", package.name, modules.join(", "))
}

fn module_text(package: &str, module: &Module, modules: &[Module]) -> String {
    let mut head = imports(package, module, modules);
    let constants: Vec<&str> =
        module.functions.iter().filter_map(|(fragment, _)| fragment.constant.as_deref()).collect();
    if !head.is_empty() && !constants.is_empty() {
        head.push('\n');
    }
    head.extend(constants.iter().map(|constant| format!("{constant}\n")));
    let bodies: Vec<String> = module.functions.iter().map(|(fragment, cases)| body(fragment, cases)).collect();
    let gap = if head.is_empty() { "" } else { "\n\n" };
    format!("{head}{gap}{}\n", bodies.join("\n\n\n"))
}

/// One line for each module that functions are taken from.
fn imports(package: &str, module: &Module, modules: &[Module]) -> String {
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for callee in module.functions.iter().flat_map(|(fragment, _)| &fragment.callees) {
        let has = |other: &&Module| other.functions.iter().any(|(fragment, _)| fragment.name == *callee);
        let home = modules.iter().find(has).expect("a called function stands in a lower module");
        wanted.entry(&home.name).or_default().push(callee);
    }
    let line = |(module, mut names): (&str, Vec<&str>)| {
        names.sort_unstable();
        names.dedup();
        format!("from {package}.{module} import {}\n", names.join(", "))
    };
    wanted.into_iter().map(line).collect()
}

/// The definitions with examples at the end of the docstring.
fn body(fragment: &Fragment, cases: &Cases) -> String {
    let (before, after) = fragment.text.rsplit_once("\"\"\"").expect("a template has a docstring");
    let mut examples = String::new();
    for number in 0..EXAMPLES {
        // A function that is only measured has no cases yet.
        let example = cases.examples.get(number).map_or_else(String::new, |case| comparison(&fragment.name, case));
        examples += &format!("\n    Example: {example}");
    }
    format!("{before}{examples}\n    \"\"\"{after}")
}

fn comparison(name: &str, case: &Case) -> String {
    format!("{name}({}) == {}", case.arguments, case.result)
}

fn test_text(package: &str, module: &Module) -> String {
    let mut names: Vec<&str> = module.functions.iter().map(|(fragment, _)| fragment.name.as_str()).collect();
    names.sort_unstable();
    let mut text = format!("from {package}.{} import {}\n", module.name, names.join(", "));
    for (fragment, cases) in &module.functions {
        for (number, test) in cases.tests.iter().enumerate() {
            text += &format!("\n\ndef test_{}_{}():\n", fragment.name, number + 1);
            text.extend(test.iter().map(|case| format!("    assert {}\n", comparison(&fragment.name, case))));
        }
    }
    text
}
