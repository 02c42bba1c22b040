"""An agent and an environment of Harbor.

`BasisAgent` is the model behind `basis serve`, with the two tools of Basis, in any environment. `BasisEnvironment` runs tasks that
`basis export --format harbor` wrote in sandboxes of `basis serve --pack`, without a container engine.
"""

import io
import json
import os
import shlex
import tarfile
import tomllib
from pathlib import Path
from uuid import uuid4

from harbor.agents.base import BaseAgent
from harbor.environments.base import BaseEnvironment, ExecResult
from harbor.environments.capabilities import EnvironmentCapabilities

from basis_gym.client import Client, ServerError

TURNS = 40


def server():
    """Where `basis serve` listens."""
    return Client(os.environ.get("BASISGYM_URL", "http://127.0.0.1:8000"))


class BasisAgent(BaseAgent):
    @staticmethod
    def name():
        return "basis"

    def version(self):
        return "0.1.0"

    async def setup(self, environment):
        """Nothing is installed: the loop runs here, its commands there."""

    async def run(self, instruction, environment, context):
        client, session, messages = server(), f"harbor-{uuid4().hex}", [{"role": "user", "content": instruction}]
        tools = [tool("bash", "command"), tool("str_replace", "path", "old", "new")]
        for _ in range(TURNS):
            body = {"model": self.model_name or "basis", "messages": messages, "tools": tools}
            try:
                answer = await client.acall("POST", f"/sessions/{session}/v1/chat/completions", body)
            except ServerError as refusal:
                if "context_length_exceeded" not in str(refusal):
                    raise
                break  # There is no room for another turn: what is there is judged.
            reply = {key: value for key, value in answer["choices"][0]["message"].items() if value is not None}
            messages.append(reply)
            await self.tell(client, session, context)
            if not reply.get("tool_calls"):
                break
            for call in reply["tool_calls"]:
                text = await carry_out(environment, call["function"])
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
        path = self.logs_dir / "answer.txt"
        last = messages[-1]
        path.write_text(last.get("content") or "" if last["role"] == "assistant" else "")
        await environment.upload_file(path, "/logs/artifacts/answer.txt")

    async def tell(self, client, session, context):
        """Ids and log-probabilities, as they were sampled: each stretch of the newest branch is a turn."""
        branch = (await client.acall("GET", f"/sessions/{session}"))["branches"][-1]
        ids, mask, logprobs = branch["token_ids"], branch["mask"], branch["logprobs"]
        starts = [at for at, is_sampled in enumerate(mask) if is_sampled and (at == 0 or not mask[at - 1])]
        ends = [at + 1 for at, is_sampled in enumerate(mask) if is_sampled and (at + 1 == len(mask) or not mask[at + 1])]
        turns = list(zip(starts, ends))
        context.n_input_tokens, context.n_output_tokens = sum(start for start, _ in turns), sum(map(int, mask))
        context.rollout_details = [{
            "prompt_token_ids": [ids[:start] for start, _ in turns],
            "completion_token_ids": [ids[start:end] for start, end in turns],
            "logprobs": [logprobs[start:end] for start, end in turns],
        }]  # fmt: skip


def tool(name, *parameters):
    schema = {"type": "object", "properties": {it: {"type": "string"} for it in parameters}, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


REPLACE = """
import sys, json
path, old, new = json.load(sys.stdin)
text = open(path).read() if old else ""
if old and text.count(old) != 1: sys.exit(f"`old` occurs {text.count(old)} times in {path}, expected once")
open(path, "w").write(text.replace(old, new) if old else new)
"""


async def carry_out(environment, function):
    """What a call gives; what is wrong with it comes back as text."""
    try:
        arguments = json.loads(function["arguments"])
        if function["name"] == "bash":
            command = arguments["command"]
        else:
            data = json.dumps([arguments["path"], arguments["old"], arguments["new"]])
            command = f"printf %s {shlex.quote(data)} | python3 -c {shlex.quote(REPLACE)}"
    except (ValueError, KeyError, TypeError) as error:
        return f"malformed call: {error!r}; expected `bash` with `command`, or `str_replace` with `path`, `old` and `new`"
    result = await environment.exec(command, cwd="/repo", timeout_sec=60)
    status = f"\n[exit {result.return_code}]" if result.return_code else ""
    return ((result.stdout or "") + (result.stderr or "") + status).strip() or "[no output]"


class BasisEnvironment(BaseEnvironment):
    @staticmethod
    def type():
        return "basis"

    @property
    def capabilities(self):
        return EnvironmentCapabilities(disable_internet=True)

    def _validate_definition(self):
        path = Path(self.environment_dir).parent / "task.toml"
        self.task = tomllib.loads(path.read_text()).get("metadata", {}).get("basis_task")
        if not self.task:
            raise ValueError(f"`{path}` has no `basis_task` in its metadata; only tasks of `basis export` can be run here")

    async def start(self, force_build):
        self.server = server()
        self.sandbox = (await self.server.acall("POST", "/sandboxes", {"task": self.task}))["sandbox"]
        await self.exec("mkdir -p /logs/agent /logs/verifier /logs/artifacts /tests /solution", cwd="/")

    async def stop(self, delete):
        await self.server.acall("DELETE", f"/sandboxes/{self.sandbox}")

    async def exec(self, command, cwd=None, env=None, timeout_sec=None, user=None):
        body = {"command": ["bash", "-c", command], "cwd": cwd or "/repo", "env": env or {}, "seconds": timeout_sec or 3600}
        seen = await self.server.acall("POST", f"/sandboxes/{self.sandbox}/exec", body)
        status = seen["status"] if seen["status"] is not None else 124 if seen["ended"] == "timed_out" else 137
        return ExecResult(stdout=seen["stdout"], stderr=seen["stderr"], return_code=status)

    async def upload_file(self, source_path, target_path):
        await self.put(target_path.rpartition("/")[0], [(Path(source_path), target_path.rpartition("/")[2])])

    async def upload_dir(self, source_dir, target_dir):
        await self.put(target_dir, [(Path(source_dir), ".")])

    async def put(self, directory, sources):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for path, name in sources:
                tar.add(path, name)
        await self.server.acall("POST", f"/sandboxes/{self.sandbox}/put{directory}", data.getvalue())

    async def download_file(self, source_path, target_path):
        with await self.get(source_path) as tar:
            Path(target_path).parent.mkdir(parents=True, exist_ok=True)
            member = next(it for it in tar if it.isfile())
            Path(target_path).write_bytes(tar.extractfile(member).read())

    async def download_dir(self, source_dir, target_dir):
        Path(target_dir).mkdir(parents=True, exist_ok=True)
        with await self.get(source_dir) as tar:
            tar.extractall(target_dir, filter="data")

    async def get(self, path):
        data = await self.server.acall("GET", f"/sandboxes/{self.sandbox}/get{path}")
        return tarfile.open(fileobj=io.BytesIO(data))
