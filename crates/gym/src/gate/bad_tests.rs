//! Tasks that must not be trained on, each made from a good one, with the gate that has to object and its reasons.

use serde_json::{Value, json};

use crate::grade::Workshop;
use crate::task::Task;
use crate::testkit::LIMITS as HEALTHY;
use crate::tree::{Tree, TreeId};

/// One kind of bad task.
pub(super) struct Bad {
    pub(super) name: &'static str,
    pub(super) skill: &'static str,
    pub(super) gate: &'static str,
    /// Right reasons, separated by `|` where chance decides which run shows it first.
    pub(super) reasons: &'static str,
    pub(super) spoil: Spoil,
}

/// Stores a text as the target's file, and returns the id for the hidden part.
type Store<'a> = &'a dyn Fn(&str) -> Value;

/// What is done to a good task.
#[derive(Clone, Copy)]
pub(super) enum Spoil {
    /// The row.
    Row(fn(&mut Task)),
    /// The row, without making its id fit again.
    Raw(fn(&mut Task)),
    /// The tree that the agent sees.
    Shown(fn(&mut Tree)),
    /// The file that makes the tree healthy.
    Gold(fn(&str) -> String),
    /// The hidden healthy tree.
    Fixed(fn(&mut Tree)),
    /// The hidden tests, in the buggy and the healthy tree.
    Tests(fn(&mut Tree)),
    /// The hidden part, with a way to store files for it.
    Hidden(fn(&mut Value, Store<'_>)),
}

const LIMITS: &str = "pkg/limits.py";
const FIRST: &str = "tests/test_limits.py";

pub(super) fn spoiled(workshop: &Workshop, good: &Task, spoil: Spoil) -> Task {
    let mut task = good.clone();
    let put = |tree: &Tree| workshop.blobs.put(tree).expect("the blobs can be written");
    let read = |id: &str| (*workshop.blobs.tree(&TreeId(id.to_owned())).expect("good tasks have their trees")).clone();
    let store = |text: &str| {
        let mut tree = Tree::new();
        tree.insert(LIMITS, text);
        json!(put(&tree))
    };
    let change = |hidden: &mut Value, side: &str, change: &dyn Fn(&mut Tree)| {
        let mut tree = read(hidden["repair"][side].as_str().expect("repairs have both trees"));
        change(&mut tree);
        hidden["repair"][side] = json!(put(&tree));
    };
    match spoil {
        Spoil::Row(spoil) => spoil(&mut task),
        Spoil::Raw(spoil) => {
            spoil(&mut task);
            return task;
        }
        Spoil::Shown(spoil) => {
            let mut tree = read(&task.context.tree.0);
            spoil(&mut tree);
            task.context.tree = put(&tree);
        }
        Spoil::Gold(spoil) => change(&mut task.hidden, "fixed", &|tree: &mut Tree| {
            let text = spoil(tree.text(LIMITS).expect("the file is there"));
            tree.insert(LIMITS, text);
        }),
        Spoil::Fixed(spoil) => change(&mut task.hidden, "fixed", &spoil),
        Spoil::Tests(spoil) => {
            change(&mut task.hidden, "buggy", &spoil);
            change(&mut task.hidden, "fixed", &spoil);
        }
        Spoil::Hidden(spoil) => spoil(&mut task.hidden, &store),
    }
    task.sealed()
}

/// Adds a line to the body of the first fail-to-pass test.
fn in_first_test(tree: &mut Tree, line: &str) {
    let text = tree.text(FIRST).expect("the tests are there").to_owned();
    let head = "def test_cap_value_1():\n";
    tree.insert(FIRST, text.replace(head, &format!("{head}    {line}\n")));
}

fn at_head(tree: &mut Tree, path: &str, line: &str) {
    let text = tree.text(path).expect("the file is there").to_owned();
    tree.insert(path, format!("{line}\n{text}"));
}

const GOOD: &str = "def cap_value(value, low, high):\n    if value < low:\n        return low\n    if value > high:\n        return high\n    return value\n";

fn wrong(from: &str, to: &str) -> String {
    GOOD.replace(from, to)
}

const fn bad(name: &'static str, skill: &'static str, gate: &'static str, reasons: &'static str, spoil: Spoil) -> Bad {
    Bad { name, skill, gate, reasons, spoil }
}

pub(super) const BAD: &[Bad] = &[
    bad("schema of a newer program", "edit", "G0", "schema", Spoil::Row(|task| task.schema_version = 99)),
    bad("skill that nobody knows", "edit", "G0", "skill", Spoil::Row(|task| task.skill = "dance".into())),
    bad("made for another grader", "edit", "G0", "grader", Spoil::Row(|task| task.grader = "edit/0".into())),
    bad("prompt changed afterwards", "edit", "G0", "id", Spoil::Raw(|task| task.prompt.push('!'))),
    bad("tree is missing", "edit", "G0", "tree", Spoil::Row(|task| task.context.tree = TreeId("0".repeat(32)))),
    bad("hidden part lacks a field", "edit", "G0", "hidden", Spoil::Hidden(|hidden, _| hidden["repair"] = Value::Null)),
    bad(
        "hidden tree is missing",
        "bugfix",
        "G0",
        "hidden",
        Spoil::Hidden(|hidden, _| hidden["repair"]["fixed"] = json!("0".repeat(32))),
    ),
    bad("nothing to find", "localize", "G0", "no_gold", Spoil::Hidden(|hidden, _| hidden["gold"] = json!([]))),
    bad(
        "gold is a test",
        "localize",
        "G0",
        "gold_is_protected",
        Spoil::Hidden(|hidden, _| hidden["gold"] = json!([FIRST])),
    ),
    bad(
        "gold is not in the tree",
        "localize",
        "G3",
        "reference.nonexistent_path",
        Spoil::Hidden(|hidden, _| hidden["gold"] = json!(["pkg/gone.py"])),
    ),
    bad(
        "issue names the gold file",
        "localize",
        "G9",
        "leak.path",
        Spoil::Row(|task| task.prompt.push_str("\nSee pkg/limits.py.")),
    ),
    bad(
        "issue names the gold file without folder",
        "localize",
        "G9",
        "leak.path",
        Spoil::Row(|task| task.prompt.push_str("\nSee limits.py.")),
    ),
    bad(
        "issue names the gold module",
        "localize",
        "G9",
        "leak.path",
        Spoil::Row(|task| task.prompt.push_str("\nSee pkg.limits.")),
    ),
    bad(
        "no fail-to-pass test",
        "edit",
        "G0",
        "no_fail_to_pass",
        Spoil::Hidden(|hidden, _| hidden["repair"]["fail_to_pass"] = json!([])),
    ),
    bad(
        "missing pass-to-pass",
        "bugfix",
        "G0",
        "no_pass_to_pass",
        Spoil::Hidden(|hidden, _| hidden["repair"]["pass_to_pass"] = json!([])),
    ),
    bad(
        "test on both sides",
        "edit",
        "G0",
        "test_on_both_sides",
        Spoil::Hidden(|hidden, _| hidden["repair"]["pass_to_pass"] = hidden["repair"]["fail_to_pass"].clone()),
    ),
    bad(
        "gold that fails",
        "edit",
        "G3",
        "reference.f2p_failed",
        Spoil::Gold(|text| text.replace("return low", "return high")),
    ),
    bad(
        "gold that breaks another test",
        "bugfix",
        "G3",
        "reference.p2p_failed",
        Spoil::Gold(|text| text.replace("return value\n", "return value + 1\n")),
    ),
    bad(
        "gold that changes nothing",
        "edit",
        "G3",
        "reference.policy_stripped_empty",
        Spoil::Hidden(|hidden, _| hidden["repair"]["fixed"] = hidden["repair"]["buggy"].clone()),
    ),
    bad(
        "gold that does not parse",
        "edit",
        "G3",
        "reference.collect_failed",
        Spoil::Gold(|text| text.replace("return value\n", "return value)\n")),
    ),
    bad(
        "gold that changes tests only",
        "bugfix",
        "G3",
        "reference.f2p_failed|reference.policy_stripped_empty",
        Spoil::Fixed(|tree| {
            let text =
                tree.text(LIMITS).expect("the file is there").replace("    if value < low:\n        return low\n", "");
            tree.insert(LIMITS, text);
            tree.insert(FIRST, "def test_cap_value_1():\n    pass\n");
        }),
    ),
    bad(
        "reference that hangs",
        "edit",
        "G3",
        "reference.timeout_grade",
        Spoil::Gold(|text| {
            text.replace("    if value < low", "    while value < low:\n        pass\n    if value < low")
        }),
    ),
    bad(
        "reference that uses up the memory",
        "edit",
        "G3",
        "reference.oom|reference.exit_mismatch|reference.f2p_failed",
        Spoil::Gold(|text| {
            text.replace(
                "    if value < low",
                "    held = [b'x' * (1 << 26) for _ in range(1 << 5)]\n    if value < low",
            )
        }),
    ),
    bad(
        "reference that ends the process",
        "bugfix",
        "G3",
        "reference.exit_mismatch",
        Spoil::Gold(|text| format!("import os\nos._exit(0)\n{text}")),
    ),
    bad(
        "reference that is slow",
        "edit",
        "G5",
        "slow",
        Spoil::Gold(|text| format!("import time\ntime.sleep(6)\n{text}")),
    ),
    bad(
        "fail-to-pass test that is not there",
        "edit",
        "G3",
        "reference.ids_missing",
        Spoil::Hidden(|hidden, _| hidden["repair"]["fail_to_pass"] = json!(["tests/test_limits.py::test_gone"])),
    ),
    bad(
        "fail-to-pass test that passes before",
        "edit",
        "G2",
        "nothing_scores",
        Spoil::Tests(|tree| {
            for file in [FIRST, "tests/test_report.py"] {
                let text = tree.text(file).expect("the tests are there").replace("    assert ", "    assert True or ");
                tree.insert(file, text);
            }
        }),
    ),
    bad(
        "flaky test",
        "edit",
        "G4",
        "reference.f2p_failed|reference.canary_broken|flaky",
        Spoil::Tests(|tree| in_first_test(tree, "import os; assert os.urandom(1)[0] % 2")),
    ),
    bad(
        "test that depends on addresses",
        "bugfix",
        "G4",
        "reference.f2p_failed|reference.canary_broken|flaky",
        Spoil::Tests(|tree| in_first_test(tree, "assert id(object()) >> 12 & 1")),
    ),
    bad(
        "test that depends on the clock",
        "edit",
        "G4",
        "reference.f2p_failed|reference.canary_broken|flaky",
        Spoil::Tests(|tree| in_first_test(tree, "import time; assert time.time_ns() // 1000 % 2")),
    ),
    bad(
        "test that needs a time zone",
        "edit",
        "G4",
        "flaky",
        Spoil::Tests(|tree| in_first_test(tree, "import time; assert time.timezone == 0")),
    ),
    bad(
        "test that needs the network",
        "edit",
        "G3",
        "reference.f2p_failed",
        Spoil::Tests(|tree| in_first_test(tree, "import socket; socket.create_connection(('192.0.2.1', 80), 0.2)")),
    ),
    bad(
        "test that needs a module that is missing",
        "bugfix",
        "G3",
        "reference.collect_failed",
        Spoil::Tests(|tree| at_head(tree, FIRST, "import a_module_that_nobody_has")),
    ),
    bad(
        "visible suite that hangs",
        "edit",
        "G1",
        "suite",
        Spoil::Shown(|tree| at_head(tree, "tests/test_report.py", "while True: pass")),
    ),
    bad(
        "visible suite that ends the process",
        "edit",
        "G1",
        "suite",
        Spoil::Shown(|tree| at_head(tree, "tests/test_report.py", "import os; os._exit(0)")),
    ),
    bad(
        "visible suite that cannot be collected",
        "bugfix",
        "G1",
        "suite",
        Spoil::Shown(|tree| at_head(tree, "tests/test_report.py", "import a_module_that_nobody_has")),
    ),
    bad(
        "history in the tree",
        "bugfix",
        "G9",
        "leak.history",
        Spoil::Shown(|tree| tree.insert(".git/ORIG_HEAD", "0123456789abcdef\n")),
    ),
    bad(
        "leaked fix in bytecode",
        "localize",
        "G9",
        "leak.bytecode",
        Spoil::Shown(|tree| tree.insert("pkg/__pycache__/limits.cpython-311.pyc", vec![0, 1, 2])),
    ),
    bad(
        "leaked copy of the healthy file",
        "bugfix",
        "G9",
        "leak.copy",
        Spoil::Shown(|tree| tree.insert("build/lib/pkg/limits.py", format!("{}\n", HEALTHY))),
    ),
    bad(
        "leaked patch",
        "edit",
        "G9",
        "leak.patch",
        Spoil::Shown(|tree| tree.insert("fix.patch", "+    if value < low:\n")),
    ),
    bad("leaked coverage data", "localize", "G9", "leak.cache", Spoil::Shown(|tree| tree.insert(".coverage", "data"))),
    bad(
        "installed metadata with hashes",
        "repro",
        "G9",
        "leak.cache",
        Spoil::Shown(|tree| tree.insert("pkg-1.dist-info/RECORD", "pkg/limits.py,sha256=x,1\n")),
    ),
    bad(
        "tree that is healthy already",
        "bugfix",
        "G9",
        "leak.solved",
        Spoil::Shown(|tree| tree.insert(LIMITS, HEALTHY)),
    ),
    bad(
        "failing tests are visible",
        "bugfix",
        "G9",
        "leak.tests",
        Spoil::Shown(|tree| at_head(tree, FIRST, "def test_cap_value_1():\n    pass\n")),
    ),
    bad("prompt has a line of the fix", "edit", "G9", "leak.fix", Spoil::Hidden(|_, _| ())),
    bad(
        "weak tests",
        "edit",
        "G6",
        "weak_tests",
        Spoil::Hidden(|hidden, _| {
            hidden["repair"]["fail_to_pass"] = json!(["tests/test_limits.py::test_cap_value_1"]);
            hidden["repair"]["pass_to_pass"] = json!(["tests/test_report.py::test_total_capped_1"]);
        }),
    ),
    bad(
        "gold that touches a file in vain",
        "bugfix",
        "G6",
        "unnecessary_file",
        Spoil::Fixed(|tree| at_head(tree, "pkg/report.py", "# A comment.")),
    ),
    bad(
        "equivalent mutant",
        "testgen",
        "G3",
        "reference.survivor",
        Spoil::Hidden(|hidden, store| hidden["variants"][0] = store(GOOD)),
    ),
    bad(
        "variant that does not parse",
        "testgen",
        "G3",
        "reference.collect_failed",
        Spoil::Hidden(|hidden, store| hidden["variants"][0] = store("def cap_value(:\n")),
    ),
    bad(
        "variant that hangs",
        "testgen",
        "G3",
        "reference.timeout_grade",
        Spoil::Hidden(|hidden, store| hidden["variants"][0] = store(&wrong("return value", "while True: pass"))),
    ),
    bad(
        "too few variants",
        "testgen",
        "G0",
        "few_variants",
        Spoil::Hidden(|hidden, store| hidden["variants"] = json!([store(&wrong("return low", "return high"))])),
    ),
    bad(
        "two variants are the same",
        "testgen",
        "G0",
        "duplicate_variant",
        Spoil::Hidden(|hidden, _| hidden["variants"][1] = hidden["variants"][0].clone()),
    ),
    bad(
        "wrong expected value",
        "testgen",
        "G3",
        "reference.gold_rejected",
        Spoil::Hidden(|hidden, _| hidden["facts"][0][1] = json!("'nothing like it'")),
    ),
    bad(
        "target that throws a coin",
        "testgen",
        "G4",
        "reference.gold_rejected|reference.flaky|reference.equivalent_rejected|flaky",
        Spoil::Shown(|tree| {
            let text = tree
                .text(LIMITS)
                .expect("the file is there")
                .replace("    return value\n", "    import os\n    return value + os.urandom(1)[0] % 2\n")
                .replace("return low", "import os; return low + os.urandom(1)[0] % 2")
                .replace("return high", "import os; return high + os.urandom(1)[0] % 2");
            tree.insert(LIMITS, text);
        }),
    ),
    bad(
        "rewrite that changes the behaviour",
        "testgen",
        "G3",
        "reference.equivalent_rejected",
        Spoil::Hidden(|hidden, _| hidden["rewrites"][0] = hidden["variants"][0].clone()),
    ),
    bad(
        "variants that the documented example catches",
        "testgen",
        "G7",
        "attack",
        Spoil::Hidden(|hidden, store| {
            hidden["variants"] = json!([
                store(&wrong("return high", "return low")),
                store(&wrong("return high", "return high + 1")),
                store(&wrong("return high", "return None"))
            ]);
            hidden["facts"] = json!([["cap_value(9, 1, 5)", "5"], ["cap_value(7, 1, 5)", "5"]]);
        }),
    ),
    bad(
        "fix that changes nothing",
        "repro",
        "G3",
        "reference.fails_on_fixed",
        Spoil::Hidden(|hidden, store| {
            hidden["fixed"] = store(&HEALTHY.replace("    if value < low:\n        return low\n", ""));
            hidden["fixed_rewrite"] = Value::Null;
        }),
    ),
    bad(
        "control that has the bug",
        "repro",
        "G3",
        "reference.fails_on_fixed",
        Spoil::Hidden(|hidden, store| {
            hidden["control"] = store(&HEALTHY.replace("    if value < low:\n        return low\n", ""));
        }),
    ),
    bad(
        "bug that is not there",
        "repro",
        "G3",
        "reference.not_reproduced|reference.fails_on_fixed",
        Spoil::Hidden(|hidden, _| hidden["expected"] = hidden["call"].clone()),
    ),
    bad(
        "reference script that is broken",
        "repro",
        "G3",
        "reference.script_broken",
        Spoil::Hidden(|hidden, _| hidden["imports"] = json!("raise SystemExit(5)")),
    ),
    bad(
        "reference script that throws a coin",
        "repro",
        "G4",
        "reference.not_reproduced|reference.fails_on_fixed|reference.source_dependent|reference.irrelevant|flaky",
        Spoil::Hidden(|hidden, _| {
            let imports = hidden["imports"].as_str().unwrap_or_default().to_owned();
            hidden["imports"] = json!(format!("{imports}\nimport os\nif os.urandom(1)[0] % 2: raise SystemExit(1)"));
        }),
    ),
    bad(
        "reference script that needs a hash seed",
        "repro",
        "G4",
        "flaky",
        Spoil::Hidden(|hidden, _| {
            let imports = hidden["imports"].as_str().unwrap_or_default().to_owned();
            hidden["imports"] =
                json!(format!("{imports}\nimport sys\nif sys.flags.hash_randomization: raise SystemExit(5)"));
        }),
    ),
    bad(
        "label YES of a change that fails",
        "review",
        "G0",
        "label",
        Spoil::Hidden(|hidden, _| hidden["failing"] = json!(["tests/test_limits.py::test_cap_value_1"])),
    ),
    bad(
        "label NO without a failing test",
        "review",
        "G0",
        "label",
        Spoil::Hidden(|hidden, _| hidden["label"] = json!("NO")),
    ),
    bad(
        "label YES of a change that a probe tells from healthy code",
        "review",
        "G6",
        "label_probe",
        Spoil::Shown(|tree| {
            let text = tree.text(LIMITS).expect("the file is there").replace("return value", "return value + 1");
            tree.insert(LIMITS, text);
        }),
    ),
    bad(
        "label NO of a change that no probe tells from healthy code",
        "review",
        "G6",
        "label_probe",
        Spoil::Hidden(|hidden, _| {
            hidden["label"] = json!("NO");
            hidden["failing"] = json!(["tests/test_limits.py::test_cap_value_1"]);
        }),
    ),
    bad(
        "change with an author",
        "review",
        "G9",
        "leak.metadata",
        Spoil::Row(|task| task.prompt.push_str("\nAuthor: A. Reviewer\n")),
    ),
    bad(
        "change with index hashes",
        "review",
        "G9",
        "leak.metadata",
        Spoil::Row(|task| task.prompt.push_str("\nindex 0123..4567 100644\n")),
    ),
];
