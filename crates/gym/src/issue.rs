//! Issue text from facts of execution, by templates and without a language model.
//!
//! The text has the symptom only: no file, no module, no operator, no test name (`tasks.md` hint level L0 with the call).

use rand::{Rng, RngExt};

use crate::record::Symptom;

/// An issue: what a user would report, and the check that a reader can make of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Issue {
    /// The report.
    pub text: String,
    /// The call that goes wrong.
    pub call: String,
    /// What it should give, as `repr`.
    pub expected: String,
    /// What has to stand before the call, where names in it mean something of their own; the text says it, too.
    pub set_up: String,
}

const WRONG_VALUE: &[&str] = &[
    "`{call}` returns {actual}, but it should return {expected}.",
    "I expected {expected} from `{call}` and got {actual}.",
    "Wrong result: `{call}` gives {actual} instead of {expected}.",
    "Calling `{call}` should give {expected}. It gives {actual}.",
    "The result of `{call}` is {actual}. The right answer is {expected}.",
    "Why is `{call}` equal to {actual}? It has to be {expected}.",
    "After the update `{call}` evaluates to {actual}; before it was {expected}.",
    "Our report is off: `{call}` comes out as {actual}, we need {expected}.",
];

const RAISES: &[&str] = &[
    "`{call}` fails with {exception}. It should return {expected}.",
    "I expected {expected} from `{call}` and got {exception}.",
    "Crash: `{call}` raises {exception} instead of giving {expected}.",
    "Calling `{call}` should give {expected}. It raises {exception}.",
];

/// A longer set-up is a program and no report.
const MOST_SET_UP: (usize, usize) = (12, 500);

/// Writes the issue for a symptom whose call needs some source before it, or nothing when the symptom does not say call and expected value.
pub fn write(symptom: &Symptom, set_up: &str, rng: &mut impl Rng) -> Option<Issue> {
    let (call, expected) = (symptom.call.as_ref()?, symptom.expected.as_ref()?);
    let (templates, seen) = match (&symptom.exception, &symptom.actual) {
        (Some(exception), _) => (RAISES, exception),
        (None, Some(actual)) => (WRONG_VALUE, actual),
        (None, None) => return None,
    };
    let fits = |text: &str| text.len() <= 200 && !text.contains(['\n', '`']);
    let is_long = set_up.lines().count() > MOST_SET_UP.0 || set_up.len() > MOST_SET_UP.1 || set_up.contains("```");
    if !fits(call) || !fits(expected) || !fits(seen) || seen == expected || is_long {
        return None;
    }
    let template = templates[rng.random_range(0..templates.len())];
    let text = template
        .replace("{call}", call)
        .replace("{actual}", seen)
        .replace("{exception}", seen)
        .replace("{expected}", expected)
        + &shown(set_up);
    Some(Issue { text, call: call.clone(), expected: expected.clone(), set_up: set_up.to_owned() })
}

/// A set-up as it stands in a text, behind the call that needs it.
pub fn shown(set_up: &str) -> String {
    if set_up.is_empty() { String::new() } else { format!("\n\nBefore the call stands:\n\n```\n{set_up}\n```") }
}

/// The name of the function that a call starts with: `total` of `total([1, 2], 3)`.
pub fn callee(call: &str) -> &str {
    let name = call.split('(').next().unwrap_or_default();
    name.rsplit('.').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn symptom(actual: Option<&str>, exception: Option<&str>) -> Symptom {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Symptom {
            test: "tests/test_limits.py::test_clamp_1".into(),
            call: own(Some("clamp(3, 5, 9)")),
            actual: own(actual),
            expected: own(Some("5")),
            exception: own(exception),
        }
    }

    #[test]
    fn every_issue_states_the_call_and_both_values_and_nothing_of_the_test() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for _ in 0..50 {
            let issue = write(&symptom(Some("3"), None), "", &mut rng).unwrap();
            assert!(issue.text.contains("`clamp(3, 5, 9)`") && issue.text.contains('3') && issue.text.contains('5'));
            assert!(!issue.text.contains("test_") && !issue.text.contains('{'), "{}", issue.text);
            let crash = write(&symptom(None, Some("IndexError: list index out of range")), "", &mut rng).unwrap();
            assert!(crash.text.contains("IndexError") && !crash.text.contains('{'), "{}", crash.text);
        }
    }

    #[test]
    fn what_a_call_needs_is_shown_unless_it_is_a_program() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let set_up = "clamp = partial(other, 1)";
        let issue = write(&symptom(Some("3"), None), set_up, &mut rng).unwrap();
        assert!(
            issue.text.ends_with("Before the call stands:\n\n```\nclamp = partial(other, 1)\n```"),
            "{}",
            issue.text
        );
        assert_eq!(issue.set_up, set_up);
        assert_eq!(write(&symptom(Some("3"), None), &"x = 1\n".repeat(13), &mut rng), None);
    }

    #[test]
    fn a_symptom_without_facts_gives_no_issue() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        assert_eq!(write(&symptom(None, None), "", &mut rng), None);
    }

    #[test]
    fn the_callee_is_the_last_name_before_the_arguments() {
        assert_eq!(callee("total([1, 2], f(3))"), "total");
        assert_eq!(callee("more.total(1)"), "total");
    }
}
