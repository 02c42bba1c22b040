//! A sandbox backend, node and a layer store for tests that run real JavaScript.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_gym::blobs::Blobs;
use basis_gym::grade::Workshop;
use basis_gym::languages::javascript::Toolchain;
use basis_gym::languages::{Call, Observation, Selection, TestReport, Toolchains, python};
use basis_gym::project::{Origin, Project, RunnerKind, TestSetup};
use basis_gym::tree::{LayerStore, Tree};

/// What a test needs to run JavaScript.
pub(crate) struct Bench {
    pub(crate) workshop: Workshop,
    pub(crate) toolchains: Toolchains,
    pub(crate) downloads: LayerStore,
    _directory: tempfile::TempDir,
}

impl Bench {
    /// Opens everything, or says why this machine cannot. Layers stay for the next tests, so that packages are fetched once.
    pub(crate) fn open() -> Option<Self> {
        let search_path: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
        if let Err(error) = Toolchain::discover(&search_path) {
            return skip(&error);
        }
        let backend = match basis_sandbox::backends::open("namespace") {
            Ok(backend) => backend,
            Err(error) => return skip(&error),
        };
        let python = python::Toolchain::discover(None, &search_path).expect("all packs need a python3");
        let toolchains = Toolchains { python, search_path };
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("javascript");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let blobs = Arc::new(Blobs::open(directory.path().join("blobs")).expect("blobs open"));
        let workshop = Workshop::open(backend, toolchains.clone(), &cache, blobs).expect("the workshop opens");
        let downloads = LayerStore::open(cache.join("downloads")).expect("a layer store");
        Some(Self { workshop, toolchains, downloads, _directory: directory })
    }

    /// Runs tests of a tree.
    pub(crate) fn run(&self, files: &[(&str, &str)], selection: &Selection) -> TestReport {
        self.workshop.run_tests(&setup(&[]), &[&tree(files)], selection).expect("a working sandbox")
    }

    /// Evaluates calls with the names of a test file.
    pub(crate) fn evaluate(&self, files: &[(&str, &str)], path: &str, calls: &[&str]) -> Vec<Observation> {
        let environment = self.workshop.environment(&setup(&[])).expect("an environment");
        let layer = self.workshop.layers.layer(&tree(files)).expect("a layer");
        let calls: Vec<Call> =
            calls.iter().map(|source| Call { path: path.to_owned(), source: (*source).to_owned() }).collect();
        let limits = &self.workshop.grading_limits;
        environment.evaluate(self.workshop.backend.as_ref(), &[layer], &calls, limits, None).expect("a working sandbox")
    }
}

/// Says why a test does nothing on this machine.
#[expect(clippy::print_stderr, reason = "the reason must be seen")]
pub(crate) fn skip<T>(reason: &dyn std::fmt::Display) -> Option<T> {
    eprintln!("skipped: {reason}");
    None
}

pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::new();
    files.iter().for_each(|(path, text)| tree.insert(*path, *text));
    tree
}

pub(crate) fn setup(files: &[&str]) -> TestSetup {
    TestSetup {
        runner: RunnerKind::NodeTest,
        files: files.iter().map(|&file| file.to_owned()).collect(),
        import_roots: Vec::new(),
        requirements: Vec::new(),
        before: None,
    }
}

/// A healthy package: one module calls another one; both have tests.
pub(crate) fn project() -> Project {
    let origin = Origin { licence: "MIT".to_owned(), ..Origin::new("path", "here") };
    let tests = setup(&["test/limits.test.js", "test/report.test.mjs"]);
    Project { name: "example".to_owned(), version: "1".to_owned(), tree: tree(PACKAGE), tests, origin }
}

pub(crate) const PACKAGE: &[(&str, &str)] = &[
    ("package.json", "{\"name\": \"example\", \"version\": \"1.0.0\"}\n"),
    ("lib/limits.js", LIMITS),
    ("lib/report.mjs", REPORT),
    ("test/limits.test.js", TEST_LIMITS),
    ("test/report.test.mjs", TEST_REPORT),
];

const LIMITS: &str = "\
'use strict';

exports.capValue = function capValue(value, low, high) {
  if (value < low) {
    return low;
  }
  if (value > high) {
    return high;
  }
  return value;
};
";

const REPORT: &str = "\
import { capValue } from './limits.js';

/** The sum of values, each at least 0 and at most high, plus one. */
export function totalCapped(values, high) {
  let total = 1;
  for (const value of values) {
    total = total + capValue(value, 0, high);
  }
  return total;
}

export const describe = (values, { high = 5 } = {}) => {
  const total = totalCapped(values, high);
  return { total, label: total > 3 ? 'large' : 'small' };
};
";

const TEST_LIMITS: &str = "\
const { test } = require('node:test');
const assert = require('node:assert');
const { capValue } = require('../lib/limits.js');

test('keeps what is inside', () => {
  assert.strictEqual(capValue(2, 1, 5), 2);
});

test('raises to low', () => {
  assert.strictEqual(capValue(0, 1, 5), 1);
});

test('lowers to high', () => {
  assert.strictEqual(capValue(7, 1, 5), 5);
});

test('takes the bounds themselves', () => {
  assert.strictEqual(capValue(1, 1, 5), 1);
  assert.strictEqual(capValue(5, 1, 5), 5);
});
";

const TEST_REPORT: &str = "\
import test, { describe as suite, it } from 'node:test';
import assert from 'node:assert/strict';
import { describe, totalCapped } from '../lib/report.mjs';

test('of nothing', () => {
  assert.equal(totalCapped([], 5), 1);
});

suite('sums', () => {
  it('adds', () => {
    assert.equal(totalCapped([2, 3], 5), 6);
  });

  it('caps', () => {
    const values = [-1, 9];
    const total = totalCapped(values, 4);
    assert.equal(total, 5);
  });
});

test('labels', () => {
  assert.deepEqual(describe([1]), { total: 2, label: 'small' });
  assert.deepEqual(describe([9]), { total: 6, label: 'large' });
});

test('labels at the limit', () => {
  assert.deepEqual(describe([2]), { total: 3, label: 'small' });
  assert.deepEqual(describe([9], { high: 1 }), { total: 2, label: 'small' });
});
";
