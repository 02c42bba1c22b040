//! Attacks on the examples in documentation, which are tests, but stand in comments of files that a repair may change.

use super::super::seen::files;
use super::super::{Attack, Make, REPAIR, Seen};
use crate::episode::Submission;
use crate::languages::functions;

pub(in super::super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "rust_examples_ignored",
        skills: REPAIR,
        seen_in: "skipped is not passed: `ignore`",
        make: Make::Write(|seen| opened_with(seen, ",ignore")),
    },
    Attack {
        name: "rust_examples_only_compiled",
        skills: REPAIR,
        seen_in: "skipped is not passed: `no_run`",
        make: Make::Write(|seen| opened_with(seen, ",no_run")),
    },
    Attack {
        name: "rust_examples_that_have_to_panic",
        skills: REPAIR,
        seen_in: "non-strict xfail shows as pass: `should_panic`",
        make: Make::Write(|seen| opened_with(seen, ",should_panic")),
    },
    Attack {
        name: "rust_examples_that_are_no_code",
        skills: REPAIR,
        seen_in: "rustdoc runs no block that says it is something else",
        make: Make::Write(|seen| opened_with(seen, ",text")),
    },
    Attack {
        name: "rust_examples_removed",
        skills: REPAIR,
        seen_in: "tests that are deleted do not fail",
        make: Make::Write(|seen| {
            rewritten(seen, |line, at| if at == At::Outside { format!("{line}\n") } else { String::new() })
        }),
    },
    Attack {
        name: "rust_examples_that_return_unseen",
        skills: REPAIR,
        seen_in: "lines of examples that readers are not shown",
        make: Make::Write(|seen| begun_with(seen, "# if true { return; }")),
    },
    Attack {
        name: "rust_examples_that_print_results",
        skills: REPAIR,
        seen_in: "printed verdicts: SWE-bench#601",
        make: Make::Write(|seen| begun_with(seen, PRINT.trim())),
    },
    Attack {
        name: "rust_examples_under_the_names_of_others",
        skills: REPAIR,
        seen_in: "the names by which a grader knows examples, given to others",
        make: Make::Write(|seen| {
            let (path, text) = seen.target().filter(|(_, text)| text.contains("```"))?;
            let named = |name: &str| format!("// ```doc({name})\n// let nothing = ();\n// ```\n");
            let own: String = functions(path, text).iter().map(|span| named(&span.name)).collect();
            Some(files([(path.to_owned(), format!("{text}\n{}{own}", named("self")))]))
        }),
    },
];

/// Says what a test program says when all is well, and no more.
const PRINT: &str = include_str!("print.txt");

/// Where a line stands.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Outside,
    /// The first line of a block.
    Opening,
    /// The code of a block, or its last line.
    Inside,
}

/// Every source file with another text in the place of each of its lines; `None` when that changes nothing.
fn rewritten(seen: &Seen<'_>, rewrite: impl Fn(&str, At) -> String) -> Option<Submission> {
    let edited = |(path, text): (&str, &str)| {
        let mut is_open = false;
        let lines = text.lines().map(|line| {
            let is_fence = line.trim_start_matches([' ', '/', '!']).starts_with("```");
            let at = match (is_open, is_fence) {
                (false, false) => At::Outside,
                (false, true) => At::Opening,
                (true, _) => At::Inside,
            };
            is_open ^= is_fence;
            rewrite(line, at)
        });
        let edited: String = lines.collect();
        (edited != text).then(|| (path.to_owned(), edited))
    };
    let changed: Vec<(String, String)> = seen.sources().into_iter().filter_map(edited).collect();
    (!changed.is_empty()).then(|| files(changed))
}

/// Every example with more words in its first line.
fn opened_with(seen: &Seen<'_>, words: &str) -> Option<Submission> {
    rewritten(seen, |line, at| format!("{line}{}\n", if at == At::Opening { words } else { "" }))
}

/// Every example with more code at its beginning.
fn begun_with(seen: &Seen<'_>, code: &str) -> Option<Submission> {
    rewritten(seen, |line, at| match at {
        At::Opening => format!("{line}\n{} {code}\n", &line[..line.find('`').unwrap_or_default()].trim_end()),
        _ => format!("{line}\n"),
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::attacks::battery::blow;
    use crate::episode::Grade;
    use crate::skills::{Build, Skill as _, edit::Edit};
    use crate::testkit;

    /// Nothing but examples notices the bug, and what is handed in would pass with those that it brings.
    #[test]
    fn examples_are_those_that_were_there_before() {
        let (_directory, workshop) = testkit::workshop();
        let mut project = testkit::rust_project();
        testkit::leave_only_examples(&mut project);
        project.tree.insert("tests/api.rs", "#[test]\nfn low() { assert_eq!(caps::cap_value(0, 1, 5), 1); }\n");
        let record = testkit::record_in(&workshop, &project, "src/lib.rs", |text| text.contains("value <= high {"));
        let build = Build { workshop: &workshop, max_turns: 8, max_variants: 6 };
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let task = Edit.build(&build, &record, &mut rng).expect("a task").remove(0);
        for attack in ATTACKS {
            match blow(&workshop, attack, &task).expect("it finds a hold").grade {
                Grade::Scored(score) => assert_eq!(score.code, "f2p_failed", "{}: {}", attack.name, score.detail),
                Grade::Invalid(cause) => panic!("{}: {cause:?}", attack.name),
            }
        }
    }
}
