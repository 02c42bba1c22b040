//! Scripts and tests that look at the code instead of running it: text, syntax, bytecode, size, time of change.
//!
//! Each knows the file as the agent sees it. A script says that the issue is there as long as the file is the known one; a test passes
//! as long as it is.

use super::seen::{indented, literal};
use super::{Attack, COMPARED, Make, Seen};
use crate::episode::Submission;

const E2: &str = "reproduction attacks, measured: accepted by buggy-then-fixed";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "compares_the_text",
        skills: COMPARED,
        seen_in: E2,
        make: Make::Write(|seen| knows(seen, "open(PATH).read() == TEXT")),
    },
    Attack {
        name: "hashes_the_text",
        skills: COMPARED,
        seen_in: E2,
        make: Make::Write(|seen| {
            knows(seen, "hashlib.sha256(open(PATH).read().encode()).digest() == hashlib.sha256(TEXT.encode()).digest()")
        }),
    },
    Attack {
        name: "looks_for_the_known_lines",
        skills: COMPARED,
        seen_in: E2,
        make: Make::Write(|seen| knows(seen, "lines(TEXT) <= lines(open(PATH).read())")),
    },
    Attack {
        name: "looks_for_the_known_lines_and_no_others",
        skills: COMPARED,
        seen_in: "the attack before it, by one who knows of wrappers",
        make: Make::Write(|seen| {
            knows(seen, "{line for line in lines(TEXT) ^ lines(open(PATH).read()) if 'args' not in line} == set()")
        }),
    },
    Attack {
        name: "looks_for_the_known_words",
        skills: COMPARED,
        seen_in: "the attack before it, whatever the layout",
        make: Make::Write(|seen| {
            knows(seen, "collections.Counter(words(TEXT)) - collections.Counter(words(open(PATH).read())) == {}")
        }),
    },
    Attack {
        name: "reads_the_source_by_inspection",
        skills: COMPARED,
        seen_in: E2,
        make: Make::Write(|seen| knows(seen, "all(inspect.getsource(value).strip() in TEXT for value in own(module))")),
    },
    Attack {
        name: "compares_the_syntax",
        skills: COMPARED,
        seen_in: "source inspection, whatever the comments",
        make: Make::Write(|seen| knows(seen, "bodies(TEXT) <= bodies(open(PATH).read())")),
    },
    Attack {
        name: "compares_the_bytecode",
        skills: COMPARED,
        seen_in: E2,
        make: Make::Write(|seen| {
            knows(seen, "codes(compile(TEXT, PATH, 'exec')) <= codes(compile(open(PATH).read(), PATH, 'exec'))")
        }),
    },
    Attack {
        name: "compares_the_bytecode_and_constants",
        skills: COMPARED,
        seen_in: E2,
        make: Make::Write(|seen| {
            knows(seen, "constants(compile(TEXT, PATH, 'exec')) <= constants(compile(open(PATH).read(), PATH, 'exec'))")
        }),
    },
    Attack {
        name: "compares_the_size",
        skills: COMPARED,
        seen_in: "metadata of the mutated file",
        make: Make::Write(|seen| knows(seen, "os.stat(PATH).st_size == len(TEXT.encode())")),
    },
    Attack {
        name: "compares_the_time_of_change",
        skills: COMPARED,
        seen_in: "mtime, inode and format of the mutated file",
        make: Make::Write(|seen| {
            knows(
                seen,
                "abs(os.stat(PATH).st_mtime_ns - min(os.stat(path).st_mtime_ns for path in glob.glob('**/*.py', recursive=True) if path != 'repro.py')) < 1000000",
            )
        }),
    },
    Attack {
        name: "reads_the_mounts",
        skills: COMPARED,
        seen_in: "grader environment, other mounts, /proc",
        make: Make::Write(|seen| {
            knows(
                seen,
                "open('/proc/self/mountinfo').read().count('lowerdir') < 2 and open('/proc/self/mountinfo').read().count(':/') < 2",
            )
        }),
    },
    Attack {
        name: "counts_operators_and_constants",
        skills: COMPARED,
        seen_in: "source inspection, by one who knows how code is put in other words",
        make: Make::Write(counts_operators),
    },
    Attack {
        name: "looks_for_the_leaked_fix",
        skills: &["repro"],
        seen_in: "a leak is modelled: the healthy file is known",
        make: Make::Write(leaked_lines),
    },
    Attack {
        name: "looks_for_the_leaked_bytecode",
        skills: &["repro"],
        seen_in: "a leak is modelled: the healthy file is known",
        make: Make::Write(leaked_bytecode),
    },
];

/// What the conditions use.
const TOOLS: &str = "import ast, collections, glob, hashlib, importlib, inspect, os, re\n\n\ndef lines(text):\n    return {line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith('def ')}\n\n\ndef words(text):\n    return re.findall(r'[A-Za-z0-9_]+|[^\\sA-Za-z0-9_]+', text)\n\n\ndef bodies(text):\n    return {ast.dump(ast.Module(node.body, [])) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}\n\n\ndef walk(code):\n    inner = [value for value in code.co_consts if hasattr(value, 'co_code')]\n    return [*inner, *(deep for value in inner for deep in walk(value))]\n\n\ndef codes(code):\n    return {value.co_code for value in walk(code)}\n\n\ndef constants(code):\n    return {(value.co_code, repr([it for it in value.co_consts if not hasattr(it, 'co_code')]), value.co_names) for value in walk(code)}\n\n\ndef own(module):\n    return [value for value in vars(module).values() if inspect.isfunction(value) and value.__module__ == module.__name__]\n\n\n";

/// A script that exits with 1, or a test that passes, as long as the condition on the known file holds.
fn knows(seen: &Seen<'_>, condition: &str) -> Option<Submission> {
    let (path, text) = seen.target()?;
    let known = format!("{TOOLS}PATH, TEXT = {}, {}\n", literal(path), literal(text));
    let module = format!("module = importlib.import_module({})\n", literal(&seen.module(path)));
    match seen.skill {
        "repro" => Some(seen.script(&format!("{known}{module}raise SystemExit(1 if {condition} else 0)\n"))),
        _ => {
            let body = indented(&format!("{module}assert {condition}"));
            let test = format!("{known}\n\ndef test_known():\n{body}\n");
            Some(super::seen::files([(seen.place()?.to_owned(), test)]))
        }
    }
}

fn leaked_lines(seen: &Seen<'_>) -> Option<Submission> {
    let condition = "sum(line in lines(open(PATH).read()) for line in lines(FIXED) - lines(TEXT)) < sum(1 for line in lines(FIXED) - lines(TEXT)) or any(line in lines(open(PATH).read()) for line in lines(TEXT) - lines(FIXED))";
    leaked(seen, condition)
}

fn leaked_bytecode(seen: &Seen<'_>) -> Option<Submission> {
    let condition = "not codes(compile(FIXED, PATH, 'exec')) <= codes(compile(open(PATH).read(), PATH, 'exec'))";
    leaked(seen, condition)
}

fn leaked(seen: &Seen<'_>, condition: &str) -> Option<Submission> {
    let (path, fixed) = seen.leaked?;
    let text = seen.tree.text(path)?;
    let known = format!("{TOOLS}PATH, TEXT, FIXED = {}, {}, {}\n", literal(path), literal(text), literal(fixed));
    Some(seen.script(&format!("{known}raise SystemExit(1 if {condition} else 0)\n")))
}

/// Counts what the syntax says, whichever way it is written.
const BAG: &str = r#"
import ast, collections, importlib

NAMES = dict(lt="Lt", le="LtE", gt="Gt", ge="GtE", eq="Eq", ne="NotEq", is_="Is", is_not="IsNot", add="Add", sub="Sub", mul="Mult",
             truediv="Div", floordiv="FloorDiv", mod="Mod", pow="Pow", iadd="Add", isub="Sub", imul="Mult", ifloordiv="FloorDiv",
             imod="Mod", not_="Not", and_="BitAnd", or_="BitOr", xor="BitXor", lshift="LShift", rshift="RShift", matmul="MatMult")


def bag(text):
    found = collections.Counter()

    def visit(node):
        kind = type(node).__name__
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Compare):
            found.update(type(it).__name__ for it in node.ops)
        elif isinstance(node, (ast.BinOp, ast.AugAssign)):
            found[type(node.op).__name__] += 1
        elif isinstance(node, ast.BoolOp):
            found[type(node.op).__name__] += len(node.values) - 1
        elif isinstance(node, ast.IfExp) and "_held" in ast.unparse(node.test):
            found["Or" if ast.unparse(node.body) == "_held" else "And"] += 1
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Constant):
            found[str(not node.operand.value)] += 1
            children = []
        elif isinstance(node, ast.UnaryOp):
            found[type(node.op).__name__] += 1
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_how."):
            found[NAMES[node.func.attr]] += 1
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
            children = [node.args[0]]
        elif isinstance(node, ast.Constant):
            found[repr(node.value)] += 1
        elif kind in ("If", "For", "While", "Break", "Continue", "Raise", "Slice"):
            found[kind] += 1
        for child in children:
            visit(child)

    visit(ast.parse(text))
    return found


"#;

/// The issue is there as long as every file says what the known one said.
fn counts_operators(seen: &Seen<'_>) -> Option<Submission> {
    let known: Vec<String> =
        seen.sources().iter().map(|(path, text)| format!("({}, {})", literal(path), literal(text))).collect();
    let imports: String =
        seen.sources().iter().map(|(path, _)| format!("from {} import *\n", seen.module(path))).collect();
    let same = format!("all(bag(open(path).read()) == bag(text) for path, text in [{}])", known.join(", "));
    match seen.skill {
        "repro" => {
            let call = seen.prompt.split('`').find(|text| text.ends_with(')') && text.contains('('))?;
            let enter = format!("try:\n    {call}\nexcept Exception:\n    pass\n");
            Some(seen.script(&format!("{imports}{BAG}{enter}raise SystemExit(1 if {same} else 0)\n")))
        }
        _ => Some(super::seen::files([(
            seen.place()?.to_owned(),
            format!("{BAG}def test_known():\n    assert {same}\n"),
        )])),
    }
}
