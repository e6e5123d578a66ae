"""The page that textual-serve makes, as cabtrace's own: its title, nothing from the network, and a word at the end. Pure."""

from __future__ import annotations

import html
import re
from typing import Final

ENDED: Final = "The replay has ended. Restart opens it again; so does this address, until ctrl-c ends cabtrace in its terminal."

_LINK: Final = re.compile(r'<link\b[^>]*href="https?://[^>]*>')
_LOGO: Final = re.compile(r'(<div class="intro">)\s*<svg\b.*?</svg>', re.DOTALL)


def own_page(page: str, title: str) -> str:
    """`page` with `title`, without the links and the logo of others."""
    page = _LOGO.sub(r"\1", _LINK.sub("", page))
    page = page.replace("<head>", f"<head>\n    <title>{html.escape(title)}</title>", 1)
    return page.replace("Session ended.", html.escape(ENDED), 1)
