//! What holds for all operators, on small texts and on the libraries of an npm that is here.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::mutation::Operator;
use crate::mutation::testing::{self, indented};

/// Checks every text that `operator` makes of a function body; the body may use `a`, `b` and anything global.
pub(super) fn check(operator: &dyn Operator, body: &str, expected: &[&str]) {
    let wrap = |body: &str| format!("function f(a, b) {{\n{}}}\n", indented(body, "  "));
    testing::check((rules::of("lib/a.js"), "lib/a.js"), wrap, operator, body, expected);
}

#[test]
fn names_are_unique() {
    testing::check_names(all());
}

#[test]
fn text_before_an_edit_keeps_its_bytes() {
    let source = "// ä€𝄞\nexport const f = x => {\n  const y = 'ü' + x; // ß\n  return x < 2;\n};\n";
    let found = mutations("a.js", source);
    assert!(found.iter().any(|mutation| mutation.apply(source) == source.replace('<', "<=")));
    for mutation in found {
        assert_eq!(&source[mutation.start..mutation.end], mutation.before);
        assert_eq!(mutation.function, "f");
        assert!(mutation.apply(source).starts_with("// ä€𝄞\nexport const f = x => {\n"));
    }
}

#[test]
fn code_that_only_describes_is_never_touched() {
    let sources = [
        "const X = 1;\nexport const names = ['x'];\n",
        "function f() {\n  'use strict';\n  console.log(1 < 2);\n  throw new Error('a' + 1);\n}\n",
        "class A { get [Symbol.toStringTag]() { return 'a' + 1; } }\n",
        "import a from 'b';\nexport {c} from 'd';\n",
    ];
    for source in sources {
        assert_eq!(mutations("a.js", source), [], "{source}");
    }
    let typed = "export function f(x: 1 | 2, y: Array<'a'>): true { return g(x) as 3; }\n";
    let found = mutations("a.ts", typed);
    assert!(found.iter().all(|it| it.operator == "return_default"), "{found:?}");
}

#[test]
fn tests_configuration_and_broken_files_have_no_mutations() {
    let source = "export function f(a) {\n  return a < 1;\n}\n";
    assert!(!mutations("lib/a.js", source).is_empty());
    for path in ["test/a.js", "lib/a.test.js", "a.spec.ts", "vitest.config.js", "a.txt", "dist/a.js", "a.d.ts"] {
        assert_eq!(mutations(path, source), [], "{path}");
    }
    assert_eq!(mutations("a.js", "function f( {\n  return 1 < 2;\n}\n"), []);
}

/// Compiles every text it reads, one JSON string per line, and prints the errors of those that are no scripts.
const COMPILER: &str = "
const vm = require('node:vm');
for (const line of require('node:fs').readFileSync(0, 'utf8').split('\\n').filter(Boolean)) {
  try { new vm.Script('(function (exports, require, module) {' + JSON.parse(line) + '\\n})'); } catch (error) { console.log(error.message); }
}";

#[test]
fn mutants_of_real_libraries_compile() {
    let roots = ["/usr/lib/node_modules/npm/node_modules", "/usr/share/nodejs"];
    let Some(root) = roots.into_iter().map(Path::new).find(|root| root.join("semver").is_dir()) else {
        return eprintln!("skipped: no npm with its libraries in {}", roots.join(" or "));
    };
    let mut lines = String::new();
    let mut count = 0;
    for name in ["semver/classes/semver.js", "semver/classes/range.js", "semver/functions/parse.js"] {
        let source = std::fs::read_to_string(root.join(name)).expect("npm has semver");
        let found = mutations(name, &source);
        assert!(found.len() > 5, "{name}");
        for mutation in found {
            lines += &serde_json::to_string(&mutation.apply(&source)).expect("text is text");
            lines.push('\n');
            count += 1;
        }
    }
    let mut node = Command::new("node");
    let Ok(mut child) = node.args(["-e", COMPILER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
        return eprintln!("skipped: no node");
    };
    child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("node reads");
    let output = child.wait_with_output().expect("node ends");
    assert!(output.status.success() && count > 200, "{count}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}
