"""Runs many selections of tests one after the other, each in a fork of this interpreter, which has the runner imported.

For code that is trusted: all runs share one sandbox, and only honesty keeps one from changing what a later one sees. What a run leaves
behind by accident is undone or noticed: processes are killed, temporary files removed, and if the tree is not as it was, the
host is told, and runs what is left in fresh sandboxes.
"""

import os
import select
import shutil
import signal
import sys
from base64 import b64decode
from time import perf_counter

from basis_runner.channel import open_channel, parse_instructions, read_input

TEMPORARY = ("/tmp", "/dev/shm")
# Seconds between two looks at a run.
LOOK = 0.5
# A run may sleep at a stretch for this share of its deadline, and for so many seconds in any case.
LONGEST_SLEEP, SHORT_SLEEP = 1 / 15, 10.0


def main():
    head, *runs = [parse_instructions(part) for part in read_input().split("\nrun\t\n")]
    emit = open_channel(head["nonce"][0])
    runner = prepare(head)
    before = state_of_tree()
    for index, instructions in enumerate(runs):
        undo = apply(instructions.get("patch", []))
        started = perf_counter()
        status, late = run(runner, instructions)
        elapsed = (perf_counter() - started) * 1000.0
        clean = tidy_up(undo) and state_of_tree() == before
        emit("ran", index=index, status=status, late=late, ms=elapsed, clean=clean)
        if not clean:
            break
    os._exit(0)


def prepare(head):
    """Imports the runner and what it would import anyway, and leaves the import path as it was."""
    if head["runner"][0] == "plain":
        import basis_runner.plain as runner

        return runner
    path = list(sys.path)
    sys.path.extend(head.get("packages", []))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import inspect

    import basis_runner.reporter as runner
    import pytest

    # What pytest imports only when it runs.
    for name in ("assertion.rewrite", "capture", "doctest", "faulthandler", "junitxml", "logging", "monkeypatch", "python",
                 "recwarn", "skipping", "terminal", "tmpdir", "unittest", "warnings"):
        __import__("_pytest." + name)
    # To show where a test failed the module of a file is looked up, and then the files of all modules are found out and remembered.
    inspect.getmodule(compile("", "<none>", "exec"))
    sys.path[:] = path
    return runner


def run(runner, instructions):
    """The wait status of a fork that runs these tests, and whether it was killed at its deadline."""
    child = os.fork()
    if child == 0:
        os.setsid()
        if "random" in sys.modules:
            sys.modules["random"].seed()
        try:
            runner.main(instructions)
        finally:
            os._exit(2)
    late = is_late(child, float(instructions["wall"][0]))
    if late:
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1], late


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


def apply(patches):
    """Writes files of the run into the tree; returns what was there before."""
    undo = []
    for patch in patches:
        path, _, text = patch.partition("\t")
        before = None
        if os.path.exists(path):
            data = os.stat(path)
            with open(path, "rb") as file:
                before = (file.read(), data.st_mode, data.st_atime_ns, data.st_mtime_ns)
        undo.append((path, before))
        with open(path, "wb") as file:
            file.write(b64decode(text))
    return undo


def tidy_up(undo):
    """Ends every process of the run, removes its temporary files and its patches; whether that worked."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass
    try:
        for folder in TEMPORARY:
            for entry in list(os.scandir(folder)):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
        for path, before in reversed(undo):
            if before is None:
                os.unlink(path)
                continue
            text, mode, accessed, modified = before
            with open(path, "wb") as file:
                file.write(text)
            os.chmod(path, mode & 0o7777)
            os.utime(path, ns=(accessed, modified))
    except OSError:
        return False
    return True


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
