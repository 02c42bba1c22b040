"""Runs `test_*` functions and `Test*` classes that use plain `assert`, with nothing but the standard library.

It knows no fixtures, parameters or plugins. Every outcome is an event on the channel; what is printed counts for nothing.
All files are imported before the first test runs. Two canaries from the host, one that passes and one that fails, go the same way
as every test, so that code which makes everything pass shows itself. Not on the hot path: symptoms and coverage.
"""

import posix
import sys
from time import perf_counter, process_time

from basis_runner.channel import limit_processor, open_channel, read_instructions

CANARIES = "def test_{0}():\n    assert 1 + 1 == 2\n\ndef test_{1}():\n    assert 1 + 1 == 3\n"


def main(instructions=None):
    instructions = instructions or read_instructions()
    emit = open_channel(instructions["nonce"][0])
    limit_processor(instructions)
    finish, stdout, stderr = posix._exit, sys.stdout, sys.stderr
    emit("begin")
    failed = Session(instructions, emit).run()
    for stream in (stdout, stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    # Nothing that the project left behind (exit handlers, threads) may change the status or hold the process.
    finish(1 if failed else 0)


class Session:
    def __init__(self, instructions, emit):
        self.emit = emit
        self.root = posix.getcwd()
        self.files = instructions.get("file", [])
        self.selected = set(instructions.get("test", []))
        self.canary = instructions["canary"]
        self.observer = self.open_observer() if "symptoms" in instructions else None
        self.recorder = self.open_recorder() if "coverage" in instructions else None
        self.counts = {}
        sys.path.extend(instructions.get("path", []))

    def open_observer(self):
        from basis_runner.symptom import Observer

        return Observer()

    def open_recorder(self):
        from basis_runner.coverage_recorder import Recorder

        return Recorder(self.root)

    def run(self):
        passing, failing = self.collect_canaries()
        tests = []
        if self.recorder:
            self.recorder.start("")
        for path in self.files:
            tests.extend(self.collect(path))
        if self.recorder:
            self.recorder.stop()
        for identity, function in [passing, *tests, failing]:
            self.run_test(identity, function)
        if self.observer:
            for identity, symptom in self.observer.seen:
                self.emit("symptom", id=identity, **symptom)
        if self.recorder:
            self.recorder.report(self.emit)
        self.emit("end", counts=self.counts, cpu=process_time() * 1000.0)
        return self.counts.get("failed", 0) + self.counts.get("error", 0)

    def collect_canaries(self):
        names = {}
        exec(compile(CANARIES.format(*self.canary), "canary.py", "exec", dont_inherit=True), names)
        return [("canary.py::test_" + name, names["test_" + name]) for name in self.canary]

    def collect(self, path):
        try:
            module = import_file(self.root, path, self.observer.compile if self.observer else compile_test)
        except BaseException as error:
            self.emit("collect", path=path, message=describe(error))
            return []
        return [(identity, function) for identity, function in find_tests(path, module.__dict__)
                if not self.selected or identity in self.selected]

    def run_test(self, identity, function):
        if self.recorder:
            self.recorder.start(identity)
        started, used = perf_counter(), process_time()
        phase, outcome, detail, error = call(function)
        elapsed, used = (perf_counter() - started) * 1000, (process_time() - used) * 1000
        if self.recorder:
            self.recorder.stop()
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        self.emit("test", id=identity, phase=phase, outcome=outcome, ms=elapsed, cpu=used, detail=detail)
        if self.observer and outcome == "failed" and not identity.startswith("canary.py::"):
            self.observer.observe(identity, error)


def import_file(root, path, compiler):
    """A test file as a module; its helpers can be imported from the folder above its package."""
    name, package, folder = module_name(root, path)
    with open(root + "/" + path, "rb") as file:
        source = file.read()
    if folder not in sys.path:
        sys.path.append(folder)
    module = type(sys)(name)
    module.__file__ = root + "/" + path
    module.__package__ = package
    sys.modules[name] = module
    exec(compiler(source, module.__file__), module.__dict__)
    return module


def call(function):
    """Runs one test: the phase that decided, the outcome, a line for people, and what was raised."""
    phase = "setup"
    try:
        if type(function) is tuple:
            function, teardown = bind(*function)
        else:
            teardown = None
        unsupported = unsupported_by_plain(function)
        if unsupported:
            return phase, "error", unsupported, None
        phase = "call"
        try:
            function()
        finally:
            if teardown is not None:
                teardown()
        return phase, "passed", "", None
    except BaseException as error:
        if type(error).__name__ in ("SkipTest", "Skipped"):
            return phase, "skipped", describe(error), None
        return phase, "failed" if phase == "call" else "error", describe(error), error


def unsupported_by_plain(function):
    code = function.__code__
    if code.co_flags & 0x2A0:
        return "generator and async tests are not supported by this runner"
    given = len(function.__defaults__ or ()) + hasattr(function, "__self__")
    return "fixtures and parameters are not supported by this runner" if code.co_argcount > given else ""


def bind(owner, name):
    """A method on a fresh instance, set up as unittest and pytest do, and what tears it down."""
    instance = owner(name) if hasattr(owner, "assertEqual") else owner()
    method = getattr(instance, name)
    if hasattr(instance, "setUp"):
        instance.setUp()
    if hasattr(instance, "setup_method"):
        instance.setup_method()
    return method, getattr(instance, "tearDown", None) or getattr(instance, "teardown_method", None)


def find_tests(path, names):
    """Test ids with their functions, in order of definition."""
    for name, value in list(names.items()):
        if isinstance(value, type):
            if name.startswith("Test") or hasattr(value, "assertEqual") and hasattr(value, "setUp"):
                for method in methods(value):
                    yield path + "::" + name + "::" + method, (value, method)
        elif name.startswith("test_") and hasattr(value, "__code__"):
            yield path + "::" + name, value


def methods(owner):
    """Names of the test methods, those of base classes first."""
    found = {}
    for base in reversed(owner.__mro__):
        for name, value in base.__dict__.items():
            if name.startswith("test") and hasattr(value, "__code__"):
                found[name] = None
    return found


def module_name(root, path):
    """The name of a test file's module, its package (as far as there are `__init__.py` files) and the folder above."""
    folder, _, stem = path[:-3].rpartition("/")
    parts = []
    while folder and exists(root + "/" + folder + "/__init__.py"):
        folder, _, last = folder.rpartition("/")
        parts.insert(0, last)
    package = ".".join(parts)
    return (package + "." + stem if package else stem), package, root + "/" + folder if folder else root


def exists(path):
    try:
        posix.stat(path)
        return True
    except OSError:
        return False


def compile_test(source, path):
    return compile(source, path, "exec", dont_inherit=True)


def describe(error):
    """Class and message in one line of at most 300 characters."""
    try:
        text = type(error).__name__ + ": " + str(error)
    except BaseException:
        text = type(error).__name__
    text = " ".join(text.split()).removesuffix(":")
    return text if len(text) <= 300 else text[:297] + "..."
