"""A picture of a screen made to stand alone: it refers to nothing outside, its frame has the theme's colours. Pure."""

from __future__ import annotations

import re
from typing import Final

#: fonts that the viewer's own machine has; every text in the picture says how wide it is, so any of them fits
FONTS: Final = 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace'
_FONT_FACE: Final = re.compile(r"\s*@font-face\s*\{[^}]*\}")
_FAMILY: Final = re.compile(r"font-family:[^;}]*")
_COMMENT: Final = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_FRAME: Final = re.compile(r'<rect fill="[^"]*" stroke="[^"]*"')
_TITLE: Final = re.compile(r'(<text class="[^"]*-title" fill=")[^"]*')


def stand_alone(svg: str, *, frame: str, line: str, title: str) -> str:
    """`svg` as Rich writes it, without fonts from the network. The colours are those of the window, its edge and its title."""
    head, end, body = svg.partition("</style>")
    head = _FAMILY.sub(f"font-family: {FONTS}", _FONT_FACE.sub("", _COMMENT.sub("", head)))
    head = head.replace("<svg ", '<svg xml:space="preserve" ', 1)
    body = _FRAME.sub(f'<rect fill="{frame}" stroke="{line}"', body, count=1)
    return head + end + _TITLE.sub(rf"\g<1>{title}", body, count=1)
