"""What 200 episodes at once cost basis, verifiers and Harbor, with the model of `model.py`: `measure.py BASIS VF_EVAL HARBOR PORT`

Each runs once with few episodes and once with many; the difference is what a turn costs, without what starting costs. Processor time is
that of the program and all that it started; memory is the largest sum of what they had resident, looked at ten times a second.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from model import TURNS

HERE = Path(__file__).parent
AT_ONCE, FEW, MANY = 200, 4, 800
TASK = {
    "task.toml": 'version = "1.0"\n[metadata]\n[agent]\ntimeout_sec = 600\n[verifier]\ntimeout_sec = 600\n[environment]\n',
    "instruction.md": "simulated\n", "tests/test.sh": "exit 0\n", "environment/Dockerfile": "FROM scratch\n",
}  # fmt: skip


def resident(root):
    """Bytes of a process and its descendants."""
    parents, sizes = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                sizes[int(entry.name)] = int((entry / "statm").read_text().split()[1]) * resource.getpagesize()
            except (OSError, IndexError):
                pass
    members = {root}
    while grown := {pid for pid, parent in parents.items() if parent in members} - members:
        members |= grown
    return sum(sizes.get(pid, 0) for pid in members)


def cost(command, variables):
    """Wall time and processor time in seconds, and memory in bytes."""
    before, start, most = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), 0
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | variables)
        while process.poll() is None:
            most = max(most, resident(process.pid))
            time.sleep(0.1)
        if process.returncode:
            log.seek(0)
            sys.exit(f"{command[0]} ends with {process.returncode}:\n{log.read().decode()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - start, used, most


def programs(basis, vf_eval, harbor, url):
    """For each what makes the command of so many episodes, and its variables."""
    task = Path("task")
    for name, text in TASK.items():
        (task / name).parent.mkdir(parents=True, exist_ok=True)
        (task / name).write_text(text)

    def ours(episodes):
        # It plays four times as many episodes as it has places.
        model = [f"--set=policy.url={url}/v1", "--set=policy.model=mock"]
        return [basis, "bench", "controller", "--served", f"--at-once={min(episodes // 4, AT_ONCE)}", *model], {}

    def verifiers(episodes):
        model = ["-m", "mock", "--client.base-url", f"{url}/v1", "--client.api-key-var", "CROWD_KEY"]
        runtime = ["--env.agent.runtime.type", "subprocess"]
        command = [vf_eval, "crowd_verifiers", *runtime, *model, "--no-push", "--no-rich", "-c", str(AT_ONCE), "-o", f"vf-{episodes}"]
        return command, {"CROWD_EPISODES": str(episodes), "CROWD_KEY": "none"}

    def harbors(episodes):
        kinds = ["--env", "crowd_harbor:Nowhere", "--agent", "crowd_harbor:Talker", "--model", "mock", "--disable-verification"]
        command = [harbor, "run", "--path", "task", *kinds, "-k", str(episodes), "-n", str(AT_ONCE)]
        return [*command, "--jobs-dir", "jobs", "--job-name", str(episodes), "-q", "-y"], {"CROWD_URL": f"{url}/v1"}

    return {"basis": ours, "verifiers": verifiers, "harbor": harbors}


def check():
    """verifiers and Harbor have every episode on record; basis itself fails if one is invalid."""
    traces = [json.loads(line) for path in Path(f"vf-{MANY}").rglob("traces.jsonl") for line in path.read_text().splitlines()]
    assert len(traces) == MANY and all(trace["ok"] for trace in traces)
    results = [json.loads(path.read_text()) for path in Path(f"jobs/{MANY}").glob("*/result.json")]
    assert len(results) == MANY and not any(result["exception_info"] for result in results)


def main():
    url = "http://127.0.0.1:" + sys.argv[4]
    os.environ |= {"PYTHONPATH": str(HERE), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "HARBOR_TELEMETRY": "0"}
    print(f"| {AT_ONCE} episodes at once, {MANY} in all, {TURNS} turns of 200 ms | seconds | processor time per turn, ms | of starting, s | memory, MiB | of starting, MiB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, command in programs(*sys.argv[1:4], url).items():
        few, many = (cost(*command(episodes)) for episodes in (FEW, MANY))
        turn = (many[1] - few[1]) / (MANY - FEW) / TURNS
        print(f"| {name} | {many[0]:.1f} | {turn * 1e3:.3f} | {few[1]:.1f} | {many[2] / 2**20:.0f} | {few[2] / 2**20:.0f} |", flush=True)
    check()


main()
