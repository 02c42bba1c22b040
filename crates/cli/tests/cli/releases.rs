//! From the releases of a package to gated tasks, in each language, with a registry on this machine.
//!
//! Two releases differ by a repair of one line, a repair that takes two lines in two functions, the same code in other words, and a new function that the
//! tests import. Their archives also hold links and paths that lead elsewhere, and code that would run if anybody installed them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use basis_gym::pack::Pack;

use crate::support::World;

/// A running registry. It ends with its standard input.
struct Registry {
    child: Child,
    port: String,
}

impl Registry {
    fn start(world: &World) -> Self {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/registry.py");
        let mut command = Command::new("python3");
        command.arg(program).arg(world.path().join("registry")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().to_owned() }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn publish(world: &World, kind: &str, version: &str, files: &[(&str, String)]) {
    for (path, text) in files {
        let path = world.path().join("registry").join(kind).join("caps").join(version).join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// What `basis mine` says of the releases of a package, and its pack.
fn mined(world: &World, source: &str) -> (String, Option<Pack>) {
    let registry = Registry::start(world);
    let address = |path: &str| format!("http://127.0.0.1:{}/{path}", registry.port);
    let cargo = world.path().join("cargo");
    std::fs::create_dir_all(&cargo).unwrap();
    let config = format!(
        "[source.crates-io]\nreplace-with = \"here\"\n\n[source.here]\nregistry = \"sparse+{}\"\n",
        address("cargo/")
    );
    std::fs::write(cargo.join("config.toml"), config).unwrap();
    let (simple, npm) = (address("simple"), address("npm/"));
    let (cargo, cache) = (cargo.display().to_string(), world.path().join("npm").display().to_string());
    let environment = [
        ("PIP_INDEX_URL", simple.as_str()),
        // What runs the tests is not ours.
        ("PIP_EXTRA_INDEX_URL", "https://pypi.org/simple"),
        ("npm_config_registry", npm.as_str()),
        ("npm_config_cache", cache.as_str()),
        ("CARGO_HOME", cargo.as_str()),
    ];
    let arguments = ["mine", source, "--bugs", "releases", "--skills", "bugfix,bugfix_multi", "--out", "pack"];
    let told = world.run_with(&arguments, &environment);
    (told, Pack::open(&world.path().join("pack")).ok())
}

/// The row of a funnel without its name.
fn row(told: &str, name: &str) -> String {
    let line = told.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {told}"));
    line[name.len()..].split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Both repairs are told from everything else, and the tasks know from which release they are. Nothing else happened.
fn check(world: &World, source: &str, locator: &str) {
    let (told, pack) = mined(world, source);
    assert!(told.starts_with("exit code 0"), "{told}");
    assert_eq!(row(&told, "candidate pairs of releases"), "1", "{told}");
    assert_eq!(row(&told, "bug records from releases"), "2", "{told}");
    assert!(told.contains("no further releases"), "{told}");
    let pack = pack.unwrap();
    let tasks: Vec<_> = ["bugfix", "bugfix_multi"].iter().flat_map(|skill| pack.of_skill(skill)).collect();
    assert!(!tasks.is_empty(), "{told}");
    assert!(tasks.iter().all(|task| task.origin.locator == locator), "{tasks:?}");
    assert!(!world.path().join("witness").exists(), "code of the package was run outside of a sandbox");
    assert!(!std::path::Path::new("/tmp/basis-evil").exists(), "an archive led elsewhere");
}

const PYTHON: &str = "\
def cap_value(value, low, high):
    if value < low:
        return high
    if value > high:
        return high
    return value


def scale(value):
    return value


def offset(value):
    return value


def moved(value):
    return offset(scale(value))


def name():
    return \"limits\"
";

const PYTHON_TESTS: &str = "\
from caps import cap_value, moved, name, twice


def test_low():
    assert cap_value(0, 1, 5) == 1


def test_high():
    assert cap_value(9, 1, 5) == 5


def test_moved():
    assert moved(3) == 7


def test_name():
    assert name() == \"limits\"


def test_twice():
    assert twice(2) == 4
";

#[test]
fn repairs_between_releases_of_a_python_package_become_gated_tasks() {
    let world = World::new();
    let metadata = |version: &str| format!("[project]\nname = \"caps\"\nversion = \"{version}\"\n");
    let newer = PYTHON
        .replacen("return high", "return low", 1)
        .replacen("    return value\n\n\ndef offset", "    return value * 2\n\n\ndef offset", 1)
        .replacen("    return value\n\n\ndef moved", "    return value + 1\n\n\ndef moved", 1)
        .replace("    return \"limits\"\n", "    label = \"limits\"\n    return label\n")
        + "\n\ndef twice(value):\n    return value * 2\n";
    let release = |version: &str, text: &str| {
        let files = [
            ("pyproject.toml", metadata(version)),
            ("setup.py", format!("open({:?}, 'w')\n", world.path().join("witness"))),
            ("caps.py", text.to_owned()),
            ("test_caps.py", PYTHON_TESTS.to_owned()),
        ];
        publish(&world, "pypi", version, &files);
    };
    release("1.0.0", PYTHON);
    release("1.1.0", &newer);
    check(&world, "pypi:caps", "caps==1.1.0");
}

const RUST: &str = "\
pub fn cap_value(value: i64, low: i64, high: i64) -> i64 {
    if value < low {
        return high;
    }
    if value > high {
        return high;
    }
    value
}

pub fn scale(value: i64) -> i64 {
    value
}

pub fn offset(value: i64) -> i64 {
    value
}

pub fn moved(value: i64) -> i64 {
    offset(scale(value))
}

pub fn name() -> &'static str {
    \"limits\"
}
";

const RUST_INNER: &str = "
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_values_become_low() {
        assert_eq!(cap_value(0, 1, 5), 1);
    }

    #[test]
    fn high_values_become_high() {
        assert_eq!(cap_value(9, 1, 5), 5);
    }
}
";

const RUST_TESTS: &str = "\
use caps::{moved, name, twice};

#[test]
fn moves() {
    assert_eq!(moved(3), 7);
}

#[test]
fn has_a_name() {
    assert_eq!(name(), \"limits\");
}

#[test]
fn doubles() {
    assert_eq!(twice(2), 4);
}
";

#[test]
fn repairs_between_releases_of_a_crate_become_gated_tasks() {
    let world = World::new();
    let newer = RUST
        .replacen("return high", "return low", 1)
        .replacen("    value\n}\n\npub fn offset", "    value * 2\n}\n\npub fn offset", 1)
        .replacen("    value\n}\n\npub fn moved", "    value + 1\n}\n\npub fn moved", 1)
        .replace("    \"limits\"\n", "    let label = \"limits\";\n    label\n")
        + "\npub fn twice(value: i64) -> i64 {\n    value * 2\n}\n";
    let release = |version: &str, text: &str, inner: &str| {
        let manifest = format!("[package]\nname = \"caps\"\nversion = \"{version}\"\nedition = \"2021\"\n");
        let files = [
            ("Cargo.toml", manifest),
            ("src/lib.rs", text.to_owned() + inner),
            ("tests/api.rs", RUST_TESTS.to_owned()),
        ];
        publish(&world, "cargo", version, &files);
    };
    release("1.0.0", RUST, "");
    release("1.1.0", &newer, RUST_INNER);
    check(&world, "crate:caps", "caps@1.1.0");
}

const SCRIPT: &str = "\
exports.capValue = function capValue(value, low, high) {
  if (value < low) {
    return high;
  }
  if (value > high) {
    return high;
  }
  return value;
};

exports.scale = function scale(value) {
  return value;
};

exports.offset = function offset(value) {
  return value;
};

exports.moved = function moved(value) {
  return exports.offset(exports.scale(value));
};

exports.label = function label() {
  return 'limits';
};
";

const SCRIPT_TESTS: &str = "\
const test = require('node:test');
const assert = require('node:assert');
const { capValue, moved, label, twice } = require('..');

const doubled = twice(2);

test('low values become low', () => {
  assert.strictEqual(capValue(0, 1, 5), 1);
});

test('high values become high', () => {
  assert.strictEqual(capValue(9, 1, 5), 5);
});

test('moves', () => {
  assert.strictEqual(moved(3), 7);
});

test('has a label', () => {
  assert.strictEqual(label(), 'limits');
});

test('doubles', () => {
  assert.strictEqual(doubled, 4);
});
";

#[test]
fn repairs_between_releases_of_an_npm_package_become_gated_tasks() {
    if !std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|it| it.join("npm").is_file()) {
        eprintln!("skipped: there is no npm on this machine");
        return;
    }
    let world = World::new();
    let witness = world.path().join("witness");
    let manifest = |version: &str| {
        let touch = format!("touch {}", witness.display());
        let scripts = serde_json::json!({ "preinstall": touch, "prepack": touch, "postinstall": touch });
        serde_json::json!({ "name": "caps", "version": version, "scripts": scripts }).to_string()
    };
    let newer = SCRIPT
        .replacen("return high", "return low", 1)
        .replacen("  return value;\n};\n\nexports.offset", "  return value * 2;\n};\n\nexports.offset", 1)
        .replacen("  return value;\n};\n\nexports.moved", "  return value + 1;\n};\n\nexports.moved", 1)
        .replace("  return 'limits';\n", "  const text = 'limits';\n  return text;\n")
        + "\nexports.twice = function twice(value) {\n  return value * 2;\n};\n";
    let release = |version: &str, text: &str| {
        let files = [
            ("package.json", manifest(version)),
            ("index.js", text.to_owned()),
            ("test/caps.test.js", SCRIPT_TESTS.to_owned()),
        ];
        publish(&world, "npm", version, &files);
    };
    release("1.0.0", SCRIPT);
    release("1.1.0", &newer);
    check(&world, "npm:caps", "caps@1.1.0");
}

#[test]
fn only_packages_of_a_registry_have_releases() {
    let world = World::new();
    std::fs::write(world.path().join("caps.py"), PYTHON).unwrap();
    std::fs::write(world.path().join("test_caps.py"), PYTHON_TESTS).unwrap();
    let told = world.run(&["mine", ".", "--bugs", "releases"]);
    assert!(told.starts_with("exit code 2\n") && told.contains("error: `.` has no releases"), "{told}");
}
