"""A taskset and a harness of verifiers v1: `vf-eval basis-gym --env.taskset.url http://127.0.0.1:8000`.

The harness runs in the process of verifiers. Every model call goes through its interception endpoint, so that verifiers has the trace;
every tool call goes to `basis serve`, which has the sandbox.
"""

import asyncio
import json

import httpx
import verifiers.v1 as vf
from verifiers.v1.errors import SandboxError
from verifiers.v1.runtimes import ProgramResult

from basis_gym.client import Client, reward


ROOM = 64
"""Tokens that a turn needs at least."""


class BasisData(vf.TaskData):
    task: str
    skill: str
    url: str


class BasisConfig(vf.TasksetConfig):
    url: str = "http://127.0.0.1:8000"
    """Where `basis serve --pack` listens."""
    skills: list[str] = []
    """Only tasks of these skills; all when empty."""


class BasisTask(vf.Task[BasisData]):
    @property
    def key(self):
        return self.data.task

    @vf.reward
    async def grade(self, trace):
        """The verdict of the grader, which the harness brought."""
        return reward(trace.info["basis"])


class BasisTaskset(vf.Taskset[BasisTask, BasisConfig]):
    def load(self):
        url = self.config.url
        for task in Client(url).tasks(self.config.skills):
            data = BasisData(
                id=task["id"], name=f"{task['skill']}-{task['id']}", prompt=task["prompt"], system_prompt=task["system"],
                task=task["id"], skill=task["skill"], url=url,
            )  # fmt: skip
            yield BasisTask(data, self.config.task)


class BasisHarness(vf.Harness[vf.HarnessConfig]):
    APPENDS_SYSTEM_PROMPT = True
    NEEDS_CONTAINER = False
    EXECUTES_CODE = False
    """Not where verifiers runs: commands run in the sandboxes of `basis serve`."""

    async def launch(self, ctx, trace, runtime, endpoint, secret, mcp_urls, data):
        server = Client(data.url)
        turn = await server.begin(data.task, policy=f"verifiers:{ctx.model}")
        messages, tools = list(turn["messages"]), turn["tools"]
        async with httpx.AsyncClient(timeout=None, headers={"authorization": f"Bearer {secret}"}) as model:
            context = await window(model, endpoint, ctx.model)
            try:
                while not turn["done"]:
                    body = {"model": ctx.model, "messages": messages, "tools": tools}
                    answer = await model.post(f"{endpoint.rstrip('/')}/chat/completions", json=body)
                    if answer.is_error:
                        # Whatever it was, verifiers has it in the trace; what is there is graded.
                        turn |= await server.full(turn["episode"])
                        break
                    choice, used = answer.json()["choices"][0], (answer.json().get("usage") or {}).get("total_tokens", 0)
                    reply = {key: value for key, value in choice["message"].items() if value is not None}
                    messages.append(reply)
                    turn |= await server.act(turn["episode"], reply | {"finish_reason": choice.get("finish_reason")})
                    messages += turn["messages"]
                    # verifiers counts a prompt that is too long as a failure of the server, so none is sent.
                    ahead = used + sum(len(message["content"]) for message in turn["messages"]) // 3 + ROOM
                    if not turn["done"] and context and ahead > context:
                        turn |= await server.full(turn["episode"])
            except asyncio.CancelledError:
                await server.leave(turn["episode"])
                raise
        trace.info["basis"] = {key: turn[key] for key in ("valid", "reward", "code", "detail", "cause", "end", "turns")}
        if not turn["valid"]:
            raise SandboxError(f"the episode says nothing about the model: {turn['detail']}")
        return ProgramResult(0, json.dumps(trace.info["basis"]), "")


async def window(model, endpoint, name):
    """The longest sequence of the model in tokens, if its server says so."""
    answer = await model.get(f"{endpoint.rstrip('/')}/models")
    cards = [] if answer.is_error else answer.json().get("data", [])
    return next((card.get("max_model_len") for card in cards if card.get("id") == name), None)
