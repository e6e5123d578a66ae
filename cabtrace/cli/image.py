"""`cabtrace image`."""

from __future__ import annotations

from pathlib import Path

import click

from cabtrace.cli.options import json_option


@click.group("image", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Images that hold an agent's CLI and cabtrace."""


@command.command("build")
@click.argument("agent", metavar="AGENT")
@click.option("--base", default="", metavar="IMAGE", help="Build on this image; a CLI that is in it is not installed again.")
@click.option("--tag", default="", metavar="NAME", help="The image's name [default: cabtrace/AGENT:VERSION].")
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Install cabtrace from the wheels of this folder, pip's among them, instead of a package index.",
)
@click.option("--network", default="", metavar="NAME", help="The network of the steps: host, none, … [default: the engine's].")
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Certificates (PEM) to trust during the build, where a proxy of yours opens TLS. The image does not trust them.",
)
@json_option
def build_command(
    agent: str, base: str, tag: str, wheels: Path | None, network: str, ca_file: Path | None, as_json: bool
) -> None:
    """Build the image of AGENT: its CLI at the version that the adapter was verified with, and this very cabtrace."""
    from cabtrace.agents.registry import find_agent
    from cabtrace.cli import out
    from cabtrace.runner.image import build, recipe

    made = recipe(find_agent(agent), base, tag)
    if not as_json:
        click.echo(f"Building {made.tag} on {made.base}; this may take some minutes.", err=True)
    image_id = build(made, wheels, network=network, ca_file=ca_file)
    if as_json:
        out.print_json({"tag": made.tag, "id": image_id, "base": made.base, "agent": made.agent, "pinned_version": made.version})
        return
    out.say(f"Built {made.tag} ({image_id}).")
    model = " --model MODEL"
    out.say(f"Inside:  docker run --rm -e CAB_ENDPOINT -e CAB_KEY {made.tag} run-cell --tui {made.agent}{model} --task TASK")
    out.say(f"Outside: cabtrace run --sandbox docker --image {made.tag} --agent {made.agent}{model} --task TASK")
