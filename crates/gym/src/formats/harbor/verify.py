"""Grades what an agent left in a fresh box: the verifier of a Basis task outside of Basis.

Everything hidden lies beside this file: `facts.json`, the trees in `trees/`, the test runner in `basis_runner/`. Submitted code is run in
copies of those trees, in processes of its own, and is believed only over a channel that begins with a nonce. The graders of Basis ask
more (other words for the same code, hostile submissions); a task is the same, a reward may be more lenient here.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = "/repo"
ANSWER = "/logs/artifacts/answer.txt"
REWARD = "/logs/verifier/reward.json"
SECONDS = 300
PROTECTED = {
    "conftest.py", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "setup.py", "pyproject.toml", "noxfile.py",
    "sitecustomize.py", "usercustomize.py", "pytest.py", "_pytest.py",
}
TEST_FOLDERS = {"tests", "test", "testing", ".git", "_pytest", "pytest"}


class Refused(Exception):
    """The submission earns nothing, and why."""


def main():
    with open(HERE + "/facts.json", encoding="utf-8") as file:
        facts = json.load(file)
    try:
        KINDS[facts["kind"]](facts)
        reward, detail = 1, "ok"
    except Refused as refusal:
        reward, detail = 0, str(refusal)
    print(detail)
    os.makedirs(os.path.dirname(REWARD), exist_ok=True)
    with open(REWARD, "w", encoding="utf-8") as file:
        json.dump({"reward": reward}, file)


def repair(facts):
    """A changed tree: hidden tests run on the broken tree with the submitted sources."""
    given, before = read_tree(REPOSITORY), read_tree(HERE + "/trees/base")
    shown = set(facts["shown"])
    sources = {path: data for path, data in given.items() if is_source(path, facts) and before.get(path) != data}
    deleted = [path for path in shown if path not in given and is_source(path, facts)]
    if not sources and not deleted:
        raise Refused("nothing was changed")
    for tests in (facts["fail_to_pass"], facts["pass_to_pass"]):
        with Copy("base", sources, deleted) as root:
            outcomes = run_tests(root, facts, files_of(tests), tests)
        failed = [test for test in tests if outcomes.get(test) != "passed"]
        if failed:
            raise Refused(f"{len(failed)} of {len(tests)} hidden tests did not pass, such as {failed[0]}")


def answer_lines(facts):
    """A set of paths, one a line."""
    lines = [line.strip().removeprefix("- ").removeprefix("* ").strip("`").strip() for line in read_answer().splitlines()]
    paths = {os.path.normpath(line.removeprefix(REPOSITORY + "/")) for line in lines if line}
    if paths != set(facts["gold"]):
        raise Refused(f"answered {sorted(paths)}")


def judgment(facts):
    """One judgment after a review that names the changed file."""
    review, *rest = read_answer().split("<judgment>")
    if len(rest) != 1 or rest[0].split("</judgment>")[0].strip() != facts["label"]:
        raise Refused("the judgment is missing, not the only one, or wrong")
    if os.path.basename(facts["path"]) not in review:
        raise Refused("the review does not name the changed file")


def script(facts):
    """A script that exits with 1 on broken trees and with 0 on healthy ones."""
    text = read_file(REPOSITORY + "/repro.py", "repro.py")
    for side in facts["sides"]:
        for _ in range(2):
            with Copy("base", {**read_patch(side["patch"]), "repro.py": text}, []) as root:
                environment = {**os.environ, "PYTHONPATH": os.pathsep.join(import_path(root, facts))}
                status = status_of([sys.executable, "-B", "repro.py"], cwd=root, env=environment)
            if status != side["status"]:
                raise Refused(f"exit status {status} on the {side['name']} tree, expected {side['status']}")


def suite(facts):
    """Tests that pass on right code and fail for every wrong version of it."""
    path = facts["test_path"]
    text = read_file(REPOSITORY + "/" + path, path)

    def run(patch):
        with Copy("base", {**read_patch(patch), path: text}, []) as root:
            return run_tests(root, facts, [path], [])

    passing = run(None)
    if not passing or set(passing.values()) != {"passed"}:
        raise Refused("the tests do not all pass on the code as it is")
    for patch in facts["rewrites"]:
        if set(run(patch).values()) != {"passed"}:
            raise Refused("the tests fail on code that behaves the same")
    for patch in facts["variants"]:
        if not any(outcome == "failed" for test, outcome in run(patch).items() if test in passing):
            raise Refused("a wrong version of the function passes every test")


def run_tests(root, facts, files, tests):
    """The outcome of each test, as a runner outside the tree reports it; nothing when the run cannot be believed."""
    nonce, canaries = secrets.token_hex(16), [secrets.token_hex(8), secrets.token_hex(8)]
    lines = [("nonce", nonce)] + [("canary", name) for name in canaries]
    lines += [("path", path) for path in import_path(root, facts)] + [("file", file) for file in files]
    lines += [("conftest", "1")] * facts["conftest"] + [("test", test) for test in tests]
    text = "".join(f"{key}\t{value}\n" for key, value in lines if "\n" not in value)
    start = f"import sys; sys.path.insert(0, {HERE!r}); import basis_runner.{facts['runner']} as runner; del sys.path[0]; runner.main()"
    read, write = os.pipe()
    with tempfile.TemporaryFile() as given, open(read, "rb") as channel:
        given.write(text.encode())
        given.seek(0)
        # The runner expects its channel as descriptor 3.
        command = ["/bin/sh", "-c", f'exec "$0" "$@" 3>&{write} {write}>&-', sys.executable, *flags(facts), "-B", "-c", start]
        if write == 3:
            command = [sys.executable, *flags(facts), "-B", "-c", start]
        process = subprocess.Popen(command, cwd=root, stdin=given, pass_fds=[write], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(write)
        report = collect(process, channel)
    return outcomes_of(report, nonce, canaries)


def flags(facts):
    """pytest has to be found among the packages; plain tests need none."""
    return ["-I", "-S"] if facts["runner"] == "plain" else ["-I"]


def collect(process, channel):
    """What was written to the channel; a run that takes too long is ended with everything that it started."""
    import signal
    import threading

    def end():
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    timer = threading.Timer(SECONDS, end)
    timer.start()
    status = process.wait()
    timer.cancel()
    end()
    report = channel.read(64 << 20)
    return report if status == 1 else b""


def outcomes_of(report, nonce, canaries):
    worst = ["passed", "xpass", "xfail", "skipped", "failed", "error"]
    outcomes, ended = {}, False
    for line in report.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            return {}
        if event.get("nonce") != nonce or ended:
            return {}
        if event["event"] == "collect":
            return {}
        if event["event"] == "test":
            found = event["outcome"] if event["outcome"] in worst else "error"
            outcomes[event["id"]] = max(outcomes.get(event["id"], "passed"), found, key=worst.index)
        ended |= event["event"] == "end"
    passing, failing = (outcomes.pop(f"canary.py::test_{name}", None) for name in canaries)
    return outcomes if ended and (passing, failing) == ("passed", "failed") else {}


class Copy:
    """A tree with files on top, in a directory of its own."""

    def __init__(self, tree, files, deleted):
        self.tree, self.files, self.deleted = tree, files, deleted

    def __enter__(self):
        self.root = tempfile.mkdtemp()
        root = self.root + "/repo"
        shutil.copytree(f"{HERE}/trees/{self.tree}", root)
        for path in self.deleted:
            if os.path.lexists(root + "/" + path):
                os.remove(root + "/" + path)
        for path, data in self.files.items():
            os.makedirs(os.path.dirname(root + "/" + path), exist_ok=True)
            with open(root + "/" + path, "wb") as file:
                file.write(data)
        return root

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)


def read_tree(root):
    """Regular files by their paths; links are not followed."""
    files = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = folder + "/" + name
            if not os.path.islink(path) and os.path.isfile(path):
                with open(path, "rb") as file:
                    files[os.path.relpath(path, root)] = file.read()
    return files


def read_patch(name):
    return read_tree(f"{HERE}/trees/{name}") if name else {}


def read_file(path, name):
    if os.path.islink(path) or not os.path.isfile(path):
        raise Refused(f"there is no {name}")
    with open(path, "rb") as file:
        return file.read(1 << 20)


def read_answer():
    return read_file(ANSWER, ANSWER).decode("utf-8", "replace")


def is_source(path, facts):
    """Whether an edit of this file counts: neither a test nor something that decides how tests run."""
    *folders, name = path.split("/")
    is_test = name.startswith("test_") or name.endswith("_test.py") or TEST_FOLDERS.intersection(folders)
    return name.endswith(".py") and not is_test and name not in PROTECTED and path not in facts["test_files"]


def files_of(tests):
    return sorted({test.split("::")[0] for test in tests})


def import_path(root, facts):
    return [os.path.join(root, folder) if folder else root for folder in facts["import_roots"]]


def status_of(command, **options):
    try:
        return subprocess.run(command, timeout=SECONDS, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, **options).returncode
    except subprocess.TimeoutExpired:
        return "none"


KINDS = {"repair": repair, "answer": answer_lines, "judgment": judgment, "script": script, "suite": suite}

if __name__ == "__main__":
    main()
