//! A warm interpreter gives the same reports as a cold one, whatever tests do; what it cannot repeat, it does not report.

use std::path::PathBuf;
use std::time::Duration;

use basis_gym::languages::python::warm::run_warm;
use basis_gym::languages::python::{Environment, PythonError, Selection, TestReport, run_tests};
use basis_gym::languages::{Health, WarmRun};
use basis_gym::project::{RunnerKind, TestSetup};
use basis_gym::tree::Tree;
use basis_sandbox::Limits;

use crate::bench::{Bench, setup, skip, tree};

const MODULE: &str = "shop/prices.py";
const TEST: &str = "tests/test_prices.py";

/// Variants of the module: as it is, with bugs, not to be imported, endless, fatal.
const VARIANTS: [&str; 8] = [
    "def clamp(value, low, high):\n    return max(low, min(high, value))\n",
    "def clamp(value, low, high):\n    return min(high, value)\n",
    "def clamp(value, low, high):\n    raise ValueError(f'no {value}')\n",
    "def clamp(value, low, high)\n",
    "import os, random\ndef clamp(value, low, high):\n    os.environ['LEFT'] = '1'\n    random.seed(1)\n    print('x' * 9999)\n    return low\n",
    "import os\ndef clamp(value, low, high):\n    os._exit(0)\n",
    "import os\ndef clamp(value, low, high):\n    os.kill(os.getpid(), 11)\n",
    "def clamp(value, low, high):\n    while True: pass\n",
];

const PLAIN: &str = "\
import os, sys, tempfile, threading, unittest
from shop.prices import clamp

def test_inside(): assert clamp(3, 1, 5) == 3
def test_below(): assert clamp(0, 1, 5) == 1
def test_above(): assert clamp(9, 1, 5) == 5
def test_raises():
    try: clamp('a', 1, 5)
    except TypeError: pass
def test_skips(): raise unittest.SkipTest('later')
def test_exits(): raise SystemExit(3)
def test_world():
    assert os.listdir('/tmp') == [] and 'LEFT' not in os.environ and os.getcwd() == '/repo'
    assert sys.argv == ['-c'] and threading.active_count() == 1 and sys.stdin.read() == ''
    tempfile.mkdtemp()
    open('/dev/shm/left', 'w').close()
def test_leaves_a_process():
    if os.fork() == 0:
        os.setsid()
        while True: pass

class Old(unittest.TestCase):
    def setUp(self): self.high = 5
    def test_old(self): self.assertEqual(clamp(9, 1, self.high), 5)
";

const PYTEST: &str = "\
import logging, os, sys, warnings, unittest, pytest
from shop.prices import clamp

@pytest.fixture
def high(tmp_path):
    (tmp_path / 'file').write_text('text')
    yield 5

@pytest.mark.parametrize('value', [9, 7])
def test_above(value, high): assert clamp(value, 1, high) == high
def test_below(monkeypatch):
    monkeypatch.setenv('LEFT', '1')
    assert clamp(0, 1, 5) == pytest.approx(1)
@pytest.mark.xfail
def test_expected(): assert clamp(3, 1, 5) == 4
@pytest.mark.skip
def test_skipped(): pass
def test_captured(capsys, caplog):
    print('out'); logging.warning('log')
    assert capsys.readouterr().out == 'out\\n' and 'log' in caplog.text
def test_warns():
    with pytest.warns(UserWarning): warnings.warn('w')
def test_raises():
    with pytest.raises(TypeError): clamp('a', 1, 5)
def test_fixture_is_missing(nothing): pass
def test_world():
    assert 'LEFT' not in os.environ and os.getcwd() == '/repo'
    assert [name for name in sys.modules if name.startswith('tests') or name == 'conftest'] == []

class Old(unittest.TestCase):
    def test_old(self):
        for value in (9, 0):
            with self.subTest(value=value): self.assertEqual(clamp(value, 1, 5), 5)
";

/// A report without its times and addresses, which differ from run to run.
fn facts(report: &TestReport) -> TestReport {
    let mut report = report.clone();
    (report.duration, report.processor) = (Duration::ZERO, Duration::ZERO);
    for outcome in report.outcomes.values_mut() {
        (outcome.duration, outcome.processor) = (Duration::ZERO, Duration::ZERO);
        let mut parts = outcome.detail.split(" at 0x");
        let first = parts.next().unwrap_or_default().to_owned();
        outcome.detail =
            parts.fold(first, |text, part| text + part.trim_start_matches(|it: char| it.is_ascii_hexdigit()));
    }
    report
}

pub(crate) struct Suite {
    bench: Bench,
    environment: Environment,
    layer: PathBuf,
    limits: Limits,
}

impl Suite {
    fn open(setup: &TestSetup, test: &str) -> Option<Self> {
        Self::of(Bench::open()?, setup, &[(MODULE, VARIANTS[0]), (TEST, test)])
    }

    pub(crate) fn of(bench: Bench, setup: &TestSetup, files: &[(&str, &str)]) -> Option<Self> {
        let layer = bench.layers.layer(&tree(files)).expect("a layer");
        match Environment::prepare(&bench.layers, &bench.toolchain, setup) {
            Ok(environment) => {
                let limits = Limits { wall: Duration::from_secs(60), ..Limits::default() };
                Some(Self { bench, environment, layer, limits })
            }
            Err(error @ (PythonError::Requirements { .. } | PythonError::NoInstaller { .. })) => {
                skip(&error);
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn cold(&self, patch: &Tree, selection: &Selection, wall: Duration) -> TestReport {
        let layers = [self.layer.clone(), self.bench.layers.layer(patch).expect("a layer")];
        let limits = Limits { wall, ..self.limits.clone() };
        run_tests(self.bench.backend.as_ref(), &self.environment, &layers, selection, &limits)
            .expect("a working sandbox")
    }

    /// The reports of the runs that have one.
    pub(crate) fn warm(
        &self,
        patches: &[Tree],
        selection: &Selection,
        wall: &dyn Fn(usize) -> Duration,
    ) -> Vec<Option<TestReport>> {
        let run = |(index, patch)| WarmRun { patch, selection, wall: wall(index) };
        let runs: Vec<WarmRun<'_>> = patches.iter().enumerate().map(run).collect();
        let layers = std::slice::from_ref(&self.layer);
        run_warm(self.bench.backend.as_ref(), &self.environment, layers, &runs, &self.limits)
            .expect("a working sandbox")
    }

    /// Runs of patched trees, which all have a report, warm and cold.
    pub(crate) fn agree(&self, what: &str, runs: &[(&[(&str, &str)], Selection)]) {
        let patches: Vec<Tree> = runs.iter().map(|(files, _)| tree(files)).collect();
        let pairs = patches.iter().zip(runs);
        let warm: Vec<WarmRun<'_>> =
            pairs.map(|(patch, (_, selection))| WarmRun { patch, selection, wall: self.limits.wall }).collect();
        let layers = std::slice::from_ref(&self.layer);
        let reports = run_warm(self.bench.backend.as_ref(), &self.environment, layers, &warm, &self.limits)
            .expect("a working sandbox");
        for (index, (report, run)) in reports.iter().zip(&warm).enumerate() {
            let report = report.as_ref().unwrap_or_else(|| panic!("{what}: run {index} has no report"));
            let cold = self.cold(run.patch, run.selection, run.wall);
            let (report, cold) = (facts(report), facts(&cold));
            for (id, outcome) in &report.outcomes {
                assert_eq!(Some(outcome), cold.outcomes.get(id), "{what}: run {index}: {id}");
            }
            assert_eq!(report, cold, "{what}: run {index}");
        }
    }

    /// The variants in this order, warm and cold.
    fn agrees(&self, order: &[usize], selection: &Selection) {
        let wall = |variant: usize| Duration::from_secs(if variant == ENDLESS { 10 } else { 60 });
        let patches: Vec<Tree> = order.iter().map(|variant| tree(&[(MODULE, VARIANTS[*variant])])).collect();
        let warm = self.warm(&patches, selection, &|index| wall(order[index]));
        for (variant, (patch, warm)) in order.iter().zip(patches.iter().zip(warm)) {
            let warm = warm.unwrap_or_else(|| panic!("variant {variant} has no report"));
            let cold = self.cold(patch, selection, wall(*variant));
            assert_eq!(facts(&warm), facts(&cold), "variant {variant}");
        }
    }
}

/// The variant that never ends.
const ENDLESS: usize = 7;

#[test]
fn plain_suites_give_the_same_reports_warm_and_cold() {
    let Some(suite) = Suite::open(&setup(RunnerKind::Plain, &[TEST]), PLAIN) else { return };
    suite.agrees(&[0, 1, 2, 3, 7, 4, 5, 6, 5, 4, 3, 2, 1, 0], &Selection::files([TEST]).with_symptoms());
    suite.agrees(&[6, 0, 1], &Selection::tests(&[format!("{TEST}::test_below"), format!("{TEST}::Old::test_old")]));
}

#[test]
fn pytest_suites_give_the_same_reports_warm_and_cold() {
    let Some(suite) = Suite::open(&setup(RunnerKind::Pytest, &[TEST]), PYTEST) else { return };
    suite.agrees(&[0, 1, 2, 3, 7, 4, 5, 6, 5, 4, 3, 2, 1, 0], &Selection::files([TEST]).with_symptoms());
}

#[test]
fn a_run_that_waits_for_ever_is_not_waited_for() {
    let Some(suite) = Suite::open(&setup(RunnerKind::Plain, &[TEST]), PLAIN) else { return };
    let waits = "import threading\ndef clamp(value, low, high):\n    lock = threading.Lock()\n    lock.acquire()\n    lock.acquire()\n";
    let patches = [waits, VARIANTS[0]].map(|text| tree(&[(MODULE, text)]));
    let wall = Duration::from_secs(150);
    let reports = suite.warm(&patches, &Selection::files([TEST]), &|_| wall);
    let [Some(waiting), Some(healthy)] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((&waiting.health, &healthy.health), (&Health::TimedOut, &Health::Sound));
    assert!(waiting.duration * 3 < wall, "it would have slept to its deadline: {:?}", waiting.duration);
}

#[test]
fn after_a_run_that_changed_the_tree_nothing_is_reported() {
    let Some(suite) = Suite::open(&setup(RunnerKind::Plain, &[TEST]), PLAIN) else { return };
    let writes = "open('/repo/shop/left.py', 'w').close()\ndef clamp(value, low, high):\n    return low\n";
    let patches = [VARIANTS[0], writes, VARIANTS[0]].map(|text| tree(&[(MODULE, text)]));
    let reports = suite.warm(&patches, &Selection::files([TEST]), &|_| Duration::from_secs(60));
    let known: Vec<bool> = reports.iter().map(Option::is_some).collect();
    assert_eq!(known, [true, true, false], "the run itself began in a tree that was as it should be");
}
