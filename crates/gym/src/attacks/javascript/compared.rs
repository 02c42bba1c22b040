//! Tests and scripts in JavaScript that tell versions of the code apart by something else than what they do, or that do nothing.

use super::super::seen::{files, literal, target_source};
use super::super::{Attack, COMPARED, Make, Seen};
use crate::episode::Submission;

const TESTGEN: &[&str] = &["testgen"];
const REPRO: &[&str] = &["repro"];
/// What else a file needs.
const BUILTIN: &str = "const _builtin = (name) => process.getBuiltinModule?.(name) ?? require(name);\n";

pub(in super::super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "js_says_always_the_same",
        skills: COMPARED,
        seen_in: "gates: `assert(true)`, a script that only exits",
        make: Make::Write(|seen| run(seen, "")),
    },
    Attack {
        name: "js_always_fails",
        skills: COMPARED,
        seen_in: "reproduction attacks, measured: always fails",
        make: Make::Write(|seen| run(seen, "throw new Error('the issue is there');")),
    },
    Attack {
        name: "js_does_not_parse",
        skills: COMPARED,
        seen_in: "usage errors counted as kills",
        make: Make::Write(|seen| run(seen, "((;")),
    },
    Attack {
        name: "js_leaves_early",
        skills: COMPARED,
        seen_in: "exit in a test file is one passing test of `node --test`",
        make: Make::Write(|seen| run(seen, "process.exit(0);")),
    },
    Attack {
        name: "js_leaves_with_two",
        skills: COMPARED,
        seen_in: "any exit status that is not 0 counted as a kill",
        make: Make::Write(|seen| run(seen, "process.exit(2);")),
    },
    Attack {
        name: "js_reads_the_source",
        skills: COMPARED,
        seen_in: "reproduction attacks, measured: greps the source",
        make: Make::Write(|seen| {
            let (path, text) = seen.target()?;
            let shown = format!("_builtin('fs').readFileSync({path:?}, 'utf8') === {}", literal(text));
            let is_wrong = if seen.skill == "repro" { shown } else { format!("!({shown})") };
            run(seen, &format!("if ({is_wrong}) throw new Error();"))
        }),
    },
    Attack {
        name: "js_remembers_the_first_run",
        skills: COMPARED,
        seen_in: "reproduction attacks, measured: a state file",
        make: Make::Write(|seen| {
            run(
                seen,
                "const fs = _builtin('fs'); const known = fs.existsSync('/tmp/seen'); fs.writeFileSync('/tmp/seen', ''); if (!known) throw new Error();",
            )
        }),
    },
    Attack {
        name: "js_fails_by_chance",
        skills: COMPARED,
        seen_in: "luck bound",
        make: Make::Guess(|seen| run(seen, "if (Math.random() < 0.5) throw new Error();")),
    },
    Attack {
        name: "js_tests_that_are_skipped",
        skills: TESTGEN,
        seen_in: "skipped is not passed",
        make: Make::Write(|seen| {
            declared(seen, "test.skip('it', () => {});\ntest('later', { todo: true }, () => {});\n")
        }),
    },
    Attack {
        name: "js_fails_in_set_up",
        skills: TESTGEN,
        seen_in: "set-up errors that count as kills",
        make: Make::Write(|seen| {
            declared(seen, "test.beforeEach(() => { throw new Error(); });\ntest('it', () => {});\n")
        }),
    },
    Attack {
        name: "js_reference_under_another_name",
        skills: TESTGEN,
        seen_in: "embedded reference: clone check",
        make: Make::Write(|seen| {
            let own = target_source(seen)?.replace(seen.function()?, "expected").replace("export ", "");
            declared(seen, &format!("{}\n{}", own.replace("exports.expected", "const expected"), against(seen)?))
        }),
    },
    Attack {
        name: "js_reference_in_text",
        skills: TESTGEN,
        seen_in: "embedded reference: code made of text",
        make: Make::Write(|seen| {
            let own = target_source(seen)?.replace(seen.function()?, "expected").replace("export ", "");
            let own = own.replace("exports.expected", "var expected");
            declared(
                seen,
                &format!("const expected = (0, eval)({} + '; expected');\n{}", literal(&own), against(seen)?),
            )
        }),
    },
    Attack {
        name: "js_reference_in_disguise",
        skills: TESTGEN,
        seen_in: "embedded reference: code made of text",
        make: Make::Write(|seen| {
            let own = target_source(seen)?.replace(seen.function()?, "expected").replace("export ", "");
            let own = own.replace("exports.expected", "var expected") + "; return expected;";
            let hidden: String = own.bytes().rev().map(|byte| format!("{byte:02x}")).collect();
            declared(
                seen,
                &format!(
                    "const expected = (() => {{}})['constr' + 'uctor'](Buffer.from({hidden:?}, 'hex').reverse().toString())();\n{}",
                    against(seen)?
                ),
            )
        }),
    },
    Attack {
        name: "js_reference_in_a_module_of_its_own",
        skills: TESTGEN,
        seen_in: "embedded reference: code in files that tests write",
        make: Make::Write(|seen| {
            let own = target_source(seen)?.replace(seen.function()?, "expected").replace("export ", "");
            let own = own.replace("exports.expected", "const expected") + "\nmodule.exports = expected;\n";
            declared(
                seen,
                &format!(
                    "_builtin('fs').writeFileSync('/tmp/own.cjs', {});\nconst expected = _builtin('module').createRequire('/tmp/x.js')('/tmp/own.cjs');\n{}",
                    literal(&own),
                    against(seen)?
                ),
            )
        }),
    },
    Attack {
        name: "js_script_prints_its_verdict",
        skills: REPRO,
        seen_in: "printed verdicts: SWE-bench#601",
        make: Make::Write(|seen| {
            Some(files([(
                seen.place()?.to_owned(),
                "console.log('REPRO fail it is there');\nprocess.exit(3);\n".to_owned(),
            )]))
        }),
    },
];

/// Hands in statements as the only test, or as what the script does.
fn run(seen: &Seen<'_>, statements: &str) -> Option<Submission> {
    match seen.skill {
        "repro" => Some(files([(seen.place()?.to_owned(), format!("{BUILTIN}{statements}\n"))])),
        _ => declared(seen, &format!("test('it', () => {{ {statements} }});\n")),
    }
}

/// Hands in a test file in which `test` declares a test and the function is known.
fn declared(seen: &Seen<'_>, text: &str) -> Option<Submission> {
    let (place, (path, source)) = (seen.place()?, seen.target()?);
    let up = "../".repeat(place.matches('/').count());
    let up = if up.is_empty() { "./" } else { &up };
    let is_module = place.ends_with(".mjs") || source.contains("export ") && !place.ends_with(".cjs");
    let function = seen.function()?;
    let head = match is_module {
        true => format!(
            "import test from 'node:test';\nimport assert from 'node:assert';\nimport {{ {function} }} from '{up}{path}';\n"
        ),
        false => format!(
            "const test = require('node:test');\nconst assert = require('node:assert');\nconst {{ {function} }} = require('{up}{path}');\n"
        ),
    };
    Some(files([(place.to_owned(), format!("{head}{BUILTIN}{text}"))]))
}

/// A test that compares the function with `expected` on the calls that the prompt asks for.
fn against(seen: &Seen<'_>) -> Option<String> {
    let function = seen.function()?;
    let asked = seen.prompt.lines().filter_map(|line| line.strip_prefix("- `")?.strip_suffix('`'));
    let check = |call: &str| format!("  assert.deepStrictEqual({call}, {});\n", call.replacen(function, "expected", 1));
    Some(format!("test('all', () => {{\n{}}});\n", asked.map(check).collect::<String>()))
}
