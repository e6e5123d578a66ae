from pathlib import Path

import pytest

from cabtrace.errors import ScriptError
from cabtrace.modelserver.script import find_model, load_script

SCRIPT = """
schema_version = "1"
[[model]]
name = "scripted/careful"
without_tools = "A title"
[[model.turn]]
first_token_ms = 400
chunk_ms = 15
text = "I will look at the code first."
[[model.turn.tool_call]]
name = "shell"
arguments = { command = "ls -R" }
[model.turn.usage]
input = 812
output = 54
[[model.turn]]
[model.turn.fault]
status = 429
retry_after_s = 0.5
times = 2
[[model]]
name = "*"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "script.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_script_is_read(tmp_path):
    script = load_script(written(tmp_path, SCRIPT))
    careful, anything = script.model
    first, second = careful.turn
    assert (first.first_token_ms, first.chunk_ms, first.tool_call[0].arguments) == (400, 15, {"command": "ls -R"})
    assert (first.usage.input, first.usage.output, first.usage.cached) == (812, 54, 0)
    assert (second.first_token_ms, second.chunk_ms) == (150, 10)
    assert second.fault is not None
    assert (second.fault.status, second.fault.retry_after_s, second.fault.times) == (429, 0.5, 2)
    assert find_model((script,), "scripted/careful") is careful
    assert find_model((script,), "other") is anything
    assert find_model((load_script(written(tmp_path, SCRIPT.replace('"*"', '"b"'))),), "other") is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "schema_version"),
        ('schema_version = "2"\n[[model]]\nname = "m"', "schema_version"),
        ('schema_version = "1"', "model"),
        ('schema_version = "1"\nmodel = []', "model"),
        ('schema_version = "1"\n[[model]]\nname = ""', "model[0].name"),
        ('schema_version = "1"\n[[model]]\nname = "m"\ncolour = 1', "model[0].colour"),
        ('schema_version = "1"\n[[model]]\nname = "m"\n[[model.turn]]\nchunk_ms = -1', "model[0].turn[0].chunk_ms"),
        ('schema_version = "1"\n[[model]]\nname = "m"\n[[model.turn]]\ntext = 5', "model[0].turn[0].text"),
        (
            'schema_version = "1"\n[[model]]\nname = "m"\n[[model.turn]]\n[[model.turn.tool_call]]',
            "model[0].turn[0].tool_call[0].name",
        ),
        (
            'schema_version = "1"\n[[model]]\nname = "m"\n[[model.turn]]\n[model.turn.usage]\ninput = -1',
            "model[0].turn[0].usage.input",
        ),
        ('schema_version = "1"\n[[model]]\nname = "m"\n[[model.turn]]\n[model.turn.fault]', "model[0].turn[0].fault"),
        ('schema_version = "1"\n[[model]]\nname = "m"\n[[model.turn]]\nfault = {status = 200}', "model[0].turn[0].fault.status"),
        (
            'schema_version = "1"\n[[model]]\nname = "m"\n[[model.turn]]\nfault = {status = 500, hang_s = 1}',
            "model[0].turn[0].fault",
        ),
        ('schema_version = "1"\n[[model]]\nname = "m"\n[[model.turn]]\nfault = {hang_s = 1, retry_after_s = 1}', "fault"),
    ],
)
def test_a_wrong_script_names_its_file_and_key(tmp_path, text, key):
    path = written(tmp_path, text)
    with pytest.raises(ScriptError) as caught:
        load_script(path)
    assert str(path) in str(caught.value)
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_script(tmp_path):
    with pytest.raises(ScriptError, match="cannot be read"):
        load_script(tmp_path / "none.toml")
    with pytest.raises(ScriptError, match="not valid TOML"):
        load_script(written(tmp_path, "= ="))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ScriptError, match="not valid TOML"):
        load_script(tmp_path / "binary.toml")
    with pytest.raises(ScriptError):
        load_script(tmp_path)
