"""The workload of `model.py` in Harbor: an agent that talks to it as Harbor's own agents do, in an environment that takes no time."""

import os
from pathlib import Path

from harbor.agents.base import BaseAgent
from harbor.environments.base import BaseEnvironment, ExecResult
from harbor.environments.capabilities import EnvironmentCapabilities
from harbor.llms.chat import Chat
from harbor.llms.lite_llm import LiteLLM
from model import TURNS


class Talker(BaseAgent):
    @staticmethod
    def name():
        return "talker"

    def version(self):
        return "1"

    async def setup(self, environment):
        pass

    async def run(self, instruction, environment, context):
        chat = Chat(LiteLLM("openai/mock", api_base=os.environ["CROWD_URL"], api_key="none"))
        said = instruction
        for turn in range(TURNS):
            await chat.chat(said)
            if turn + 1 < TURNS:
                said = (await environment.exec("true")).stdout


class Nowhere(BaseEnvironment):
    @staticmethod
    def type():
        return "nowhere"

    @property
    def capabilities(self):
        return EnvironmentCapabilities(disable_internet=True)

    def _validate_definition(self):
        pass

    async def start(self, force_build):
        pass

    async def stop(self, delete):
        pass

    async def exec(self, command, cwd=None, env=None, timeout_sec=None, user=None):
        return ExecResult(stdout="x" * 1000, stderr="", return_code=0)

    async def upload_file(self, source_path, target_path):
        pass

    async def upload_dir(self, source_dir, target_dir):
        pass

    async def download_file(self, source_path, target_path):
        Path(target_path).write_text("")

    async def download_dir(self, source_dir, target_dir):
        Path(target_dir).mkdir(parents=True, exist_ok=True)
