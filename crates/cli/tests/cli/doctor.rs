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
