"""The workload of `model.py` in verifiers: a harness in its process, whose tools take no time.

Model calls go through the interception endpoint of verifiers, as those of any harness do.
"""

import os

import httpx
import verifiers.v1 as vf
from verifiers.v1.runtimes import ProgramResult

__all__ = ["CrowdTaskset", "CrowdHarness"]

TOOL = {"type": "function", "function": {"name": "bash", "parameters": {"type": "object", "properties": {"command": {"type": "string"}}}}}


class CrowdTask(vf.Task[vf.TaskData]):
    @vf.reward
    async def grade(self, trace):
        return 1.0


class CrowdTaskset(vf.Taskset[CrowdTask, vf.TasksetConfig]):
    def load(self):
        for number in range(int(os.environ["CROWD_EPISODES"])):
            yield CrowdTask(vf.TaskData(id=str(number), name=f"crowd-{number}", prompt="simulated", system_prompt="simulated"), self.config.task)


class CrowdHarness(vf.Harness[vf.HarnessConfig]):
    APPENDS_SYSTEM_PROMPT = True
    NEEDS_CONTAINER = False
    EXECUTES_CODE = False

    async def launch(self, ctx, trace, runtime, endpoint, secret, mcp_urls, data):
        messages = [{"role": "system", "content": data.system_prompt}, {"role": "user", "content": data.prompt}]
        async with httpx.AsyncClient(timeout=None, headers={"authorization": f"Bearer {secret}"}) as model:
            while True:
                body = {"model": ctx.model, "messages": messages, "tools": [TOOL]}
                answer = await model.post(f"{endpoint.rstrip('/')}/chat/completions", json=body)
                answer.raise_for_status()
                message = {key: value for key, value in answer.json()["choices"][0]["message"].items() if value is not None}
                messages.append(message)
                if not message.get("tool_calls"):
                    return ProgramResult(0, message["content"], "")
                messages += [{"role": "tool", "tool_call_id": call["id"], "content": "x" * 1000} for call in message["tool_calls"]]
