//! Calls that no failing test shows, but that tests were seen to make: where one gives another value on the buggy tree, it shows the
//! bug as well.

use basis_sandbox::SandboxError;

use super::symptom::Evaluate;
use crate::languages::{Call, Observation};
use crate::record::{Symptom, TestId};

/// So many calls are evaluated; the shortest.
const MOST_CALLS: usize = 48;
/// So many of them become symptoms.
const MOST_SYMPTOMS: usize = 4;

/// What recorded calls show of a bug that `test`, in a file with `source`, notices. Everything is evaluated twice: a value that
/// depends on chance says nothing.
///
/// # Errors
/// What the evaluations return.
pub(super) fn symptoms(
    test: &TestId,
    source: &str,
    recorded: &[String],
    on_buggy: &Evaluate<'_>,
    on_healthy: &Evaluate<'_>,
) -> Result<Vec<Symptom>, SandboxError> {
    let path = test.split("::").next().unwrap_or_default();
    let mut sources: Vec<String> = recorded.iter().flat_map(|call| spelled(call, source)).collect();
    sources.sort_by_key(String::len);
    sources.truncate(MOST_CALLS);
    let calls: Vec<Call> = sources.into_iter().map(|source| Call { path: path.to_owned(), source }).collect();
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let (buggy, healthy) = (on_buggy(&calls)?, on_healthy(&calls)?);
    let (buggy_again, healthy_again) = (on_buggy(&calls)?, on_healthy(&calls)?);
    let shows = |at: &usize| {
        let (wrong, right) = (&buggy[*at], &healthy[*at]);
        let is_steady = *wrong == buggy_again[*at] && *right == healthy_again[*at];
        is_steady && wrong != right && right.value.is_some() && says_something(wrong)
    };
    let showing = (0..calls.len()).filter(shows).take(MOST_SYMPTOMS);
    Ok(showing.map(|at| symptom(test, &calls[at], &buggy[at], &healthy[at])).collect())
}

fn says_something(seen: &Observation) -> bool {
    seen.value.is_some() || seen.exception.is_some()
}

fn symptom(test: &TestId, call: &Call, buggy: &Observation, healthy: &Observation) -> Symptom {
    Symptom {
        test: test.clone(),
        call: Some(call.source.clone()),
        actual: buggy.value.clone(),
        expected: healthy.value.clone(),
        exception: buggy.exception.clone(),
    }
}

/// The call by the names under which a test file may know what it calls: its own, and behind every module that is imported as one.
/// Only Python's tests record calls.
fn spelled(call: &str, source: &str) -> Vec<String> {
    let (consumer, bare) = call.split_at(if call.starts_with("list(") { "list(".len() } else { 0 });
    let imports = source.lines().filter_map(|line| line.trim().strip_prefix("import "));
    let modules = imports.flat_map(|names| names.split(',')).filter_map(|name| name.split_whitespace().last());
    let behind = modules.map(|module| format!("{consumer}{module}.{bare}"));
    std::iter::once(call.to_owned()).chain(behind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gives(value: &str) -> Observation {
        Observation { value: Some(value.to_owned()), exception: None }
    }

    fn unknown() -> Observation {
        Observation { value: None, exception: Some("NameError: f".to_owned()) }
    }

    #[test]
    fn a_call_that_gives_something_else_on_the_buggy_tree_is_a_symptom() {
        let seen = symptoms(
            &"t.py::t".to_owned(),
            "import shop.more as more, os\n",
            &["f(1)".to_owned(), "f(22)".to_owned()],
            &|calls| {
                Ok(calls
                    .iter()
                    .map(|call| if call.source.starts_with("more.") { gives("2") } else { unknown() })
                    .collect())
            },
            &|calls| {
                Ok(calls
                    .iter()
                    .map(|call| match call.source.as_str() {
                        "more.f(1)" => gives("2"),
                        "more.f(22)" => gives("3"),
                        _ => unknown(),
                    })
                    .collect())
            },
        )
        .expect("no sandbox is needed");
        let [one] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!(one.call.as_deref(), Some("more.f(22)"));
        assert_eq!((one.actual.as_deref(), one.expected.as_deref()), (Some("2"), Some("3")));
    }

    #[test]
    fn a_value_that_depends_on_chance_is_no_symptom() {
        let count = std::cell::Cell::new(0);
        let drawn = |calls: &[Call]| {
            count.set(count.get() + 1);
            Ok(calls.iter().map(|_| gives(&count.get().to_string())).collect())
        };
        let seen = symptoms(&"t.py::t".to_owned(), "", &["f(1)".to_owned()], &drawn, &drawn);
        assert_eq!(seen.expect("no sandbox is needed"), []);
    }

    #[test]
    fn a_generator_is_consumed_behind_its_module_as_well() {
        assert_eq!(spelled("list(f(1))", "import a.b\n"), ["list(f(1))", "list(a.b.f(1))"]);
    }
}
