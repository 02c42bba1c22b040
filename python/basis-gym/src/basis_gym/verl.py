"""An agent loop of verl: rows of `basis export --format verl` name it as `agent_name`.

    actor_rollout_ref.rollout.agent.agent_loop_config_path: a YAML file with
    - {name: basis, _target_: basis_gym.verl.BasisAgentLoop, url: "http://127.0.0.1:8000"}

Tokens, masks and log-probabilities are kept by verl's own tool loop. Only its tool calls and its end go to `basis serve`.
"""

import asyncio
import os

from verl.experimental.agent_loop.agent_loop import register
from verl.experimental.agent_loop.tool_agent_loop import AgentState, ToolAgentLoop

from basis_gym.client import Client, reward


@register("basis")
class BasisAgentLoop(ToolAgentLoop):
    def __init__(self, *args, url=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.server = Client(url or os.environ.get("BASISGYM_URL", "http://127.0.0.1:8000"))
        self.turn = None

    async def run(self, sampling_params, **kwargs):
        self.turn = await self.server.begin(kwargs["reward_model"]["ground_truth"], policy="verl")
        self.tool_schemas = self.turn["tools"]
        try:
            output = await super().run(sampling_params, **kwargs | {"raw_prompt": self.turn["messages"]})
            if not self.turn["done"]:
                self.turn |= await self.server.full(self.turn["episode"])
        except asyncio.CancelledError:
            await self.server.leave(self.turn["episode"])
            raise
        output.reward_score = reward(self.turn)
        output.extra_fields["basis"] = {key: self.turn[key] for key in ("code", "end", "turns")}
        return output

    async def _handle_generating_state(self, agent_data, sampling_params, ignore_termination=False):
        state = await super()._handle_generating_state(agent_data, sampling_params, ignore_termination)
        is_answer = state == AgentState.TERMINATED and agent_data.messages[-1]["role"] == "assistant" and not agent_data.tool_calls
        if is_answer:
            self.turn |= await self.server.act(self.turn["episode"], {"role": "assistant", "content": agent_data.messages[-1]["content"]})
            # What could not be read comes back as an observation, and the model goes on.
            return AgentState.PROCESSING_TOOLS if not self.turn["done"] else state
        return state

    async def _handle_processing_tools_state(self, agent_data):
        before = list(agent_data.messages)
        if agent_data.tool_calls:
            call = lambda at, it: {"id": f"c{at}", "type": "function", "function": {"name": it.name, "arguments": it.arguments}}
            calls = [call(at, it) for at, it in enumerate(agent_data.tool_calls)]
            self.turn |= await self.server.act(self.turn["episode"], {"role": "assistant", "content": "", "tool_calls": calls})
        if self.turn["done"]:
            return AgentState.TERMINATED
        agent_data.messages += [{"role": it["role"], "content": it["content"]} for it in self.turn["messages"]]
        agent_data.tool_calls = []
        merged, mask, logprobs = await self.ct_merge_context_msg(
            before, agent_data.messages, agent_data.prompt_ids, agent_data.response_mask,
            agent_data.response_logprobs or None, tools=self.tool_schemas,
        )  # fmt: skip
        if len(mask) >= self.response_length:
            return AgentState.TERMINATED
        agent_data.prompt_ids, agent_data.response_mask = merged.token_ids, mask
        agent_data.response_logprobs = (logprobs or []) if agent_data.response_logprobs else []
        agent_data.user_turns += 1
        return AgentState.GENERATING
