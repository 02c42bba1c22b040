"""What is done before the forks of a warm interpreter, so that none of them has to do it, and none can tell."""

import os
import sys
from _warnings import filters

# Modules of the runner that it imports only where it is told to.
ON_DEMAND = (("symptoms", "basis_runner.symptom"), ("coverage", "basis_runner.coverage_recorder"))
REFUSED = ("error", None, Warning, None, 0)


def import_demanded(runs):
    for key, module in ON_DEMAND:
        if all(key in run.instructions for run in runs):
            __import__(module)


def compile_for_plain(runs):
    """Has the test files compiled that the plain runner will import."""
    import basis_runner.plain as plain

    calls = []
    for path in test_files(runs):
        try:
            with open(path, "rb") as file:
                calls.append((file.read(), path))
        except OSError:
            pass
    owner, name = sys.modules.get("basis_runner.symptom"), "compile_keeping"
    remember(*(owner, name) if owner else (plain, "compile_test"), calls, lambda *given: given)


def test_files(runs):
    return sorted({os.getcwd() + "/" + path for run in runs for path in run.instructions.get("file", [])})


def remember(owner, name, calls, key):
    """Has a function of a module do now what it will be asked for in forks. `key` of its arguments says on what the outcome depends.

    What fails or warns is left to the forks.
    """
    function, known = getattr(owner, name), {}
    listed = sys.modules["warnings"].filters if "warnings" in sys.modules else filters
    listed.insert(0, REFUSED)
    for given in calls:
        try:
            known[key(*given)] = function(*given)
        except Exception:
            pass
    listed.remove(REFUSED)

    def recall(*given):
        made = known.get(key(*given))
        return function(*given) if made is None else made

    setattr(owner, name, recall)
