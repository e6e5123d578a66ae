"""Any program as an agent, without a line of code: the command line is the user's."""

from __future__ import annotations

import re

from cabtrace.errors import UsageError
from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

_PLACE = re.compile(r"\{(prompt|model|base_url|workdir|home)\}")


class CommandAgent:
    """Runs the words after `--`, with `{prompt} {model} {base_url} {workdir} {home}` filled in.

    `{base_url}` is the recording proxy's, without `/v1`. Any other brace stays as it is.
    """

    name = "command"
    capabilities = AgentCapabilities(apis=("openai.chat", "openai.responses", "anthropic.messages", "gemini.generate_content"))

    def launch(self, context: LaunchContext) -> Launch:
        """The filled-in command line, and the proxy under the names that the common client libraries look for."""
        if not context.argv:
            raise UsageError(
                "the agent `command` needs a command line.",
                hint="Put it after `--`, for example: -- my-agent --model {model} {prompt}",
            )
        values = {
            "prompt": context.prompt,
            "model": context.model,
            "base_url": context.base_url,
            "workdir": context.paths.workdir,
            "home": context.paths.home,
        }
        argv = tuple(_PLACE.sub(lambda found: values[found.group(1)], word) for word in context.argv)
        return Launch(argv=argv, env=client_environment(context.base_url, context.token))

    def executables(self) -> tuple[str, ...]:
        """Known only when it is run."""
        return ()


def client_environment(base_url: str, token: str) -> dict[str, str]:
    """Where the common client libraries find endpoint and key."""
    return {
        "OPENAI_BASE_URL": f"{base_url}/v1",
        "OPENAI_API_BASE": f"{base_url}/v1",
        "OPENAI_API_KEY": token,
        "ANTHROPIC_BASE_URL": base_url,
        "ANTHROPIC_API_KEY": token,
        "GOOGLE_GEMINI_BASE_URL": base_url,
        "GEMINI_API_KEY": token,
    }
