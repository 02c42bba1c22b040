"""Collects the tests once, on the healthy tree, and makes each run in a fork of that session, in which changed functions have other code.

To import a package with its tests and to look through them takes longer than most tests. What that leaves behind is decided by the code that
ran meanwhile. A variant is made here only if none of the code that it changes ran: then its import would have left the same
behind, but for the code that functions keep for later. The code objects of the whole file are compared in pairs, line numbers aside:

* Equal but for what is nested in them: these are looked at in the same way. Modules, bodies of classes, decorators and defaults run when they are
  imported, so that they have to be equal.
* Different: it must not have run, which a profiler of all that was collected knows; it must look the same from outside (name,
  parameters, kind, free variables, docstring); and if what defines it ran, functions that have it must be there.

A function gets its counterpart in place, wherever it is kept: in classes, tables, decorators, closures. Nothing of this is done for a file
of which there is code from elsewhere (copied, rewritten, compiled again), whose text was looked up, or whose generators are waiting. A collection that
fails, starts a thread or a process, or leaves a file behind is given up. All that is not made here is made as if this were not here.

Not noticed: code that reads the clock, its own file or the inside of its code objects while it is imported.
"""

import gc
import os
import stat
import sys
from _lsprof import Profiler
from threading import setprofile
from types import AsyncGeneratorType, CodeType, CoroutineType, FunctionType, GeneratorType

import pytest

from basis_runner import reporter
from basis_runner.beforehand import strictly
from basis_runner.warm import processes, remove, temporary_files

# Tests see the modules that they would see otherwise.
del sys.modules["_lsprof"]

# Where the runs that were made are listed: a descriptor that is far from those of the session.
MADE = 100
UNCLEAN = 9
WAITING = ((GeneratorType, "gi_code"), (CoroutineType, "cr_code"), (AsyncGeneratorType, "ag_code"))
LINES = "co_linetable" if hasattr(CodeType, "co_linetable") else "co_lnotab"


def begin(host, runs, config, codes):
    """The runs that are left; or, in a fork, the instructions for collecting the tests of all of them.

    `codes` has the code of each module of the tree by its path, as it will be imported.
    """
    instructions = union([run.instructions for run in runs])
    if not instructions or os.path.exists("/proc/self/fd/%d" % MADE):
        return runs, None
    made = os.memfd_create("made")
    os.dup2(made, MADE, False)
    os.close(made)
    collector = os.fork()
    if collector == 0:
        config.pluginmanager.register(Collection(host, runs, codes))
        return runs, instructions
    if os.waitpid(collector, 0)[1] >> 8 == UNCLEAN:
        os._exit(0)
    made = os.pread(MADE, 1 << 20, 0).split()
    os.close(MADE)
    return [run for run in runs if str(run.index()).encode() not in made], None


def union(runs):
    """Instructions for all files and tests that some run wants, if a session for them begins as the others do."""
    every = {key: value for key, value in runs[0].items() if key != "nonce"}
    if any("test" in run for run in runs):
        for key in ("file", "test"):
            every[key] = sorted({each for run in runs for each in run.get(key, [])})
    is_alike = reporter.shape(every) == reporter.shape(runs[0])
    selects = all("test" in run for run in runs) or all(run.get("file") == every.get("file") and "test" not in run for run in runs)
    return every if is_alike and selects and not any("coverage" in run for run in runs) else None


class Collection:
    """A plugin of the session that collects, until it has become a run."""

    def __init__(self, host, runs, codes):
        self.host, self.runs, self.codes = host, runs, codes
        host.spared, host.unclean = set(processes()), UNCLEAN
        self.descriptors = set(descriptors())
        self.threads = []
        setprofile(lambda *_: self.threads.append(1))
        self.profiler = Profiler(subcalls=False, builtins=False)
        self.profiler.enable()

    def pytest_collectreport(self, report):
        if report.failed:
            os._exit(0)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, config, items):
        self.reporter = next(plugin for plugin in config.pluginmanager.get_plugins() if type(plugin) is reporter.Reporter)
        found = list(items)
        yield
        # Whoever sorts tests may sort fewer of them otherwise.
        if items != self.reporter.arranged(found):
            os._exit(0)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session):
        ran = self.stop_watching()
        images = Images(self.codes, ran)
        for item in session.items:
            # Pytest finds it out when it is asked for, and remembers it.
            item.location
        gc.collect()
        gc.freeze()
        for run in self.runs:
            changes = images.changes(run)
            if changes is None:
                continue
            if self.host.fork(run):
                self.become(run, session, changes)
                break
            os.write(MADE, b"%d\n" % run.index())
        else:
            os._exit(0)
        yield

    def stop_watching(self):
        """The code that ran, by its identity; ends this process if forks of it would not be alike."""
        watches = sys.getprofile() is (None if hasattr(sys, "monitoring") else self.profiler)
        is_alone = watches and not self.threads and len(os.listdir("/proc/self/task")) == 1
        self.profiler.disable()
        setprofile(None)
        ran = {id(entry.code): entry.code for entry in self.profiler.getstats()}
        self.profiler.clear()
        for entry in temporary_files():
            if entry.path == os.path.dirname(self.reporter.canary):
                remove(entry)
        is_same = self.host.is_tree_as_before() and not temporary_files() and set(processes()) <= self.host.spared
        if not (is_alone and is_same and all(is_harmless(each) for each in self.opened())) or has_had_children():
            os._exit(0)
        return ran

    def opened(self):
        return [each for each in descriptors() if each not in self.descriptors]

    def become(self, run, session, changes):
        """Goes on as this run."""
        os.close(MADE)
        for each in self.opened():
            if is_nameless(each):
                copy_file(each)
        for function, code in changes:
            function.__code__ = code
        session.config.pluginmanager.unregister(self)
        self.reporter.become(run.instructions, session)


def descriptors():
    listed = []
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
            listed.append(int(name))
        except OSError:
            # The one that listed them.
            pass
    return listed


def is_harmless(descriptor):
    """Whether forks can share what was opened, or make it theirs."""
    target, *standard = [os.readlink("/proc/self/fd/%d" % each) for each in (descriptor, 0, 1, 2)]
    return target in ("/dev/null", *standard) or is_nameless(descriptor)


def is_nameless(descriptor):
    data = os.fstat(descriptor)
    return stat.S_ISREG(data.st_mode) and data.st_nlink == 0


def copy_file(descriptor):
    """Makes a temporary file that has no name this process's own: pytest keeps what is printed in such files."""
    copy = os.memfd_create("copy")
    offset, size = os.lseek(descriptor, 0, os.SEEK_CUR), os.fstat(descriptor).st_size
    os.write(copy, os.pread(descriptor, size, 0))
    os.lseek(copy, offset, os.SEEK_SET)
    os.dup2(copy, descriptor, os.get_inheritable(descriptor))
    os.close(copy)


def has_had_children():
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0


class Images:
    """The code of the tree in this process, and the functions that have it."""

    def __init__(self, codes, ran):
        self.codes, self.ran = codes, ran
        self.functions, self.waiting = {}, set()
        known = {id(code) for root in codes.values() for code in walk(root)}
        # Files of which there is other code.
        self.strange = {code.co_filename for code in ran.values() if type(code) is CodeType and id(code) not in known}
        for each in gc.get_objects():
            if type(each) is FunctionType:
                code = each.__code__
                self.functions.setdefault(id(code), []).append(each)
                if id(code) not in known:
                    self.strange.add(code.co_filename)
            else:
                self.waiting.update(id(getattr(each, name)) for kind, name in WAITING if type(each) is kind)
        lines = sys.modules.get("linecache")
        self.strange.update(lines.cache if lines else ())

    def changes(self, run):
        """Functions with the code that they have in this run; nothing if it cannot be made so."""
        changed = []
        for path, text in run.texts():
            path = os.getcwd() + "/" + path
            if path not in self.codes or path in self.strange:
                return None
            loader = sys.modules["_frozen_importlib_external"].SourceLoader
            code = strictly(loader.source_to_code, None, text, path)
            if code is None:
                return None
            try:
                self.match(self.codes[path], code, False, changed)
            except Unfit:
                return None
        return changed

    def match(self, old, new, is_defined, changed):
        """Puts one in the place of the other, in all functions that have it; whether more than lines is different."""
        ran = id(old) in self.ran
        if bare(old) == bare(new):
            differs = any([self.match(*pair, ran, changed) for pair in zip(nested(old), nested(new))])
        elif ran or outline(old) != outline(new) or is_defined and id(old) not in self.functions:
            raise Unfit
        else:
            differs = True
        if differs and id(old) in self.waiting:
            raise Unfit
        changed.extend((function, new) for function in self.functions.get(id(old), ()))
        return differs


class Unfit(Exception):
    """A variant cannot be made in a fork of what was collected."""


def nested(code):
    return [each for each in code.co_consts if type(each) is CodeType]


def walk(code):
    yield code
    for each in nested(code):
        yield from walk(each)


def bare(code):
    """Code without what is nested in it, and without its lines."""
    constants = tuple(None if type(each) is CodeType else each for each in code.co_consts)
    return code.replace(co_consts=constants, co_firstlineno=1, **{LINES: b""})


def outline(code):
    """What a function shows of its code without running it."""
    parameters = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    first = code.co_consts[0] if code.co_consts else None
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
    return code.co_name, code.co_flags, counts, code.co_varnames[:parameters], code.co_freevars, first if type(first) is str else None
