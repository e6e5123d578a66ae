import pytest

from cabtrace.errors import UsageError
from cabtrace.runner.proxy.endpoint import parse_endpoint


@pytest.mark.parametrize(
    ("endpoint", "asked", "becomes"),
    [
        ("https://api.openai.com/v1", "/v1/chat/completions", "/v1/chat/completions"),
        ("https://api.openai.com/v1/", "/v1/chat/completions", "/v1/chat/completions"),
        ("https://api.openai.com/v1", "/chat/completions", "/v1/chat/completions"),
        ("https://api.anthropic.com", "/v1/messages", "/v1/messages"),
        ("https://api.anthropic.com/v1", "/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        ("https://openrouter.ai/api/v1", "/v1/chat/completions", "/api/v1/chat/completions"),
        ("https://gateway.example/team-a", "/v1/chat/completions", "/team-a/v1/chat/completions"),
        ("https://open.bigmodel.cn/api/paas/v4", "/v1/chat/completions", "/api/paas/v4/chat/completions"),
        ("https://g.example/v1beta/openai", "/v1/chat/completions", "/v1beta/openai/chat/completions"),
        ("https://g.example", "/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("https://g.example/v1beta", "/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("http://127.0.0.1:1/v1", "/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("http://127.0.0.1:1/v1", "/v1", "/v1"),
        ("http://127.0.0.1:1/v1", "/v1/", "/v1/"),
        ("http://127.0.0.1:1", "/", "/"),
    ],
)
def test_the_version_is_never_doubled_nor_lost(endpoint, asked, becomes):
    assert parse_endpoint(endpoint).path_for(asked) == becomes


def test_an_endpoint_is_taken_apart():
    endpoint = parse_endpoint(" https://Host.Example/api/v1/ ")
    assert (endpoint.scheme, endpoint.host, endpoint.port, endpoint.path) == ("https", "host.example", 443, "/api/v1")
    assert parse_endpoint("http://[::1]:8000/v1").host == "::1"


@pytest.mark.parametrize(
    "url",
    ["api.openai.com/v1", "file:///etc/passwd", "http://", "http://a:b@c/v1", "http://h/v1#x", "http://h/a b", "http://[::1"],
)
def test_what_is_no_endpoint_is_one_clear_sentence(url):
    with pytest.raises(UsageError) as caught:
        parse_endpoint(url)
    assert str(caught.value).count("\n") == 0
    assert caught.value.hint


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "model.localhost"])
def test_no_proxy_of_the_environment_comes_between_here_and_here(monkeypatch, host):
    monkeypatch.setenv("HTTP_PROXY", "http://corporate.example:3128")
    monkeypatch.setenv("http_proxy", "http://corporate.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    assert parse_endpoint(f"http://{host}:9/v1").environment_proxy() is None


def test_another_endpoint_goes_through_the_environments_proxy(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://corporate.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert parse_endpoint("https://api.openai.com/v1").environment_proxy() == "http://corporate.example:3128"
    assert parse_endpoint("https://inside.example/v1").environment_proxy() is None
