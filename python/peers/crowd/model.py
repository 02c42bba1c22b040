"""A model that only takes time: 200 ms a turn, ten turns of an episode, the last of which is its answer. `model.py PORT`

It counts the turns of an episode by the replies that a request brings with it, so it needs to remember nothing. A request that offers
tools is answered with a call of `bash`; one without, with text.
"""

import asyncio
import json
import sys

SECONDS = 0.2
TURNS = 10
CALL = {"id": "call-0", "type": "function", "function": {"name": "bash", "arguments": json.dumps({"command": "true"})}}


def reply(request):
    said = sum(message["role"] == "assistant" for message in request["messages"])
    message = {"role": "assistant", "content": "done"}
    if said + 1 < TURNS and request.get("tools"):
        message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
    usage = {"prompt_tokens": 100 * (said + 1), "completion_tokens": 10, "total_tokens": 100 * (said + 1) + 10}
    return {"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "mock", "choices": [choice], "usage": usage}


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next((int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length:")), 0)
            body = await reader.readexactly(length)
            if head.startswith("post"):
                answer = reply(json.loads(body))
                await asyncio.sleep(SECONDS)
            else:
                answer = {"object": "list", "data": [{"id": "mock", "object": "model", "max_model_len": 100_000}]}
            text = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(text), text))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1000)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
