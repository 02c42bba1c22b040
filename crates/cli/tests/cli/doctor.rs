//! What `basis doctor` says about a machine that lacks something.

use crate::support::World;

#[test]
fn doctor_reports_each_thing_as_a_json_line() {
    let text = World::new().run(&["doctor", "--json"]);
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let names: Vec<String> = lines
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["what"].as_str().unwrap().to_owned())
        .collect();
    for expected in ["user", "cores", "memory", "disk of runs", "disk of cache"] {
        assert!(names.iter().any(|name| name == expected), "{text}");
    }
}

#[test]
fn a_missing_interpreter_is_named_with_the_next_step() {
    let text = World::new().run(&["doctor", "--set", "python.interpreter=/nonexistent/python3"]);
    assert!(text.starts_with("exit code 4"), "{text}");
    insta::assert_snapshot!(about(&text, "python"));
}

#[test]
fn an_unknown_backend_is_named_with_the_next_step() {
    let text = World::new().run(&["doctor", "--set", "sandbox.backend=chroot"]);
    assert!(text.starts_with("exit code 4"), "{text}");
    insta::assert_snapshot!(about(&text, "sandbox"));
}

/// What is said about one thing.
fn about(text: &str, what: &str) -> String {
    let column = format!("  {what}  ");
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains(&column)).take(2).collect();
    lines.join("\n")
}
