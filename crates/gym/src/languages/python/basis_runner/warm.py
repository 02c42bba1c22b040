"""Runs many selections of tests one after the other, each in a fork of this interpreter, which has the runner imported.

For code that is trusted: all runs share one sandbox, and only honesty keeps one from changing what a later one sees. What a run leaves
behind by accident is undone or noticed: processes are killed, temporary files removed, and if the tree is not as it was, the
host is told, and runs what is left in fresh sandboxes.

A session of pytest is begun before the fork, as far as nothing depends on the tree (`early`). Where that cannot be done, this program
starts again and begins each session in its fork. Few modules are imported here: a fork costs what memory there is.
"""

import os
import select
import sys
from binascii import a2b_base64
from time import perf_counter

from basis_runner.beforehand import compile_for_plain, compile_modules, import_demanded
from basis_runner.channel import open_channel, parse_instructions, read_input

TEMPORARY = ("/tmp", "/dev/shm")
# Seconds between two looks at a run.
LOOK = 0.5
# A run may sleep at a stretch for this share of its deadline, and for so many seconds in any case.
LONGEST_SLEEP, SHORT_SLEEP = 1 / 15, 10.0
KILL = 9
SEPARATOR = "\nrun\t\n"


def main():
    """Returns, in each fork, the function that makes its run, and what that is called with: it is as deep in the stack as without a fork."""
    text, *texts = read_input().split(SEPARATOR)
    head, runs = parse_instructions(text), [Run(text) for text in texts]
    host = Host(text, open_channel(head["nonce"][0]))
    import_demanded(runs)
    if head["runner"][0] == "plain":
        import basis_runner.plain as runner

        compile_for_plain(runs)
        compile_modules(host.before)
    else:
        import_pytest(head)
        if "late" not in head:
            from basis_runner.early import begin

            return begin(host, runs)
        import basis_runner.reporter as runner
    return runner.main, (host.fork_for_each(runs),)


class Run:
    """One run, as the host described it."""

    def __init__(self, text):
        self.text = text
        self.instructions = parse_instructions(text)
        self.patches = [patch.split("\t") for patch in self.instructions.get("patch", [])]
        self.wall = float(self.instructions["wall"][0])

    def patched(self):
        return [path for path, _ in self.patches]

    def texts(self):
        """Path and bytes of each file that is different."""
        return [(path, a2b_base64(text)) for path, text in self.patches]

    def index(self):
        return int(self.instructions["index"][0])


class Host:
    """Where the runs are made, and what is told about them."""

    def __init__(self, head, emit):
        self.head = head
        self.emit = emit
        self.before = state_of_tree()
        # Processes that are older than the runs, and the status with which this one ends after a run that left something behind.
        self.spared, self.unclean = (), 0

    def fork_for_each(self, runs, others=()):
        """Returns in each fork, with the instructions of its run, and nowhere else; then makes the others in a new interpreter."""
        for run in runs:
            if self.fork(run):
                return run.instructions
        self.start_again(others)

    def fork(self, run):
        """Returns twice: true in a fork that is to make the run, and false when it has."""
        undo = apply(run.texts())
        started = perf_counter()
        child = os.fork()
        if child == 0:
            os.setsid()
            seed()
            return True
        late = is_late(child, run.wall)
        if late:
            os.kill(child, KILL)
        status = os.waitpid(child, 0)[1]
        elapsed = (perf_counter() - started) * 1000.0
        clean = tidy_up(undo, self.spared) and self.is_tree_as_before()
        self.emit("ran", index=run.index(), status=status, late=late, ms=elapsed, clean=clean)
        if not clean:
            os._exit(self.unclean)
        return False

    def is_tree_as_before(self):
        return state_of_tree() == self.before

    def start_again(self, runs, *marks):
        """Goes on with these runs in a new interpreter, for which something is added to the head."""
        if not runs or not hasattr(sys, "orig_argv"):
            os._exit(0)
        head = "\n".join([self.head, *(mark + "\t1" for mark in marks)])
        instructions = os.memfd_create("instructions")
        with open(instructions, "wb", closefd=False) as file:
            file.write(SEPARATOR.join([head, *(run.text for run in runs)]).encode())
        os.lseek(instructions, 0, os.SEEK_SET)
        os.dup2(instructions, 0)
        os.set_inheritable(3, True)
        os.execv(sys.executable, sys.orig_argv)


def import_pytest(head):
    """Imports what the runner would import anyway, and leaves the import path as it was."""
    path = list(sys.path)
    sys.path.extend(head.get("packages", []))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import faulthandler, inspect, pdb  # noqa: E401, F401

    import pytest

    # What pytest imports only when it runs.
    for name in ("assertion.rewrite", "capture", "doctest", "faulthandler", "junitxml", "logging", "monkeypatch", "python",
                 "recwarn", "skipping", "terminal", "tmpdir", "unittest", "warnings"):
        __import__("_pytest." + name)
    # To show where a test failed the module of a file is looked up, and then the files of all modules are found out and remembered.
    inspect.getmodule(compile("", "<none>", "exec"))
    sys.path[:] = path


def seed():
    """Nothing that is random is the same in two forks."""
    for name in ("random", "numpy.random"):
        if name in sys.modules:
            sys.modules[name].seed()


def is_late(child, wall):
    """Waits for a fork; whether it reaches its deadline, or sleeps so long that it would.

    Mistakes in code with locks make tests wait for ever. Sleeping does not depend on what else the machine does, so that a small part of
    the deadline is enough.
    """
    process = os.pidfd_open(child)
    started = asleep_since = perf_counter()
    known = None
    try:
        while not select.select([process], [], [], min(LOOK, wall))[0]:
            now, ran = perf_counter(), processor_time()
            if not ran or ran != known:
                known, asleep_since = ran, now
            if now - started >= wall or now - asleep_since >= max(wall * LONGEST_SLEEP, SHORT_SLEEP):
                return True
        return False
    finally:
        os.close(process)


def processor_time():
    """Nanoseconds for which all other processes of the sandbox have run."""
    total = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                for thread in os.listdir("/proc/" + entry + "/task"):
                    with open("/proc/" + entry + "/task/" + thread + "/schedstat") as file:
                        total += int(file.read().split()[0])
            except (OSError, ValueError, IndexError):
                # It has just ended, and its parent goes on.
                pass
    return total


def temporary_files():
    return [entry for folder in TEMPORARY for entry in os.scandir(folder)]


def apply(texts):
    """Writes files of the run into the tree; returns what was there before."""
    undo = []
    for path, text in texts:
        before = None
        if os.path.exists(path):
            data = os.stat(path)
            with open(path, "rb") as file:
                before = (file.read(), data.st_mode, data.st_atime_ns, data.st_mtime_ns)
        undo.append((path, before))
        with open(path, "wb") as file:
            file.write(text)
    return undo


def tidy_up(undo, spared):
    """Ends every process of the run, removes its temporary files and its patches; whether that worked."""
    end_all_but(spared)
    try:
        for entry in temporary_files():
            remove(entry)
        for path, before in reversed(undo):
            if before is None:
                os.unlink(path)
                continue
            text, mode, accessed, modified = before
            with open(path, "wb") as file:
                file.write(text)
            os.chmod(path, mode & 0o7777)
            os.utime(path, ns=(accessed, modified))
    except (OSError, RecursionError):
        return False
    return True


def end_all_but(spared):
    """Ends all other processes; where some are older than the runs, one by one until none of the others is left."""
    if not spared:
        return end(-1)
    while left := set(processes()).difference(spared):
        for process in left:
            end(process)


def end(process):
    try:
        os.kill(process, KILL)
    except ProcessLookupError:
        pass


def processes():
    """All processes but this one that have not ended."""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open("/proc/" + entry + "/stat") as file:
                    if file.read().rpartition(")")[2].split()[0] not in "ZX":
                        yield int(entry)
            except OSError:
                # It has just ended.
                pass


def remove(entry):
    if not entry.is_dir(follow_symlinks=False):
        return os.unlink(entry.path)
    for inner in list(os.scandir(entry.path)):
        remove(inner)
    os.rmdir(entry.path)


def state_of_tree():
    """Every name below the working directory with what would show that somebody changed it."""
    state = {}
    folders = ["."]
    while folders:
        for entry in os.scandir(folders.pop()):
            data = entry.stat(follow_symlinks=False)
            is_folder = entry.is_dir(follow_symlinks=False)
            # Writing and removing a file changes the time of its folder.
            state[entry.path] = (data.st_mode, 0 if is_folder else data.st_size, 0 if is_folder else data.st_mtime_ns)
            if is_folder:
                folders.append(entry.path)
    return state
