//! Facts about bug records: what execution confirms and what it refuses.

use basis_gym::baseline::{Baseline, baseline};
use basis_gym::languages::Call;
use basis_gym::languages::python::evaluate::evaluate;
use basis_gym::project::{Project, RunnerKind};
use basis_gym::record::{BugRecord, Mutation};
use basis_gym::validate::{Ground, Rejection, try_all, validate, validate_pair};
use basis_sandbox::Limits;

use crate::bench::{Bench, project, setup};

const SOURCE: &str = "\
def clamp(value, low, high):
    if value < low:
        return low
    return min(high, value)


def total(values):
    result = 0
    while values:
        result += values[0]
        values = values[1:]
    return result
";

const TESTS: &str = "\
from shop.prices import clamp, total
def test_low(): assert clamp(0, 1, 5) == 1
def test_high(): assert clamp(9, 1, 5) == 5
def test_total(): assert total([1, 2]) == 3
def test_broken(): assert clamp(1, 1, 1) == 2
";

fn shop() -> Project {
    let files = [("shop/prices.py", SOURCE), ("tests/test_prices.py", TESTS)];
    project(&files, setup(RunnerKind::Plain, &["tests/test_prices.py"]))
}

fn edit(before: &str, after: &str) -> Mutation {
    let start = SOURCE.find(before).expect("the source has it");
    Mutation {
        operator: "by_hand".to_owned(),
        path: "shop/prices.py".to_owned(),
        start,
        end: start + before.len(),
        before: before.to_owned(),
        after: after.to_owned(),
        function: "clamp".to_owned(),
        line: SOURCE[..start].lines().count(),
    }
}

fn limits() -> Limits {
    Limits { wall: std::time::Duration::from_secs(2), ..Limits::default() }
}

fn healthy(bench: &Bench, project: &Project) -> Baseline {
    let environment = bench.environment(&project.tests);
    baseline(bench.backend.as_ref(), &environment, &bench.layers, project, &limits()).expect("a healthy suite")
}

fn on_ground<R>(bench: &Bench, project: &Project, work: &dyn Fn(&Ground) -> R) -> R {
    let (environment, baseline) = (bench.environment(&project.tests), healthy(bench, project));
    let backend = bench.backend.as_ref();
    work(&Ground { backend, environment: &environment, layers: &bench.layers, project, baseline: &baseline })
}

fn confirm(before: &str, after: &str) -> Option<Result<BugRecord, Rejection>> {
    let bench = Bench::open()?;
    Some(on_ground(&bench, &shop(), &|ground| validate(ground, &edit(before, after))))
}

fn id(name: &str) -> String {
    format!("tests/test_prices.py::{name}")
}

#[test]
fn failing_tests_of_the_healthy_tree_are_set_aside() {
    let Some(bench) = Bench::open() else { return };
    let healthy = healthy(&bench, &shop());
    assert_eq!(
        healthy.passing.iter().map(String::as_str).collect::<Vec<_>>(),
        ["test_high", "test_low", "test_total"].map(id)
    );
    assert_eq!(healthy.set_aside, [format!("`{}`: AssertionError", id("test_broken"))]);
}

#[test]
fn a_bug_that_some_tests_notice_makes_a_record() {
    let Some(record) = confirm("value < low", "value > low") else { return };
    let record = record.expect("a record");
    assert_eq!(record.fail_to_pass, [id("test_high"), id("test_low")]);
    assert_eq!(record.pass_to_pass, [id("test_total")]);
    assert_eq!((record.guards, record.processor), (vec![id("test_total")], None));
    assert_eq!(record.symptoms[0].call.as_deref(), Some("clamp(9, 1, 5)"));
    assert_eq!((record.symptoms[0].actual.as_deref(), record.symptoms[0].expected.as_deref()), (Some("1"), Some("5")));
    assert!(record.buggy.text("shop/prices.py").expect("text").contains("value > low"));
    assert_eq!(record.fixed, shop().tree);
}

/// The shop with a second file, whose function calls the first: `bill([9, 0])` takes each price between 1 and 5, and adds 1.
fn shop_with_bills() -> Project {
    let mut project = shop();
    project.tree.insert("shop/bills.py", BILLS);
    project
        .tree
        .insert("tests/test_bills.py", "from shop.bills import bill\ndef test_bill(): assert bill([9, 0]) == 7\n");
    project.tests.files.push("tests/test_bills.py".to_owned());
    project
}

const BILLS: &str = "\
from shop.prices import clamp
def bill(prices):
    return sum(clamp(price, 1, 5) for price in prices) + 1
";

#[test]
fn two_bugs_that_a_call_shows_as_long_as_either_is_there_make_one_record() {
    let Some(bench) = Bench::open() else { return };
    let at = BILLS.find("+ 1").expect("it is there");
    let second = Mutation {
        path: "shop/bills.py".to_owned(),
        start: at,
        end: at + 3,
        before: "+ 1".to_owned(),
        after: "+ 2".to_owned(),
        function: "bill".to_owned(),
        line: 3,
        ..edit("value < low", "")
    };
    let record = on_ground(&bench, &shop_with_bills(), &|ground| {
        let first = validate(ground, &edit("value < low", "value > low")).expect("a record");
        validate_pair(ground, &first, &second).expect("both change what the bill comes to")
    });
    assert_eq!(record.change.places, [edit("value < low", "value > low").place(), second.place()]);
    assert_eq!(record.change.necessary, record.change.paths());
    assert!(record.symptoms.iter().all(|symptom| symptom.call.as_deref() == Some("bill([9, 0])")));
    assert!(record.fail_to_pass.contains(&"tests/test_bills.py::test_bill".to_owned()));
    // `clamp(9, 1, 5)` is right again when the first is undone: the second is not needed to explain it.
    let only_direct = on_ground(&bench, &shop_with_bills(), &|ground| {
        let mut first = validate(ground, &edit("value < low", "value > low")).expect("a record");
        first.symptoms.retain(|symptom| symptom.call.as_deref() == Some("clamp(9, 1, 5)"));
        validate_pair(ground, &first, &second)
    });
    assert_eq!(only_direct.expect_err("one file suffices").code(), "one_file_suffices");
}

#[test]
fn calls_are_evaluated_alone_with_the_names_of_their_test_file() {
    let Some(bench) = Bench::open() else { return };
    let project = shop();
    let environment = bench.environment(&project.tests);
    let layer = bench.layers.layer(&project.tree).expect("a layer");
    let sources = ["clamp(0, 1, 5)", "clamp(0)", "object()", "(", "total([1])"];
    let calls = sources.map(|source| Call { path: "tests/test_prices.py".to_owned(), source: source.to_owned() });
    let seen =
        evaluate(bench.backend.as_ref(), &environment, &[layer], &calls, &limits(), None).expect("a working sandbox");
    let values: Vec<Option<&str>> = seen.iter().map(|observation| observation.value.as_deref()).collect();
    assert_eq!(values, [Some("1"), None, None, None, Some("1")]);
    let raised: Vec<&str> = seen.iter().filter_map(|observation| observation.exception.as_deref()).collect();
    assert!(
        raised[0].starts_with("TypeError: clamp() missing 2") && raised[1].starts_with("SyntaxError"),
        "{raised:?}"
    );
}

#[test]
fn mutations_that_make_no_bug_are_rejected_with_a_code() {
    let cases = [
        ("value < low", "value <= low", "survived"),
        ("values = values[1:]", "values = values[:]", "hangs"),
        ("def total", "def sum_up", "collect_failed"),
    ];
    for (before, after, code) in cases {
        let Some(outcome) = confirm(before, after) else { return };
        assert_eq!(outcome.expect_err("no bug").code(), code, "{after}");
    }
}

#[test]
fn an_edit_that_does_not_fit_the_file_is_refused() {
    let Some(bench) = Bench::open() else { return };
    let misfit = Mutation { before: "something".to_owned(), ..edit("value < low", "x") };
    let outcome = on_ground(&bench, &shop(), &|ground| validate(ground, &misfit));
    assert_eq!(outcome.expect_err("a misfit").code(), "does_not_fit");
}

#[test]
fn a_project_in_which_nothing_passes_has_no_baseline_and_hears_why() {
    let Some(bench) = Bench::open() else { return };
    let mut project = shop();
    project.tree.insert("shop/prices.py", "raise ImportError('no such thing')");
    let environment = bench.environment(&project.tests);
    let error =
        baseline(bench.backend.as_ref(), &environment, &bench.layers, &project, &limits()).expect_err("nothing passes");
    let expected = "no test of `example` passes: `tests/test_prices.py`: ImportError: no such thing; \
        make its tests pass in a fresh environment without network first";
    assert_eq!(error.to_string(), expected);
    project.tests.files.clear();
    let error =
        baseline(bench.backend.as_ref(), &environment, &bench.layers, &project, &limits()).expect_err("no tests");
    assert!(error.to_string().contains("`example` has no tests"), "{error}");
}

#[test]
fn many_mutations_at_once_give_the_records_and_rejections_of_each_alone() {
    let Some(bench) = Bench::open() else { return };
    let edits = [
        ("value < low", "value > low"),
        ("value < low", "value <= low"),
        ("values = values[1:]", "values = values[:]"),
        ("def total", "def sum_up"),
        ("result += values[0]", "result += 1"),
        ("return low", "__import__('os')._exit(0)"),
        ("return low", "open('/repo/left', 'w').close()"),
        ("result = 0", "result = 1"),
    ];
    let mut mutations: Vec<Mutation> = edits.iter().map(|(before, after)| edit(before, after)).collect();
    mutations.push(Mutation { before: "something".to_owned(), ..edit("value < low", "x") });
    let said = |outcome: Result<BugRecord, Rejection>| match outcome {
        Ok(record) => format!("{} {:?} {:?}", record.id, record.fail_to_pass, record.symptoms),
        Err(rejection) => rejection.code().to_owned(),
    };
    on_ground(&bench, &shop(), &|ground| {
        let together = try_all(ground, &mutations).into_iter();
        let together: Vec<String> = together.map(|tried| said(tried.and_then(|tried| tried.confirm(ground)))).collect();
        let alone: Vec<String> = mutations.iter().map(|mutation| said(validate(ground, mutation))).collect();
        assert_eq!(together, alone);
    });
}
