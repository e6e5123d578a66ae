"""An agent of one's own for cabtrace: asks a model once and writes the files that it answers with."""

from __future__ import annotations

import sys

from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

# The agent itself. A real one is a program on PATH; this one is put into the cell's home.
PROGRAM = rb"""
import json, os, re, sys, urllib.request

model, prompt = sys.argv[1:]
ask = prompt + "\nAnswer with each file whole: its name on a line, then its content between lines of ```."
body = json.dumps({"model": model, "messages": [{"role": "user", "content": ask}]}).encode()
headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, headers)
with urllib.request.urlopen(request) as response:
    answer = json.load(response)["choices"][0]["message"]["content"]
print(answer)
for name, content in re.findall(r"^([\w.-]+)\n```\w*\n(.*?)^```", answer, re.DOTALL | re.MULTILINE):
    with open(name, "w") as file:
        file.write(content)
    print("wrote", name)
"""


class OneShotAgent:
    """Found by the entry point in pyproject.toml; inherits from nothing."""

    name = "one-shot"
    capabilities = AgentCapabilities(apis=("openai.chat",))

    def launch(self, context: LaunchContext) -> Launch:
        """Endpoint and key by environment, everything else by arguments."""
        python = sys.executable if context.sandbox == "local" else "python3"
        return Launch(
            argv=(python, f"{context.paths.home}/one_shot.py", context.model, context.prompt),
            env={"OPENAI_BASE_URL": f"{context.base_url}/v1", "OPENAI_API_KEY": context.token},
            files={"one_shot.py": PROGRAM},
        )

    def executables(self) -> tuple[str, ...]:
        """What must be on PATH."""
        return ("python3",)
