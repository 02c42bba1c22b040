//! What holds for all operators, on small texts and on the standard library of an interpreter that is here.

use std::path::Path;
use std::process::{Command, Stdio};

use super::rules::Python;
use super::*;
use crate::mutation::Operator;
use crate::mutation::testing::{self, indented};

/// Checks every text that `operator` makes of a function body; the body may use `a`, `b` and anything global.
pub(super) fn check(operator: &dyn Operator, body: &str, expected: &[&str]) {
    let wrap = |body: &str| format!("def f(a, b):\n{}", indented(body, "    "));
    testing::check((&Python, "package/module.py"), wrap, operator, body, expected);
}

#[test]
fn names_are_unique() {
    testing::check_names(all());
}

#[test]
fn text_before_an_edit_keeps_its_bytes() {
    let source = "# ä€𝄞\ndef f(x):\n    y = 'ü' * x  # ß\n    return x < 2\n";
    let found = mutations("a.py", source);
    assert!(found.iter().any(|mutation| mutation.apply(source) == source.replace('<', "<=")));
    for mutation in found {
        assert_eq!(&source[mutation.start..mutation.end], mutation.before);
        assert!(mutation.apply(source).starts_with("# ä€𝄞\ndef f(x):\n"));
    }
}

#[test]
fn a_keyword_that_touches_an_edit_stays_a_word() {
    let source = "def f(a):\n    while(a):\n        return(a)\n";
    let made: Vec<String> = mutations("a.py", source).iter().map(|mutation| mutation.apply(source)).collect();
    assert_eq!(made, [source.replace("while(a)", "while not (a)"), source.replace("return(a)", "return None")]);
}

#[test]
fn edits_know_their_innermost_function_and_line() {
    let source =
        "class A:\n    x = 1\n\n    def g(self):\n        def h():\n            return 1\n        return h() + 2\n";
    let found = mutations("a.py", source);
    let of = |before: &str| found.iter().find(|mutation| mutation.before == before).expect("it is mutated");
    assert_eq!((of("1").function.as_str(), of("1").line), ("h", 6));
    assert_eq!((of("2").function.as_str(), of("2").line), ("A.g", 7));
    assert!(found.iter().all(|mutation| mutation.line > 2));
}

#[test]
fn code_that_only_describes_is_never_touched() {
    let sources = [
        "X = 1\n__all__ = ['x']\n",
        "if __name__ == '__main__':\n    f(1)\n",
        "def __repr__(self):\n    return 'a' + 1\n",
        "def f():\n    if TYPE_CHECKING:\n        x = 1\n",
        "@d(1)\ndef f(a: int = None) -> 'x':\n    '''1 < 2'''\n",
        "def f():\n    import a\n    global b\n    print(1 < 2)\n    return\n",
        "def f(a):\n    return f'{a + 1}'[0:]\n",
    ];
    for source in sources {
        let found: Vec<_> =
            mutations("a.py", source).into_iter().filter(|found| found.operator != "similar_method").collect();
        let allowed = found.iter().all(|mutation| mutation.operator == "return_default" || mutation.before == "0");
        assert!(allowed, "{source}{found:?}");
    }
}

#[test]
fn tests_and_broken_files_have_no_mutations() {
    let source = "def f(a):\n    return a < 1\n";
    assert!(!mutations("pkg/a.py", source).is_empty());
    for path in ["tests/a.py", "pkg/test_a.py", "a_test.py", "setup.py", "conftest.py", "a.txt"] {
        assert_eq!(mutations(path, source), [], "{path}");
    }
    assert_eq!(mutations("a.py", "def f(:\n    return 1 < 2\n"), []);
}

/// Compiles every text it reads, one JSON string per line, and prints those that are not Python.
const COMPILER: &str = "
import json, sys
for line in sys.stdin:
    text = json.loads(line)
    try:
        compile(text, 'm', 'exec')
    except (SyntaxError, ValueError) as error:
        print(error)
";

#[test]
fn mutants_of_the_standard_library_compile() {
    let library = Path::new("/usr/lib/python3.11");
    if !library.is_dir() || !Path::new("/usr/bin/python3").exists() {
        return eprintln!("skipped: no Python with its library in /usr/lib/python3.11");
    }
    let mut lines = String::new();
    let mut count = 0;
    for name in ["textwrap", "bisect", "heapq", "shlex", "fnmatch", "graphlib", "difflib", "argparse", "ast"] {
        let source = std::fs::read_to_string(library.join(format!("{name}.py"))).unwrap();
        let found = mutations(&format!("{name}.py"), &source);
        assert!(found.len() > 20, "{name}");
        // Every seventh of the larger files keeps the test short and reaches every operator.
        for mutation in found.iter().step_by(if found.len() > 300 { 7 } else { 1 }) {
            lines += &serde_json::to_string(&mutation.apply(&source)).unwrap();
            lines.push('\n');
            count += 1;
        }
    }
    let mut child = Command::new("/usr/bin/python3")
        .args(["-W", "ignore", "-c", COMPILER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && count > 500);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}
