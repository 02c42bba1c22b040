//! The packages that the tests of a project need: which ones, at which versions, and as a directory.
//!
//! npm resolves and fetches them with the registry, certificates and proxies that the user has configured for it; scripts of packages
//! are never run. What a lock file of the project says is kept. Packages that no source and no test names (linters, formatters) are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use super::{JavaScriptError, Toolchain};
use crate::tree::{LayerStore, Tree};

/// What beside the tree says which packages are needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// The package that runs the tests.
    pub runner: Option<&'a str>,
    /// A date such as `2024-06-01`: versions that were published on it or later are not used, where the registry says when that was.
    pub before: Option<&'a str>,
}

/// The manifest and the lock of what is needed, as JSON: the requirements of a JavaScript project, empty when it needs nothing. With them
/// the date that they keep to; none when the versions are those of today.
///
/// # Errors
/// When the manifest is malformed, or npm cannot resolve it.
pub fn requirements(
    tree: &Tree,
    Wanted { runner, before }: Wanted<'_>,
    toolchain: &dyn Fn() -> Result<Toolchain, JavaScriptError>,
    scratch: &LayerStore,
) -> Result<(Vec<String>, Option<String>), JavaScriptError> {
    let manifest = read(tree, "package.json").unwrap_or_default();
    let wanted = wanted(tree, &manifest, runner);
    let kept = before.map(str::to_owned);
    if wanted.is_empty() {
        return Ok((Vec::new(), kept));
    }
    let manifest = json!({ "name": "packages", "version": "0.0.0", "private": true, "dependencies": wanted });
    let given = ["package-lock.json", "npm-shrinkwrap.json"].into_iter().find_map(|path| read(tree, path));
    if let Some(lock) = given.and_then(|lock| pruned(&lock, &wanted)) {
        return Ok((vec![manifest.to_string(), lock.to_string()], kept));
    }
    let toolchain = toolchain()?;
    let dated = before.and_then(|date| resolve(&toolchain, &manifest, Some(date), scratch).ok());
    let (lock, kept) = match dated {
        Some(lock) => (lock, kept),
        None => (resolve(&toolchain, &manifest, None, scratch)?, None),
    };
    Ok((vec![manifest.to_string(), lock.to_string()], kept))
}

fn read(tree: &Tree, path: &str) -> Option<Value> {
    serde_json::from_str(tree.text(path)?).ok()
}

/// What the project depends on, and what of its tools is named in its files or runs its tests.
fn wanted(tree: &Tree, manifest: &Value, runner: Option<&str>) -> Map<String, Value> {
    let of = |kind: &str| manifest[kind].as_object().cloned().unwrap_or_default();
    let mut wanted = of("peerDependencies");
    wanted.extend(of("optionalDependencies"));
    wanted.extend(of("dependencies"));
    let named = named(tree);
    let needed = |name: &String| named.contains(name.as_str()) || Some(name.as_str()) == runner;
    wanted.extend(of("devDependencies").into_iter().filter(|(name, _)| needed(name)));
    wanted.retain(|_, version| version.as_str().is_some_and(is_from_registry));
    wanted
}

/// Paths, links to other workspaces and addresses are no versions.
fn is_from_registry(version: &str) -> bool {
    !version.contains([':', '/']) || version.starts_with("npm:")
}

/// Packages that some file imports.
fn named(tree: &Tree) -> BTreeSet<String> {
    let sources = tree.paths().filter(|path| super::language::is_script(path)).filter_map(|path| tree.text(path));
    sources.flat_map(quoted).map(package).collect()
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| ["from", "require", "import"].iter().any(|word| line.contains(word)));
    lines.flat_map(|line| line.split(['\'', '"', '`']).skip(1).step_by(2))
}

/// `@scope/name` of `@scope/name/part`, `name` of `name/part`.
fn package(import: &str) -> String {
    let parts = if import.starts_with('@') { 2 } else { 1 };
    import.split('/').take(parts).collect::<Vec<_>>().join("/")
}

/// The part of a lock that the wanted packages need; `None` when the lock is of an old format or lacks one of them.
fn pruned(lock: &Value, wanted: &Map<String, Value>) -> Option<Value> {
    let packages = lock["packages"].as_object()?;
    let mut kept: BTreeMap<String, Value> = BTreeMap::new();
    let mut pending: Vec<String> = wanted.keys().map(|name| found(packages, "", name)).collect::<Option<_>>()?;
    while let Some(path) = pending.pop() {
        if kept.contains_key(&path) {
            continue;
        }
        let entry = packages[&path].clone();
        for (kind, is_optional) in [("dependencies", false), ("optionalDependencies", true), ("peerDependencies", true)]
        {
            for name in entry[kind].as_object().into_iter().flat_map(|needs| needs.keys()) {
                match found(packages, &path, name) {
                    Some(path) => pending.push(path),
                    None if is_optional => {}
                    None => return None,
                }
            }
        }
        kept.insert(path, without_marks(entry));
    }
    kept.insert(String::new(), json!({ "name": "packages", "version": "0.0.0", "dependencies": wanted }));
    Some(json!({ "name": "packages", "version": "0.0.0", "lockfileVersion": 3, "requires": true, "packages": kept }))
}

/// Everything is a dependency of ours, whatever it was for the project.
fn without_marks(mut entry: Value) -> Value {
    if let Some(fields) = entry.as_object_mut() {
        ["dev", "devOptional", "peer"].iter().for_each(|mark| drop(fields.remove(*mark)));
    }
    entry
}

/// Where a package finds another one: inside itself, else beside itself, and so on outwards.
fn found(packages: &Map<String, Value>, from: &str, name: &str) -> Option<String> {
    let mut around = from;
    loop {
        let candidate =
            if around.is_empty() { format!("node_modules/{name}") } else { format!("{around}/node_modules/{name}") };
        if packages.get(&candidate).is_some_and(|entry| entry["link"] != true) {
            return Some(candidate);
        }
        around = match around.rfind("/node_modules/") {
            Some(at) => &around[..at],
            None if around.is_empty() => return None,
            None => "",
        };
    }
}

/// Has npm write a lock for a manifest. Kept, so that the same manifest gives the same versions.
fn resolve(
    toolchain: &Toolchain,
    manifest: &Value,
    before: Option<&str>,
    scratch: &LayerStore,
) -> Result<Value, JavaScriptError> {
    let failed = |reason: String| JavaScriptError::Packages { what: "resolved", reason };
    let wanted = manifest.to_string() + before.unwrap_or_default();
    let key = format!("npm-lock-{}", &blake3::hash(wanted.as_bytes()).to_hex()[..32]);
    let directory = scratch
        .build(&key, &|directory| {
            std::fs::write(directory.join("package.json"), manifest.to_string())?;
            let date = before.map(|date| format!("--before={date}"));
            let arguments: Vec<&str> = ["install", "--package-lock-only"].into_iter().chain(date.as_deref()).collect();
            npm(toolchain, directory, &arguments)
        })
        .map_err(|error| failed(error.to_string()))?;
    let text = std::fs::read_to_string(directory.join("package-lock.json"))?;
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}

/// The directory `node_modules` with what the requirements say, made once.
///
/// # Errors
/// When npm is missing or cannot fetch a package.
pub(super) fn install(
    store: &LayerStore,
    toolchain: &Toolchain,
    requirements: &[String],
) -> Result<Option<PathBuf>, JavaScriptError> {
    let [manifest, lock] = requirements else { return Ok(None) };
    let key = blake3::hash(format!("{manifest}\n{lock}\n{}", std::env::consts::ARCH).as_bytes()).to_hex();
    let fill = |directory: &Path| {
        std::fs::write(directory.join("package.json"), manifest)?;
        std::fs::write(directory.join("package-lock.json"), lock)?;
        npm(toolchain, directory, &["ci"])?;
        std::fs::create_dir_all(directory.join("node_modules"))
    };
    let layer = store
        .build(&format!("npm-{}", &key[..32]), &fill)
        .map_err(|error| JavaScriptError::Packages { what: "fetched", reason: error.to_string() })?;
    Ok(Some(layer.join("node_modules")))
}

/// Runs npm in a directory, without any script of a package.
fn npm(toolchain: &Toolchain, directory: &Path, arguments: &[&str]) -> std::io::Result<()> {
    let Some(npm) = &toolchain.npm else {
        return Err(std::io::Error::other(format!("no npm beside `{}`; install npm", toolchain.executable.display())));
    };
    let output = Command::new(npm)
        .args(arguments)
        .args(["--ignore-scripts", "--no-audit", "--no-fund", "--no-bin-links", "--legacy-peer-deps"])
        .current_dir(directory)
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let told = text
                .lines()
                .find(|line| line.contains("error") && !line.contains("code") && line.trim() != "npm error")
                .unwrap_or("npm fails");
            Err(std::io::Error::other(told.trim().to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::new();
        files.iter().for_each(|(path, text)| tree.insert(*path, *text));
        tree
    }

    const MANIFEST: &str = r#"{
        "dependencies": {"a": "^1.0.0", "link": "file:../link"},
        "devDependencies": {"linter": "^9.0.0", "@s/helper": "2", "vitest": "^2.0.0"}
    }"#;

    #[test]
    fn tools_that_no_file_names_are_not_needed() {
        let tree = tree(&[("package.json", MANIFEST), ("test/a.test.js", "import {x} from '@s/helper/deep';\n")]);
        let manifest = read(&tree, "package.json").expect("it is JSON");
        let names = |runner| wanted(&tree, &manifest, runner).keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(None), ["@s/helper", "a"]);
        assert_eq!(names(Some("vitest")), ["@s/helper", "a", "vitest"]);
    }

    #[test]
    fn a_lock_keeps_what_is_needed_where_it_is_found() {
        let lock = json!({ "packages": {
            "": {},
            "node_modules/a": { "version": "1.0.0", "dependencies": { "b": "1" }, "dev": true },
            "node_modules/a/node_modules/b": { "version": "1.0.0", "dependencies": { "c": "1" } },
            "node_modules/b": { "version": "2.0.0" },
            "node_modules/c": { "version": "1.0.0", "optionalDependencies": { "gone": "1" } },
            "node_modules/linter": { "version": "9.0.0" },
        }});
        let wanted = json!({ "a": "^1.0.0" }).as_object().expect("an object").clone();
        let kept = pruned(&lock, &wanted).expect("the lock is whole");
        let paths: Vec<&String> = kept["packages"].as_object().expect("an object").keys().collect();
        assert_eq!(paths, ["", "node_modules/a", "node_modules/a/node_modules/b", "node_modules/c"]);
        assert!(kept["packages"]["node_modules/a"].get("dev").is_none());
        let missing = json!({ "z": "1" }).as_object().expect("an object").clone();
        assert!(pruned(&lock, &missing).is_none());
    }

    #[test]
    fn a_project_without_dependencies_needs_neither_npm_nor_a_network() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let scratch = LayerStore::open(directory.path()).expect("the store opens");
        let tree = tree(&[("package.json", r#"{"devDependencies": {"xo": "1"}}"#)]);
        let never = || -> Result<Toolchain, JavaScriptError> { panic!("nobody is asked") };
        let (needed, _) = requirements(&tree, Wanted::default(), &never, &scratch).expect("nothing is needed");
        assert_eq!(needed, Vec::<String>::new());
    }
}
