"""HTTP to `basis serve --pack`, with nothing but the standard library."""

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from urllib import error, request

# Each open request waits on a thread: a tool call may take as long as a command.
_threads = ThreadPoolExecutor(max_workers=256, thread_name_prefix="basis")


class ServerError(RuntimeError):
    """The server cannot be reached, or refused; its own words are the message."""


class Client:
    """Talks to one server. `key` is what `basis serve --key-file` wants; default: the variable BASISGYM_KEY."""

    def __init__(self, url="http://127.0.0.1:8000", key=None, timeout=3600.0):
        self.url, self.timeout = url.rstrip("/").removesuffix("/v1"), timeout
        self.key = key or os.environ.get("BASISGYM_KEY")

    def call(self, method, path, body=None):
        """One request, of JSON or of bytes; the answer as JSON, or as bytes where it is none."""
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {self.key}"} if self.key else {})
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            asked = request.Request(self.url + path, data, headers, method=method)
            with request.urlopen(asked, timeout=self.timeout) as answer:
                is_json = answer.headers.get_content_type() == "application/json"
                return json.load(answer) if is_json else answer.read()
        except error.HTTPError as refusal:
            text = refusal.read().decode(errors="replace")
            try:
                text = json.loads(text)["detail"]
            except (ValueError, KeyError, TypeError):
                pass
            raise ServerError(f"{method} {self.url}{path}: {refusal.code}: {text}") from None
        except OSError as failure:
            raise ServerError(f"{method} {self.url}{path}: {failure}; is `basis serve --pack` running there?") from None

    async def acall(self, method, path, body=None):
        """The same without blocking the event loop."""
        return await asyncio.get_running_loop().run_in_executor(_threads, self.call, method, path, body)

    def tasks(self, skills=()):
        """All tasks, or those of some skills: `id`, `skill`, `prompt`, `system`, `max_turns`, `family`, `pair`."""
        return [task for task in self.call("GET", "/tasks")["tasks"] if not skills or task["skill"] in skills]

    async def begin(self, task, policy, seed=0):
        """Opens a sandbox: `episode`, `messages`, `tools`, `max_turns`, `done`."""
        return await self.acall("POST", "/episodes", {"task": task, "policy": policy, "seed": seed})

    async def act(self, episode, message):
        """Hands over an assistant message of chat completions: `messages` that follow, or `done` with the verdict."""
        return await self.acall("POST", f"/episodes/{episode}/act", message)

    async def full(self, episode):
        """The model has no room for another turn: what is there is graded."""
        return await self.acall("POST", f"/episodes/{episode}/full")

    async def leave(self, episode):
        """Ends an episode that is not wanted any more; one that is over is forgotten."""
        await self.acall("DELETE", f"/episodes/{episode}")

    def grade(self, task, answer="", files=()):
        """Grades a submission without an episode; `files` are `{"path", "content"}`."""
        return self.call("POST", f"/tasks/{task}/grade", {"answer": answer, "files": list(files)})


def reward(verdict):
    """The reward of a verdict. Where infrastructure failed there is none: that is an error, never a number."""
    if not verdict["valid"]:
        raise ServerError(f"the episode says nothing about the model: {verdict['detail']}")
    return verdict["reward"]
