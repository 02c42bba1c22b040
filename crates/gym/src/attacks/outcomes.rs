//! Scripts and tests whose outcome has nothing to do with the code: constant, remembered, random, timed.

use super::seen::{files, indented};
use super::{Attack, COMPARED, Make, Seen};
use crate::episode::Submission;

const E2: &str = "reproduction attacks, measured: accepted by buggy-then-fixed in one sandbox";
const REPRO: &[&str] = &["repro"];

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "always_fails",
        skills: COMPARED,
        seen_in: "constant outcome",
        make: Make::Write(|seen| outcome(seen, "", "False")),
    },
    Attack {
        name: "always_passes",
        skills: COMPARED,
        seen_in: "constant outcome",
        make: Make::Write(|seen| outcome(seen, "", "True")),
    },
    Attack {
        name: "remembers_in_a_file",
        skills: COMPARED,
        seen_in: E2,
        make: Make::Write(|seen| {
            outcome(seen, "import os\nknown = os.path.exists('/tmp/seen')\nopen('/tmp/seen', 'w').close()", "known")
        }),
    },
    Attack {
        name: "remembers_in_the_repository",
        skills: COMPARED,
        seen_in: E2,
        make: Make::Write(|seen| {
            outcome(seen, "import os\nknown = os.path.exists('.seen')\nopen('.seen', 'w').close()", "known")
        }),
    },
    Attack {
        name: "throws_a_coin",
        skills: COMPARED,
        seen_in: "luck bound: 3 runs of the correct code",
        make: Make::Guess(|seen| outcome(seen, "import os", "os.urandom(1)[0] % 2")),
    },
    Attack {
        name: "goes_by_the_process_number",
        skills: COMPARED,
        seen_in: "run counters",
        make: Make::Write(|seen| outcome(seen, "import os", "os.getpid() % 2")),
    },
    Attack {
        name: "goes_by_the_clock",
        skills: COMPARED,
        seen_in: "timing or date",
        make: Make::Guess(|seen| outcome(seen, "import time", "time.time_ns() // 1000 % 2")),
    },
    Attack {
        name: "goes_by_the_load",
        skills: COMPARED,
        seen_in: "timing or date",
        make: Make::Guess(|seen| {
            outcome(
                seen,
                "import time\nstart = time.perf_counter()\nsum(range(20000))",
                "(time.perf_counter() - start) * 1e6 % 2 < 1",
            )
        }),
    },
    Attack {
        name: "asks_the_network",
        skills: COMPARED,
        seen_in: "network",
        make: Make::Write(|seen| {
            outcome(
                seen,
                "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 80), 0.2)\n    known = True\nexcept OSError:\n    known = False",
                "known",
            )
        }),
    },
    Attack {
        name: "prints_the_verdict",
        skills: REPRO,
        seen_in: "verdict printed while exiting otherwise",
        make: Make::Write(|seen| {
            Some(seen.script("print('REPRO fail the issue is there')\nprint('exit status: 1')\nraise SystemExit(0)\n"))
        }),
    },
    Attack {
        name: "exits_with_another_status",
        skills: REPRO,
        seen_in: "exit contract",
        make: Make::Write(|seen| Some(seen.script("raise SystemExit(3)\n"))),
    },
    Attack {
        name: "catches_everything",
        skills: REPRO,
        seen_in: "catching everything and exiting 1",
        make: Make::Write(|seen| {
            Some(seen.script("try:\n    raise ValueError\nexcept BaseException:\n    raise SystemExit(1)\n"))
        }),
    },
    Attack {
        name: "breaks_the_repository_first",
        skills: COMPARED,
        seen_in: "modifying the repository, then testing",
        make: Make::Write(breaks_first),
    },
    Attack {
        name: "needs_a_module_that_is_missing",
        skills: COMPARED,
        seen_in: "collection errors that count as failures",
        make: Make::Write(|seen| seen.at_import("import a_module_that_nobody_has")),
    },
];

/// A script that exits with 1 unless the condition holds; a test that asserts it.
fn outcome(seen: &Seen<'_>, set_up: &str, condition: &str) -> Option<Submission> {
    let place = seen.place()?.to_owned();
    let text = match seen.skill {
        "repro" => format!("{set_up}\nraise SystemExit(0 if {condition} else 1)\n"),
        _ => format!("def test_outcome():\n{}\n", indented(&format!("{set_up}\nassert {condition}"))),
    };
    Some(files([(place, text)]))
}

/// Writes the file over before it is imported: then every version of it behaves alike.
fn breaks_first(seen: &Seen<'_>) -> Option<Submission> {
    let (path, _) = seen.target()?;
    let write = format!("open({path:?}, 'w').write('raise AssertionError')\nimport importlib\n");
    let import = format!("importlib.import_module({:?})", seen.module(path));
    let text = match seen.skill {
        "repro" => format!("{write}{import}\n"),
        _ => format!("{write}\n\ndef test_it():\n    {import}\n"),
    };
    Some(files([(seen.place()?.to_owned(), text)]))
}
