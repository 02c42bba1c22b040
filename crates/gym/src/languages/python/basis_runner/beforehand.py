"""What is done before the forks of a warm interpreter, so that none of them has to do it, and none can tell."""

import os
import sys
from _warnings import filters

# Modules of the runner that it imports only where it is told to.
ON_DEMAND = (("symptoms", "basis_runner.symptom"), ("coverage", "basis_runner.coverage_recorder"))
REFUSED = ("error", None, Warning, None, 0)
# Bytes of modules that are compiled: more of them are not all imported.
MOST_SOURCE = 2_000_000


def import_demanded(runs):
    for key, module in ON_DEMAND:
        if all(key in run.instructions for run in runs):
            __import__(module)


def compile_for_plain(runs):
    """Has the test files compiled that the plain runner will import."""
    import basis_runner.plain as plain

    calls = list(texts(test_files(runs)))
    owner, name = sys.modules.get("basis_runner.symptom"), "compile_keeping"
    remember(*(owner, name) if owner else (plain, "compile_test"), calls, lambda *given: given)


def parse_for_symptoms(runs):
    """Has the test files parsed in which failures will be looked up."""
    if owner := sys.modules.get("basis_runner.symptom"):
        remember(owner, "parse", [(text,) for text, _ in texts(test_files(runs))], lambda text: text)


def compile_modules(tree):
    """Has the modules compiled that forks may import, of a tree as `state_of_tree` describes it; returns their code by path."""
    loader, calls, total = sys.modules["_frozen_importlib_external"].SourceLoader, [], 0
    for text, path in texts(os.getcwd() + path[1:] for path in tree if path.endswith(".py")):
        total += len(text)
        if total > MOST_SOURCE:
            break
        calls.append((None, text, path))
    known = remember(loader, "source_to_code", calls, lambda _, data, path, *more: (bytes(data), path, *more))
    return {path: code for (_, path), code in known.items()}


def test_files(runs):
    return sorted({os.getcwd() + "/" + path for run in runs for path in run.instructions.get("file", [])})


def texts(paths):
    """Each file that can be read, with its path."""
    for path in paths:
        try:
            with open(path, "rb") as file:
                text = file.read()
        except OSError:
            continue
        yield text, path


def remember(owner, name, calls, key):
    """Has a function of a module do now what it will be asked for in forks. `key` of its arguments says on what the outcome depends.

    What fails or warns is left to the forks.
    """
    function, known = getattr(owner, name), {}
    for given in calls:
        made = strictly(function, *given)
        if made is not None:
            known[key(*given)] = made

    def recall(*given, **named):
        made = None if named else known.get(key(*given))
        return function(*given, **named) if made is None else made

    setattr(owner, name, recall)
    return known


def strictly(function, *given):
    """What a function gives, if it neither fails nor warns."""
    listed = sys.modules["warnings"].filters if "warnings" in sys.modules else filters
    listed.insert(0, REFUSED)
    try:
        return function(*given)
    except Exception:
        return None
    finally:
        listed.remove(REFUSED)
