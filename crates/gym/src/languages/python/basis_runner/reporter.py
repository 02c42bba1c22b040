"""Runs tests with pytest and reports every phase on the channel; what pytest prints and writes counts for nothing.

The interpreter starts isolated; this file sets the import path itself, packages first and the project last, so that no file of the
tree takes the place of pytest or of the standard library. Configuration, plugins and hooks of the project are off,
except `conftest.py` files where the host says that the healthy tree has them, and plugins among the installed packages.
"""

import os
import posix
import signal
import sys
from time import process_time

from basis_runner.channel import limit_processor, open_channel, read_instructions

CANARIES = "def test_{0}():\n    assert 1 + 1 == 2\n\ndef test_{1}():\n    assert 1 + 1 == 3\n"
# These change which tests run, how often or in which order, or start processes.
UNWANTED_PLUGINS = ("pytest_cov", "xdist", "pytest_randomly", "pytest_sugar", "pytest_rerunfailures", "pytest_html")


def main(instructions=None, fork=None):
    """Makes one run; or begins a session as these instructions want it, which `fork` makes many of: in each of them `fork(config)` returns the
    instructions of a run, which goes on from there."""
    instructions = instructions or read_instructions()
    reporter = Reporter(fork)
    if not fork:
        reporter.begin(instructions)
    prepare(instructions)
    run(reporter, options(instructions) + ([] if fork else reporter.targets()))


def prepare(instructions):
    """Everything that comes before a session and is the same for all runs of one `shape`."""
    sys.path.extend(instructions.get("path", []))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    outermost = pytest.hookimpl(hookwrapper=True, tryfirst=True)
    Reporter.pytest_load_initial_conftests = outermost(continue_in_fork)
    if "patience" in instructions:
        Reporter.pytest_runtest_call = pytest.hookimpl(hookwrapper=True)(give_up_after(float(instructions["patience"][0])))
    steady_hypothesis()
    spare_signatures()
    spare_terminal()


def shape(instructions):
    """What of the instructions decides how a session begins."""
    return options(instructions), instructions.get("path"), instructions.get("patience")


def run(reporter, arguments):
    import pytest

    finish, stdout, stderr = posix._exit, sys.stdout, sys.stderr
    status = pytest.main(arguments, plugins=[reporter])
    if not hasattr(reporter, "emit"):
        # The session ended before it came to a fork. Nothing is said, so that all runs are made in fresh sandboxes.
        finish(int(status))
    reporter.finish()
    for stream in (stdout, stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    reporter.emit("end", counts=reporter.counts, cpu=process_time() * 1000.0)
    # Nothing that the project left behind (exit handlers, threads) may change the status or hold the process.
    finish(int(status))


def continue_in_fork(self, early_config, args):
    """Before the first `conftest.py` nothing that pytest did depends on the files of the tree: here one session becomes many."""
    if self.fork:
        self.begin(self.fork(early_config))
        targets = self.targets()
        args.extend(targets)
        early_config.known_args_namespace.file_or_dir = targets
        invoke_with(early_config, args)
    yield


def invoke_with(config, args):
    given = config.invocation_params
    config.invocation_params = type(given)(args=args, plugins=given.plugins, dir=given.dir)


def write_canaries(names):
    """A test file outside the tree, in a new directory of its own."""
    folder = "/tmp/" + names[0]
    os.mkdir(folder)
    with open(folder + "/canary.py", "w") as file:
        file.write(CANARIES.format(*names))
    return folder + "/canary.py"


def options(instructions):
    files = instructions.get("file", [])
    given = ["-q", "--tb=no", "--no-summary", "-c", os.path.dirname(__file__) + "/pytest.ini", "--rootdir", os.getcwd(), "-o", "addopts="]
    given += ["-p", "no:cacheprovider", "--continue-on-collection-errors", "--import-mode", import_mode(files)]
    if "conftest" not in instructions:
        given.append("--noconftest")
    for plugin in installed_plugins(instructions.get("packages", [])):
        given += ["-p", plugin]
        if plugin == "pytest_asyncio.plugin":
            given += ["-o", "asyncio_mode=auto"]
    return given


def import_mode(files):
    """Test directories go to the end of the import path unless their names make that impossible."""
    stems = [os.path.basename(file) for file in files if not os.path.exists(os.path.dirname(file) + "/__init__.py")]
    if len(stems) > len(set(stems)):
        return "importlib"
    packages = {file.split("/")[0] for file in files if os.path.exists(file.split("/")[0] + "/__init__.py")}
    return "prepend" if packages & set(getattr(sys, "stdlib_module_names", ["test"])) else "append"


def installed_plugins(folders):
    """Modules that installed packages offer to pytest."""
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            path = folder + "/" + name + "/entry_points.txt"
            if name.endswith(".dist-info") and os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    yield from offered(file.read())


def offered(entry_points):
    section = ""
    for line in entry_points.splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[pytest11]" and "=" in line:
            module = line.partition("=")[2].strip()
            if not module.startswith(UNWANTED_PLUGINS):
                yield module


class OutOfPatience(KeyboardInterrupt):
    """Goes through everything that a test may catch, the subtests of `unittest` included."""


def give_up_after(seconds):
    """A hook around the call of each test that makes it fail when it uses more processor time."""

    def expire(*_):
        raise OutOfPatience

    def around_call(self, item):
        signal.signal(signal.SIGPROF, expire)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        outcome = yield
        signal.setitimer(signal.ITIMER_PROF, 0)
        if outcome.excinfo and issubclass(outcome.excinfo[0], OutOfPatience):
            outcome.force_exception(TimeoutError("takes too long"))

    return around_call


def steady_hypothesis():
    """Property tests try the same examples in every run."""
    try:
        from hypothesis import settings
    except ImportError:
        return
    settings.register_profile("basis", derandomize=True, database=None, deadline=None)
    settings.load_profile("basis")


def spare_signatures():
    """Pytest makes a function without parameters for every value that a test is given, and asks for its parameters."""
    from _pytest import fixtures

    ask, kind, rest = fixtures.getfuncargnames, type(main), 0x04 | 0x08

    def names(function, *given, **named):
        code = function.__code__ if type(function) is kind and not vars(function) else None
        is_bare = code and not (code.co_argcount or code.co_kwonlyargcount or code.co_flags & rest)
        return () if is_bare else ask(function, *given, **named)

    fixtures.getfuncargnames = names


def spare_terminal():
    """Has the terminal of this session write nothing for each test, which nobody reads; sessions that tests begin write as ever."""
    from _pytest.terminal import TerminalReporter

    hooks = {name: vars(TerminalReporter)[name] for name in ("pytest_runtest_logstart", "pytest_runtest_logreport")}
    for name in hooks:
        delattr(TerminalReporter, name)

    # The terminal of this session is registered by now.
    def give_back(self):
        for name, hook in hooks.items():
            setattr(TerminalReporter, name, hook)

    Reporter.pytest_sessionstart = give_back


class Reporter:
    """The plugin. Its hooks only look; but it chooses and orders the tests."""

    def __init__(self, fork=None):
        self.fork = fork

    def begin(self, instructions):
        if "nonce" in instructions:
            self.emit = open_channel(instructions["nonce"][0])
            limit_processor(instructions)
            self.emit("begin")
        self.canary = write_canaries(instructions["canary"])
        self.root = os.getcwd()
        self.canaries = set()
        self.selected = set(instructions.get("test", []))
        # Functions and classes that hold selected tests; what stands in brackets may hold anything.
        self.names = {part.partition("[")[0] for test in self.selected for part in test.split("::")[1:]}
        self.given = instructions.get("file", [])
        self.files = {self.root + "/" + file for file in self.given}
        self.counts = {}
        self.compared = None
        self.started = process_time()
        self.observer = self.recorder = None
        if "symptoms" in instructions:
            from basis_runner.symptom import Observer

            self.observer = Observer()
        if "coverage" in instructions:
            from basis_runner.coverage_recorder import Recorder

            self.recorder = Recorder(self.root)

    def targets(self):
        """What pytest is told to run."""
        return [self.canary, *self.given]

    def become(self, instructions, session):
        """Goes on as a run of some of the tests that a session has collected for many."""
        config, before = session.config, self.targets()
        self.begin(instructions)
        targets = self.targets()
        if targets != before:
            for listed in (config.args, config.option.file_or_dir, config.known_args_namespace.file_or_dir):
                listed[:] = targets
            invoke_with(config, [*config.invocation_params.args[:-len(before)], *targets])
        session.items = self.arranged(session.items)
        session.testscollected = len(session.items)

    def identity(self, nodeid):
        return "canary.py::" + nodeid.rpartition("::")[2] if nodeid in self.canaries else nodeid

    def pytest_collection(self):
        if self.recorder:
            self.recorder.start("")

    def pytest_pycollect_makeitem(self, collector, name):
        """Leaves out what no selected test is in: a function with many parameters is many items, which take long to make."""
        if self.selected and name not in self.names and str(collector.path) != self.canary:
            return []

    def pytest_collection_modifyitems(self, config, items):
        if self.recorder:
            self.recorder.stop()
        items[:] = self.arranged(items)

    def arranged(self, items):
        """The selected tests between the canaries."""
        canaries = [item for item in items if str(item.path) == self.canary]
        others = [item for item in items if str(item.path) != self.canary]
        chosen = [item for item in others if not self.selected or item.nodeid in self.selected]
        self.canaries.update(item.nodeid for item in canaries)
        return [*canaries[:1], *chosen, *canaries[1:]]

    def pytest_collectreport(self, report):
        if report.failed:
            lines = [line for line in str(report.longrepr).splitlines() if line.strip()]
            raised = [line[1:].strip() for line in lines if line.startswith("E ")]
            self.emit("collect", path=report.nodeid, message=shorten((raised or lines or [""])[-1]))

    def pytest_runtest_logstart(self, nodeid):
        self.compared = None
        self.started = process_time()
        if self.recorder:
            self.recorder.start(self.identity(nodeid))

    def pytest_runtest_logfinish(self):
        if self.recorder:
            self.recorder.stop()

    def pytest_runtest_logreport(self, report):
        outcome = classify(report)
        if report.when != "call" and outcome == "passed":
            return
        phase = "subtest" if hasattr(report, "context") else report.when
        if phase == "subtest" and outcome == "passed":
            return
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        detail = "" if outcome == "passed" else explain(report)
        identity, wall, cpu = self.identity(report.nodeid), report.duration * 1000.0, self.processor_time()
        self.emit("test", id=identity, phase=phase, outcome=outcome, ms=wall, cpu=cpu, detail=detail)

    def processor_time(self):
        """Milliseconds of processor time since the last event."""
        before, self.started = self.started, process_time()
        return (self.started - before) * 1000.0

    def pytest_runtest_makereport(self, item, call):
        """Has pytest describe the last frame of a failure only: nobody reads the others."""
        if call.excinfo:
            item._traceback_filter = last_frame

    def pytest_assertrepr_compare(self, op, left, right):
        self.compared = [left, right]

    def pytest_exception_interact(self, node, call, report):
        if self.observer and report.when == "call" and node.nodeid not in self.canaries:
            self.observer.observe(node.nodeid, call.excinfo.value, self.files.__contains__, self.compared)

    def finish(self):
        if self.observer:
            for identity, symptom in self.observer.seen:
                self.emit("symptom", id=identity, **symptom)
        if self.recorder:
            self.recorder.report(self.emit)


def last_frame(raised):
    return raised.traceback[-1:]


def classify(report):
    if hasattr(report, "wasxfail"):
        return "xfail" if report.skipped else "xpass"
    if report.failed and report.when != "call":
        return "error"
    return report.outcome


def explain(report):
    """Class and message of what was raised, in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return shorten(crash.message)
    if type(report.longrepr) is tuple:
        return shorten(report.longrepr[2])
    return shorten(str(report.longrepr or ""))


def shorten(text):
    text = " ".join(str(text).split())
    return text if len(text) <= 300 else text[:297] + "..."
