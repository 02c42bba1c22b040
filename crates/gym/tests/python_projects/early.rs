//! A session of pytest that is begun before the fork cannot be told from one that is not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use basis_gym::languages::python::Selection;
use basis_gym::project::{RunnerKind, TestSetup};

use crate::bench::{Bench, setup};
use crate::warm::Suite;

const MODULE: &str = "shop/prices.py";
const TEST: &str = "tests/test_prices.py";
const CONFTEST: &str = "conftest.py";

const HEALTHY: (&str, &str) = (MODULE, "def clamp(value, low, high):\n    return max(low, min(high, value))\n");
const BUGGY: (&str, &str) = (MODULE, "def clamp(value, low, high):\n    return min(high, value)\n");
const RAISES: (&str, &str) = (MODULE, "def clamp(value, low, high):\n    raise ValueError('no')\n");
const BROKEN: (&str, &str) = (MODULE, "def clamp(value, low, high)\n");

/// Reads the environment and the variant, declares an option and a setting, and adds a mark.
const READS_ALL: &str = "\
import os, pytest
from shop.prices import clamp
SEEN = clamp(0, 1, 5), sorted(os.environ.items())
@pytest.fixture
def seen(): return SEEN
def pytest_addoption(parser):
    parser.addini('shop', 'where', default=str(SEEN))
    parser.addoption('--shop', default='none')
def pytest_configure(config): config.addinivalue_line('markers', 'slow: takes long')
";

/// Whatever a test can see of the session and the interpreter, in the messages of failures.
const FACTS: &str = r"
import gc, itertools, os, re, resource, signal, sys, weakref, pytest
from shop.prices import clamp

def stack(frame):
    codes = []
    while frame:
        codes.append(frame.f_code)
        frame = frame.f_back
    return [code.co_filename + code.co_name for code in codes if code.co_filename != __file__]

def facts(config):
    plain = lambda names: sorted((name, str(value)) for name, value in names.items())
    hook = config.hook
    yield stack(sys._getframe())
    yield sorted((name, str(plugin)) for name, plugin in config.pluginmanager.list_name_plugin() if not name.isdigit())
    yield plain(vars(config.option))
    yield config.args, config.invocation_params.args, config.invocation_params.dir, config.rootpath
    yield plain(vars(config.known_args_namespace))
    yield sorted(name for name in sys.modules if not name.startswith('basis_runner'))
    yield sys.path, sys.argv, sys.getrecursionlimit(), sorted(os.environ.items())
    yield config.getini('addopts'), config.getini('testpaths'), config.getini('markers')
    yield sorted(os.listdir('/proc/self/fd')), os.getcwd(), os.listdir('/dev/shm'), os.umask(0o22)
    yield [str(each.get_hookimpls()) for each in (hook.pytest_load_initial_conftests, hook.pytest_runtest_call)]
    yield sorted(sys.path_importer_cache), [type(finder).__name__ for finder in sys.meta_path]
    yield [signal.getsignal(number) for number in range(1, 60)], gc.get_threshold(), gc.isenabled()
    yield [resource.getrlimit(number) for number in range(10)], str(sys.stdin), str(sys.stdout)

@pytest.mark.parametrize('part', range(30))
@pytest.mark.parametrize('number', range(13))
def test_fact(number, part, request):
    # Of what names a place in memory, a file or this run only the shape.
    own = r'0x[0-9a-f]+|/tmp/\w{16}|number=\d+|test_fact\[.*?\]|plugin_name=.{1,4}\d{6,}'
    text = re.sub(own, '_', repr(next(itertools.islice(facts(request.config), number, None))))[part * 280:(part + 1) * 280]
    if text: raise Exception(text)

class Node: pass
def test_garbage_is_collected():
    node = Node()
    node.itself, seen = node, weakref.ref(node)
    del node
    gc.collect()
    assert seen() is None
def test_objects_are_found():
    import _pytest
    assert gc.get_freeze_count() == 0 and sys.modules in gc.get_referrers(_pytest)
    assert any(each is sys.modules for each in gc.get_objects())
def test_depth():
    def depth():
        try: return 1 + depth()
        except RecursionError: return 1
    reached = depth()
    assert reached == -1
def test_always(): assert (1, 'a tuple')
def test_seen(seen, request): assert (seen, request.config.getini('shop'), request.config.getoption('--shop')) == -1
@pytest.mark.slow
def test_marked(): assert clamp(0, 1, 5) == 1
class Late:
    def __del__(self): raise ValueError('late')
def test_leaves_garbage_that_raises():
    late = Late()
    late.itself = late
";

/// A run per file that is different, with the same selection.
fn each<'a>(files: &'a [(&str, &str)], selection: &Selection) -> Vec<(&'a [(&'a str, &'a str)], Selection)> {
    files.iter().map(|file| (std::slice::from_ref(file), selection.clone())).collect()
}

fn pytest(files: &[&str]) -> TestSetup {
    setup(RunnerKind::Pytest, files)
}

#[test]
fn no_test_and_no_conftest_sees_that_the_session_is_older_than_the_fork() {
    let Some(bench) = Bench::open() else { return };
    let files = [HEALTHY, (CONFTEST, READS_ALL), (TEST, FACTS)];
    let Some(suite) = Suite::of(bench, &pytest(&[TEST, CONFTEST]), &files) else { return };
    let symptoms = Selection::files([TEST]).with_symptoms();
    suite.agree("all", &each(&[HEALTHY, RAISES, BROKEN, BUGGY], &symptoms));
    let patient = Selection { patience: Some(Duration::from_secs(9)), ..Selection::files([TEST]) };
    suite.agree("with patience", &each(&[BUGGY], &patient));
}

#[test]
fn runs_that_begin_differently_share_no_session() {
    let Some(bench) = Bench::open() else { return };
    const OTHER: &str = "more/test_prices.py";
    const TESTS: &str = "from shop.prices import clamp\ndef test_low(): assert clamp(0, 1, 5) == 1\n";
    let Some(suite) = Suite::of(bench, &pytest(&[TEST, OTHER]), &[HEALTHY, (TEST, TESTS), (OTHER, TESTS)]) else {
        return;
    };
    let [one, both] = [&[TEST][..], &[TEST, OTHER]].map(|files| Selection::files(files.iter().copied()));
    let patient = Selection { patience: Some(Duration::from_secs(9)), ..one.clone() };
    let new: &[(&str, &str)] = &[BUGGY, ("shop/more.py", "")];
    let text: &[(&str, &str)] = &[("shop/list.txt", "one")];
    let runs: [(&[(&str, &str)], Selection); 6] = [
        (&[BUGGY], one.clone()),
        (new, one.clone()),
        (&[HEALTHY], both),
        (text, one.clone()),
        (&[BUGGY], patient),
        (&[HEALTHY], one.with_symptoms()),
    ];
    suite.agree("all", &runs);
}

#[test]
fn a_test_file_that_a_run_changes_is_compiled_in_that_run() {
    const TESTS: &str = "from shop.prices import clamp\ndef test_low(): assert clamp(0, 1, 5) == 1\n";
    const CHANGED: (&str, &str) = (TEST, "from shop.prices import clamp\ndef test_low(): assert clamp(0, 1, 5) == 2\n");
    const INVALID: (&str, &str) = (TEST, "from shop.prices import clamp\ndef test_low() assert clamp(0, 1, 5) == 1\n");
    for runner in [RunnerKind::Plain, RunnerKind::Pytest] {
        let Some(bench) = Bench::open() else { return };
        let Some(suite) = Suite::of(bench, &setup(runner, &[TEST]), &[HEALTHY, (TEST, TESTS)]) else { return };
        for selection in [Selection::files([TEST]), Selection::files([TEST]).with_symptoms()] {
            suite.agree("a changed test file", &each(&[HEALTHY, CHANGED, INVALID, BUGGY], &selection));
        }
    }
}

/// Plugins among the installed packages, by what they do when they are imported.
const PLUGINS: [(&str, &str); 8] = [
    ("keeps state", "SEEN = []\n"),
    ("starts a thread", "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"),
    ("starts a process", "import os, signal\nCHILD = os.fork()\nif CHILD == 0: signal.pause()\n"),
    ("opens a file", "FILE = open(__file__)\n"),
    ("leaves a file", "open('/tmp/left', 'w').write('text')\n"),
    ("imports the tree", "from shop.prices import clamp\n"),
    ("looks for a module that is not there", "try: import shop.more\nexcept ImportError: pass\n"),
    (
        "wants to be first",
        "import pytest\n@pytest.hookimpl(hookwrapper=True, tryfirst=True)\ndef pytest_load_initial_conftests():\n    import shop.prices\n    yield\n",
    ),
];

const HOOKS: &str = "
import os, pytest, threading
COUNTS = {}
def count(name): COUNTS[name] = COUNTS.get(name, 0) + 1
def pytest_addoption(): count('options')
def pytest_configure(): count('configure')
def pytest_runtest_setup(): count('setup')
@pytest.fixture
def state():
    here = sorted(name for name in os.listdir('/tmp') if not name.startswith('pytest') and len(name) < 9)
    runs = 'CHILD' in globals() and os.path.exists(f'/proc/{CHILD}')
    return COUNTS, here, threading.active_count(), runs, FILE.read(9) if 'FILE' in globals() else None
";

#[test]
fn a_plugin_that_would_be_another_one_in_a_fork_is_imported_in_the_fork() {
    const TESTS: &str = "import sys, shop.prices\n\
        def test_state(state): assert (state, 'shop.more' in sys.modules, shop.prices.clamp(0, 1, 5)) == -1\n\
        def test_again(state): assert (state, shop.prices.clamp(9, 1, 5)) == -1\n";
    let Some(bench) = Bench::with_empty_store() else { return };
    let store = bench.store().to_owned();
    let Some(suite) = Suite::of(bench, &pytest(&[TEST]), &[HEALTHY, (TEST, TESTS)]) else { return };
    let packages = packages(&store);
    let described = packages.join("zz_shop-1.dist-info");
    std::fs::create_dir(&described).expect("a description");
    std::fs::write(described.join("entry_points.txt"), "[pytest11]\nshop = zz_shop\n").expect("an entry point");
    for (name, code) in PLUGINS {
        std::fs::write(packages.join("zz_shop.py"), format!("{code}{HOOKS}")).expect("a plugin");
        let runs = each(&[HEALTHY, BUGGY], &Selection::files([TEST]));
        suite.agree(&format!("a plugin that {name}"), &runs);
    }
}

/// The layer with the packages of the only environment in a store.
fn packages(store: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(store).expect("a store").map(|entry| entry.expect("an entry").path());
    entries.find(|path| path.join("_pytest").is_dir()).expect("a layer with pytest")
}
