//! Runs that share a collection give the reports of fresh processes, and variants that may not share one do not.

use std::time::Duration;

use basis_gym::languages::python::Selection;
use basis_gym::project::RunnerKind;

use crate::bench::{Bench, setup, tree};
use crate::warm::Suite;

const MODULE: &str = "shop/prices.py";
const TEST: &str = "tests/test_prices.py";
const OTHER: &str = "tests/test_other.py";

const HEALTHY: &str = r"import functools, types

def clamp(value, low, high):
    value = min(high, value)
    return max(low, value)

def shift(values, by=1):
    def inner(value):
        return value + by
    return [inner(each) for each in values]

def pairs(values):
    for left in values:
        yield left, left * 2

def counted(values):
    total = sum(1 for each in values if each > 1)
    return total

class Price:
    rate = 3
    def __init__(self, value):
        self.value = value
    @property
    def gross(self):
        return self.value * self.rate
    @staticmethod
    def parse(text):
        return Price(int(text))

def traced(function):
    @functools.wraps(function)
    def wrapper(*given):
        return function(*given) + 1
    return wrapper

@traced
def double(value):
    return value * 2

KNOWN = {'double': double, 'sort': lambda values: sorted(values)}

@functools.lru_cache(None)
def square(value):
    return value ** 2

def table(size):
    return [each * each for each in range(size)]

SQUARES = table(4)
later = pairs([1, 2])

def described(value):
    'Says what it is.'
    return str(value)

def original(value):
    return value - 1
twin = types.FunctionType(original.__code__, globals())

def used_by_tests(value):
    return value * 10
";

/// What a variant changes, and whether it may share a collection with others.
const VARIANTS: [(&str, &str, bool); 24] = [
    ("LIMIT", "LIMIT", true),
    ("max(low, value)", "value", true),
    ("    value = min(high, value)\n", "", true),
    ("value + by", "value - by", true),
    ("in values]", "in values[1:]]", true),
    ("by=1", "by=2", false),
    ("left * 2", "left * 3", false),
    ("each > 1", "each >= 1", true),
    ("rate = 3", "rate = 4", false),
    ("self.value * self.rate", "self.value + self.rate", true),
    ("Price(int(text))", "Price(text)", true),
    ("function(*given) + 1", "function(*given) + 2", true),
    ("return wrapper", "return function", false),
    ("value * 2", "value * 3", true),
    ("sorted(values)", "list(values)", true),
    ("value ** 2", "value ** 3", true),
    ("each * each", "each + each", false),
    ("table(4)", "table(5)", false),
    ("Says what it is.", "Is what it says.", false),
    ("str(value)", "repr(value)", true),
    ("value - 1", "value - 2", true),
    ("value * 10", "value * 11", false),
    ("def clamp(value, low, high)", "def clamp(value, high, low)", false),
    ("return max(low, value)", "return max(low, value", false),
];

const TESTS: &str = r"
import functools, gc, inspect, sys, pytest
from shop import prices

FACTOR = prices.used_by_tests(1)

@pytest.fixture(scope='module')
def known(): return prices.KNOWN

@pytest.mark.parametrize('value', range(4))
def test_square(value): assert prices.square(value) == prices.SQUARES[value]
def test_clamp():
    assert prices.clamp(3, 1, 2) == 2
    assert prices.clamp(0, 1, 2) == 1
def test_shift(): assert prices.shift([1, 2]) == [2, 3]
def test_pairs(): assert list(prices.pairs([1, 2])) == [(1, 2), (2, 4)]
def test_later(): assert list(prices.later) == [(1, 2), (2, 4)]
def test_counted(): assert prices.counted([1, 2]) == 1
def test_price(): assert prices.Price.parse('2').gross == 6
def test_known(known): assert (known['double'](2), known['sort']([2, 1])) == (5, [1, 2])
def test_described(): assert prices.described('a') == 'a' and prices.described.__doc__[:4] == 'Says'
def test_twin(): assert (prices.original(1), prices.twin(1)) == (0, 0)
def test_factor(): assert FACTOR == 10
def test_captured(capsys):
    print(prices.clamp(0, 1, 2))
    assert capsys.readouterr().out == '1\n'
def test_source_is_that_of_the_variant():
    functions = [value for value in vars(prices).values() if inspect.isfunction(value)]
    assert [(inspect.getsource(each), inspect.signature(each)) for each in functions] == 0
def test_imported_again_it_is_the_variant():
    del sys.modules['shop.prices']
    import shop.prices
    assert (shop.prices.clamp(0, 1, 2), shop.prices.square(2), prices.clamp(0, 1, 2)) == 0
def test_code_is_of_one_kind():
    codes = [each.__code__ for each in gc.get_objects() if inspect.isfunction(each) and each.__module__ == 'shop.prices']
    assert sorted((code.co_name, code.co_firstlineno, code.co_consts[1:2]) for code in codes if code.co_name != 'wrapper') == 0
";

const MORE: &str =
    "from shop import prices\ndef test_more(): assert prices.clamp(9, 1, 2) == 2 and prices.square(3) == 9\n";

/// Fails in a process that is not the one that has imported the file.
const SHARES: &str = "import os\nfrom shop import prices\nOWN, TEN = os.getpid(), prices.used_by_tests(1)\n\
    def test_imports(): assert os.getpid() == OWN\n";

fn variants() -> Vec<[(&'static str, String); 1]> {
    VARIANTS.iter().map(|(before, after, _)| [(MODULE, HEALTHY.replacen(before, after, 1))]).collect()
}

#[test]
fn variants_give_the_same_reports_in_forks_of_a_collection_and_in_fresh_processes() {
    let Some(bench) = Bench::open() else { return };
    let files = [(MODULE, HEALTHY), (TEST, TESTS), (OTHER, MORE)];
    let Some(suite) = Suite::of(bench, &setup(RunnerKind::Pytest, &[TEST, OTHER]), &files) else { return };
    let variants = variants();
    let texts: Vec<[(&str, &str); 1]> = variants.iter().map(|[(path, text)]| [(*path, text.as_str())]).collect();
    let all = Selection::files([TEST, OTHER]).with_symptoms();
    let some = ["test_clamp", "test_square[3]", "test_known"].map(|name| format!("{TEST}::{name}"));
    let few = Selection::tests(&some);
    let more = Selection::tests(&[format!("{OTHER}::test_more"), format!("{TEST}::test_twin")]);
    let run = |selection: &Selection| -> Vec<(&[(&str, &str)], Selection)> {
        texts.iter().map(|files| (&files[..], selection.clone())).collect()
    };
    suite.agree("all tests", &run(&all));
    let mixed: Vec<_> = run(&few).into_iter().zip(run(&more)).flat_map(|(one, other)| [one, other]).collect();
    suite.agree("some tests", &mixed);
}

#[test]
fn only_variants_whose_code_did_not_run_while_collecting_share_a_collection() {
    let Some(bench) = Bench::open() else { return };
    let files = [(MODULE, HEALTHY), (TEST, SHARES)];
    let Some(suite) = Suite::of(bench, &setup(RunnerKind::Pytest, &[TEST]), &files) else { return };
    let patches: Vec<_> = variants().iter().map(|[(path, text)]| tree(&[(path, text.as_str())])).collect();
    let reports = suite.warm(&patches, &Selection::files([TEST]), &|_| Duration::from_secs(60));
    for ((before, after, shares), report) in VARIANTS.iter().zip(reports) {
        let report = report.expect("a report of every run");
        let passed = report.outcomes.get(&format!("{TEST}::test_imports")).is_some_and(|outcome| outcome.passed());
        let is_imported = !after.ends_with("max(low, value");
        assert_eq!(passed, !shares && is_imported, "`{before}` became `{after}`");
    }
}

/// What a file of tests may do while it is imported so that it is imported in each run.
const ALONE: [(&str, &str); 8] = [
    ("starts a thread", "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"),
    (
        "has had a thread",
        "import threading\nthread = threading.Thread(target=prices.clamp, args=(1, 2, 3))\nthread.start()\nthread.join()\n",
    ),
    ("has had a process", "import subprocess\nsubprocess.run(['true'])\n"),
    ("opens a file", "FILE = open(__file__)\n"),
    ("leaves a file", "open('/tmp/left', 'w').write('text')\n"),
    ("reads the source", "import inspect\nTEXT = inspect.getsource(prices.clamp)\n"),
    (
        "copies the code",
        "CODE = prices.clamp.__code__.replace(co_name='other')\nCOPY = type(prices.clamp)(CODE, vars(prices))\n",
    ),
    ("replaces the profiler", "import sys\nsys.setprofile(None)\n"),
];

#[test]
fn files_that_would_be_other_ones_in_a_fork_are_collected_in_the_fork() {
    for (what, code) in ALONE {
        let Some(bench) = Bench::open() else { return };
        let test = SHARES.replacen("OWN,", &format!("{code}OWN,"), 1);
        let files = [(MODULE, HEALTHY), (TEST, test.as_str())];
        let Some(suite) = Suite::of(bench, &setup(RunnerKind::Pytest, &[TEST]), &files) else { return };
        let variants = variants();
        let texts = variants[1].each_ref().map(|(path, text)| (*path, text.as_str()));
        suite.agree(what, &[(&texts, Selection::files([TEST])), (&texts, Selection::files([TEST]))]);
    }
}
