"""The openai client through the gateway: a call with tools, a stream, and the session's tokens. Usage `openai_client.py URL`."""

import json
import sys
from urllib.request import urlopen

import openai

url = sys.argv[1]
client = openai.OpenAI(base_url=f"{url}/sessions/peer/v1", api_key="x")
task = "Fix this issue in the repository. Hidden tests decide.\n\nIssue: `f(1)` returns 2, but it should return 3."
bash = {"type": "object", "properties": {"command": {"type": "string"}}}
tools = [{"type": "function", "function": {"name": "bash", "description": "Runs a command.", "parameters": bash}}]
messages = [{"role": "user", "content": task}]
answer = client.chat.completions.create(model="basis", messages=messages, tools=tools, max_tokens=60, logprobs=True)
choice = answer.choices[0]
assert choice.logprobs.content, answer
messages.append(choice.message.model_dump(exclude_none=True))
calls = choice.message.tool_calls or []
messages += [{"role": "tool", "tool_call_id": call.id, "content": "a.py:1:def f(x):"} for call in calls]
messages += [] if calls else [{"role": "user", "content": "go on"}]
pieces = list(client.chat.completions.create(model="basis", messages=messages, tools=tools, max_tokens=40, stream=True))
assert any(piece.choices and piece.choices[0].finish_reason for piece in pieces), pieces
with urlopen(f"{url}/sessions/peer") as body:
    session = json.load(body)
branch = session["branches"][-1]
assert len(branch["token_ids"]) == len(branch["mask"]) == len(branch["logprobs"]) and sum(map(int, branch["mask"])) > 0
assert not session["drift"], session["drift"]
print(f"openai {openai.__version__}: {len(pieces)} pieces, {sum(map(int, branch['mask']))} of {len(branch['mask'])} tokens sampled")
