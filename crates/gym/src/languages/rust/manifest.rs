//! What a manifest says about targets, and a package without code that has the same dependencies.

use serde::Deserialize;

use super::RustError;
use crate::tree::Tree;

/// The parts of a manifest that matter here.
#[derive(Debug, Default, Deserialize)]
struct Raw {
    package: Option<Package>,
    workspace: Option<toml::Value>,
    lib: Option<Section>,
    #[serde(default)]
    bin: Vec<Section>,
    #[serde(default)]
    test: Vec<Section>,
    #[serde(default)]
    bench: Vec<Section>,
    #[serde(default)]
    example: Vec<Section>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    version: Option<toml::Value>,
    #[serde(default)]
    license: Option<toml::Value>,
    #[serde(default)]
    edition: Option<toml::Value>,
    #[serde(default)]
    build: Option<toml::Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Section {
    name: Option<String>,
    path: Option<String>,
    harness: Option<bool>,
    test: Option<bool>,
    doctest: Option<bool>,
    #[serde(rename = "proc-macro")]
    proc_macro: Option<bool>,
    #[serde(default, rename = "required-features")]
    required_features: Vec<String>,
}

/// How cargo is told to build one target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Lib,
    Bin(String),
    Test(String),
}

impl Kind {
    /// Arguments that choose the target.
    pub(super) fn arguments(&self) -> Vec<String> {
        match self {
            Self::Lib => vec!["--lib".to_owned()],
            Self::Bin(name) => vec!["--bin".to_owned(), name.clone()],
            Self::Test(name) => vec!["--test".to_owned(), name.clone()],
        }
    }
}

/// Something with tests that becomes a program of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) kind: Kind,
    /// Its first file.
    pub(super) root: String,
}

/// A manifest that was read.
#[derive(Debug)]
pub struct Manifest {
    raw: Raw,
    /// Name of the package.
    pub name: String,
    /// Its version, or the empty string.
    pub version: String,
    /// Its licence as it states it, or the empty string.
    pub licence: String,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`RustError::Manifest`] when it is no manifest of a single package whose tests are understood.
    pub fn read(text: &str) -> Result<Self, RustError> {
        let wrong = |reason: String| RustError::Manifest { reason };
        let raw: Raw = toml::from_str(text).map_err(|error| wrong(error.message().to_owned()))?;
        let Some(package) = &raw.package else {
            let hint = if raw.workspace.is_some() {
                "a workspace; name the directory of one member"
            } else {
                "no `[package]`"
            };
            return Err(wrong(hint.to_owned()));
        };
        if raw.lib.as_ref().is_some_and(|lib| lib.proc_macro == Some(true)) {
            return Err(wrong("a procedural macro runs at build time, which no grader allows".to_owned()));
        }
        let word =
            |value: &Option<toml::Value>| value.as_ref().and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        let (name, version, licence) = (package.name.clone(), word(&package.version), word(&package.license));
        Ok(Self { raw, name, version, licence })
    }

    /// The name under which others use the library.
    pub(super) fn crate_name(&self) -> String {
        let own = self.raw.lib.as_ref().and_then(|lib| lib.name.clone());
        own.unwrap_or_else(|| self.name.clone()).replace('-', "_")
    }

    /// Whether other crates have to be named before they are used, as in the first edition of the language.
    pub(super) fn names_crates(&self) -> bool {
        let edition = self.raw.package.as_ref().and_then(|package| package.edition.as_ref());
        edition.is_none_or(|edition| edition.as_str() == Some("2015"))
    }

    /// The line with which code outside of the crate names it, where the edition asks for that; else nothing.
    pub(super) fn extern_crate(&self) -> String {
        if self.names_crates() { format!("extern crate {};\n", self.crate_name()) } else { String::new() }
    }

    /// The first file of the library.
    pub(super) fn crate_root(&self) -> String {
        self.raw.lib.as_ref().and_then(|lib| lib.path.clone()).unwrap_or_else(|| "src/lib.rs".to_owned())
    }

    /// Whether examples in the documentation of the library are tests.
    pub(super) fn has_documentation_tests(&self) -> bool {
        self.raw.lib.as_ref().is_none_or(|lib| lib.doctest != Some(false))
    }

    /// Whether tests that are found by where they are come beside those that the manifest lists.
    pub(super) fn finds_tests(&self) -> bool {
        !self.names_crates() || self.raw.test.is_empty()
    }

    /// The targets whose tests the standard harness runs, among those whose files the tree has.
    pub(super) fn targets(&self, has: &dyn Fn(&str) -> bool, paths: &[&str]) -> Vec<Target> {
        let runs = |section: &Section| {
            section.harness != Some(false) && section.test != Some(false) && section.required_features.is_empty()
        };
        let mut targets = Vec::new();
        let lib = self.raw.lib.as_ref();
        let root = self.crate_root();
        if has(&root) && lib.is_none_or(runs) {
            targets.push(Target { kind: Kind::Lib, root });
        }
        let declared = |sections: &[Section], path: &str| sections.iter().any(|it| it.path.as_deref() == Some(path));
        let mut add = |kind: Kind, root: String| {
            if has(&root) && !targets.iter().any(|target| target.root == root) {
                targets.push(Target { kind, root });
            }
        };
        for section in self.raw.bin.iter().filter(|section| runs(section)) {
            let Some(name) = section.name.clone() else { continue };
            let root = section.path.clone().unwrap_or_else(|| format!("src/bin/{name}.rs"));
            add(Kind::Bin(name), root);
        }
        for section in self.raw.test.iter().filter(|section| runs(section)) {
            let Some(name) = section.name.clone() else { continue };
            let root = section.path.clone().unwrap_or_else(|| format!("tests/{name}.rs"));
            add(Kind::Test(name), root);
        }
        if !declared(&self.raw.bin, "src/main.rs") {
            add(Kind::Bin(self.name.clone()), "src/main.rs".to_owned());
        }
        for path in paths {
            let Some(name) = path.strip_prefix("tests/").and_then(|rest| rest.strip_suffix(".rs")) else { continue };
            let name = name.strip_suffix("/main").unwrap_or(name);
            if !name.contains('/') && !declared(&self.raw.test, path) {
                add(Kind::Test(name.to_owned()), (*path).to_owned());
            }
        }
        targets
    }

    /// The package with the same manifest and no code, so that only its dependencies are built.
    pub(super) fn stub(&self, text: &str, lock: &str) -> Tree {
        let mut tree = Tree::new();
        tree.insert("Cargo.toml", text);
        if !lock.is_empty() {
            tree.insert("Cargo.lock", lock);
        }
        tree.insert(self.crate_root(), "");
        if let Some(script) = self.raw.package.as_ref().and_then(|package| package.build.as_ref()?.as_str()) {
            tree.insert(script, "fn main() {}\n");
        }
        let sections = [
            (&self.raw.bin, "src/bin"),
            (&self.raw.test, "tests"),
            (&self.raw.bench, "benches"),
            (&self.raw.example, "examples"),
        ];
        for (sections, folder) in sections {
            for section in sections {
                let path = section.path.clone().or_else(|| Some(format!("{folder}/{}.rs", section.name.as_ref()?)));
                path.into_iter().for_each(|path| tree.insert(path, "fn main() {}\n"));
            }
        }
        tree
    }
}

/// A manifest in which tests and examples are also found by where they are. What is published lists those that there were.
pub fn with_found_targets(text: &str) -> String {
    let is_kept = |line: &&str| {
        let plain = line.replace(' ', "");
        plain != "autotests=false" && plain != "autoexamples=false"
    };
    text.lines().filter(is_kept).map(|line| format!("{line}\n")).collect()
}

/// Whether every package of a lock comes from the registry or is the package itself.
pub(super) fn only_registry(lock: &str) -> Result<(), RustError> {
    let foreign = lock
        .lines()
        .filter_map(|line| line.strip_prefix("source = "))
        .find(|source| !source.starts_with("\"registry+"));
    match foreign {
        None => Ok(()),
        Some(source) => Err(RustError::Manifest {
            reason: format!("a dependency comes from {source}; only crates of a registry are fetched"),
        }),
    }
}

/// Whether a lock has anything but the package itself.
pub(super) fn has_dependencies(lock: &str) -> bool {
    lock.lines().any(|line| line.starts_with("source = "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_those_declared_and_those_found() {
        let text = "[package]\nname = \"a\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n[lib]\npath = \"src/a.rs\"\n[[test]]\nname = \"odd\"\npath = \"checks/odd.rs\"\n[[test]]\nname = \"own\"\npath = \"tests/own.rs\"\nharness = false\n";
        let manifest = Manifest::read(text).expect("a manifest");
        let paths = [
            "checks/odd.rs",
            "src/a.rs",
            "src/main.rs",
            "tests/common/mod.rs",
            "tests/deep/main.rs",
            "tests/own.rs",
            "tests/plain.rs",
        ];
        let found = manifest.targets(&|path| paths.contains(&path), &paths);
        let seen: Vec<_> =
            found.iter().map(|target| (target.kind.arguments().join(" "), target.root.as_str())).collect();
        let expected = [
            ("--lib", "src/a.rs"),
            ("--test odd", "checks/odd.rs"),
            ("--bin a", "src/main.rs"),
            ("--test deep", "tests/deep/main.rs"),
            ("--test plain", "tests/plain.rs"),
        ];
        assert_eq!(seen, expected.map(|(kind, root)| (kind.to_owned(), root)));
        assert_eq!((manifest.version.as_str(), manifest.licence.as_str()), ("1.0.0", "MIT"));
    }

    #[test]
    fn workspaces_and_procedural_macros_are_refused_with_the_reason() {
        let refused = |text: &str| Manifest::read(text).expect_err("refused").to_string();
        assert!(refused("[workspace]\nmembers = []\n").contains("name the directory of one member"));
        assert!(refused("[package]\nname = \"a\"\n[lib]\nproc-macro = true\n").contains("procedural macro"));
        assert!(
            only_registry("source = \"git+https://x\"\n").expect_err("refused").to_string().contains("git+https://x")
        );
    }
}
