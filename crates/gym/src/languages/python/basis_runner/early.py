"""Begins a session of pytest before the forks: its plugins are imported and registered, its options and configuration read.

None of that depends on what a run changes, as long as it changes modules that are there, nothing of the tree has been imported, and the plugins
left nothing behind that a fork would lack or share. Whether it is so is looked at. The rewritten code of test files is
remembered, and used where a file says the same in the fork, byte for byte.
"""

import gc
import os
import sys
from pathlib import Path

from basis_runner import collected, reporter
from basis_runner.beforehand import compile_modules, parse_for_symptoms, remember, test_files
from basis_runner.warm import temporary_files


def begin(host, runs):
    """The function that makes these runs, and what it is called with."""
    patched = [run for run in runs if all(is_module_of_tree(path) for path in run.patched())]
    if not patched:
        host.start_again(runs, "late")
    shape = reporter.shape(patched[0].instructions)
    early = [run for run in patched if reporter.shape(run.instructions) == shape]
    others = [run for run in runs if run not in early]
    descriptors = set(os.listdir("/proc/self/fd"))

    def fork(config):
        if set(os.listdir("/proc/self/fd")) != descriptors or not is_outermost(config) or not leaves_forks_alike(host):
            host.start_again(runs, "late")
        rewrite_for_pytest(config, early)
        parse_for_symptoms(early)
        codes = compile_modules(host.before)
        forget_folders()
        keep_out_of_collections()
        left, instructions = collected.begin(host, early, config, codes)
        return instructions or host.fork_for_each(left, others)

    return reporter.main, (early[0].instructions, fork)


def is_module_of_tree(path):
    return path.endswith(".py") and os.path.exists(path)


def is_outermost(config):
    """Whether no other plugin has something to do before the fork."""
    last = config.hook.pytest_load_initial_conftests.get_hookimpls()[-1]
    return type(last.plugin) is reporter.Reporter


def leaves_forks_alike(host):
    """Whether each fork has all that plugins made when they were imported: no thread, no process, no file, nothing of the tree."""
    root = os.getcwd() + "/"
    places = [str(place) for module in list(sys.modules.values()) for place in
              (getattr(module, "__file__", None), *(getattr(module, "__path__", None) or ()))]
    return (len(os.listdir("/proc/self/task")) == 1 and not has_children() and not temporary_files()
            and not any(place.startswith(root) for place in places) and host.is_tree_as_before())


def has_children():
    try:
        os.waitpid(-1, os.WNOHANG)
        return True
    except ChildProcessError:
        return False


def forget_folders():
    """Which files the folders of the tree have is found out in the fork, as if nobody had asked before."""
    for path in list(sys.path_importer_cache):
        if path.startswith(os.getcwd()):
            del sys.path_importer_cache[path]


def rewrite_for_pytest(config, runs):
    """Has the assertions of the test files rewritten that pytest will import."""
    from _pytest.assertion import rewrite

    calls = [(Path(path), config) for path in test_files(runs)]
    remember(rewrite, "_rewrite_test", calls, lambda path, _: (path, path.read_bytes()))


def keep_out_of_collections():
    """Leaves what is there now alone when a fork collects garbage, which would copy nearly all memory, unless the fork asks for it."""
    gc.collect()
    gc.freeze()
    for name in ("get_objects", "get_referrers", "get_freeze_count", "unfreeze"):
        setattr(gc, name, thawing(getattr(gc, name)))


def thawing(function):
    thaw = gc.unfreeze

    def look(*given, **named):
        thaw()
        return function(*given, **named)

    return look
