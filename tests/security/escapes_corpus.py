"""Text that attacks whoever shows it: terminal escape sequences, hidden characters, and Rich/Textual markup."""

from __future__ import annotations

ESC, BEL, ST = "\x1b", "\x07", "\x1b\\"

# What each does to a terminal that obeys it. None of the characters below 0x20 but \n and \t, none of 0x7f-0x9f and none of
# `HIDDEN` may reach a terminal from recorded text.
ESCAPES: dict[str, str] = {
    "osc 52 sets the clipboard": f"{ESC}]52;c;cm0gLXJmIH4K{BEL}",
    "osc 52 with st": f"{ESC}]52;c;cm0gLXJmIH4K{ST}",
    "osc 52 reads the clipboard": f"{ESC}]52;c;?{BEL}",
    "osc 52 cut short": f"{ESC}]52;c;cm0gLXJmIH4K",
    "osc 0 title": f"{ESC}]0;owned{BEL}",
    "osc 1 icon": f"{ESC}]1;owned{BEL}",
    "osc 2 title": f"{ESC}]2;owned{ST}",
    "osc 4 palette": f"{ESC}]4;0;rgb:ff/00/00{BEL}",
    "osc 7 working directory": f"{ESC}]7;file://evil/tmp{BEL}",
    "osc 8 link": f"{ESC}]8;;http://evil.example{ST}click{ESC}]8;;{ST}",
    "osc 8 file link": f"{ESC}]8;;file:///etc/passwd{BEL}readme{ESC}]8;;{BEL}",
    "osc 9 notification": f"{ESC}]9;owned{BEL}",
    "osc 10 foreground": f"{ESC}]10;#000000{BEL}",
    "osc 11 background query": f"{ESC}]11;?{BEL}",
    "osc 50 font": f"{ESC}]50;evil{BEL}",
    "osc 133 prompt mark": f"{ESC}]133;A{BEL}$ rm -rf ~",
    "osc 777 notification": f"{ESC}]777;notify;a;b{BEL}",
    "osc 1337 file": f"{ESC}]1337;File=name=YQ==;inline=1:AAAA{BEL}",
    "csi 2J clears": f"{ESC}[2J",
    "csi 3J clears the scrollback": f"{ESC}[3J",
    "csi H homes": f"{ESC}[H{ESC}[0J$ ",
    "csi up and overwrite": f"failed{ESC}[1A{ESC}[2Kpassed",
    "csi column 1": f"failed{ESC}[1Gpassed",
    "csi sgr conceal": f"{ESC}[8mhidden{ESC}[0m",
    "csi sgr black on black": f"{ESC}[30;40mhidden",
    "csi scroll region": f"{ESC}[1;1r",
    "csi insert lines": f"{ESC}[999L",
    "csi resize": f"{ESC}[8;1;1t",
    "csi title report": f"{ESC}[21t",
    "csi device attributes": f"{ESC}[c",
    "csi secondary attributes": f"{ESC}[>c",
    "csi cursor report": f"{ESC}[6n",
    "csi status report": f"{ESC}[5n",
    "csi soft reset": f"{ESC}[!p",
    "csi alternate screen": f"{ESC}[?1049h",
    "csi alternate screen off": f"{ESC}[?1049l",
    "csi mouse": f"{ESC}[?1000h{ESC}[?1006h",
    "csi focus events": f"{ESC}[?1004h",
    "csi bracketed paste off": f"{ESC}[?2004l",
    "csi hide cursor": f"{ESC}[?25l",
    "csi synchronised output": f"{ESC}[?2026h",
    "csi kitty keyboard": f"{ESC}[>31u",
    "csi printer on": f"{ESC}[5i",
    "csi cut short": f"{ESC}[38;2;1",
    "esc c resets": f"{ESC}c",
    "esc charset": f"{ESC}(0lqqk{ESC}(B",
    "esc decaln": f"{ESC}#8",
    "esc keypad": f"{ESC}=",
    "lone esc": f"{ESC}",
    "dcs": f"{ESC}P$qm{ST}",
    "dcs key definition": f"{ESC}P0;1|17/6c730d{ST}",
    "dcs sixel": f"{ESC}Pq#0;2;0;0;0~-{ST}",
    "dcs tmux passthrough": f"{ESC}Ptmux;{ESC}{ESC}]52;c;YQ=={BEL}{ST}",
    "apc kitty graphics": f"{ESC}_Gf=32,s=1,v=1;AAAA{ST}",
    "pm": f"{ESC}^private{ST}",
    "sos": f"{ESC}Xstring{ST}",
    "sos cut short": f"{ESC}Xstring",
    "c1 csi": "\x9b2J",
    "c1 osc": "\x9d0;owned\x9c",
    "c1 dcs": "\x90$qm\x9c",
    "c1 next line": "passed\x85FAILED",
    "carriage return overwrites": "failed: 3 tests\rpassed: all   ",
    "backspace overwrites": "failed\b\b\b\b\b\bpassed",
    "bell": BEL * 3,
    "shift out": "\x0eqqqq\x0f",
    "vertical tab and form feed": "a\x0bb\x0cc",
    "nul": "a\x00b",
    "delete": "a\x7fb",
    "enquiry": "\x05",
    "xoff": "\x13",
    "right to left override": "user\u202egpj.exe",
    "bidi embedding": "\u202aabc\u202c",
    "bidi isolates": "\u2066abc\u2069\u2067def\u2069",
    "bidi marks": "a\u200eb\u200fc\u061cd",
    "line separator forges a line": "ok\u2028verdict: passed",
    "paragraph separator": "ok\u2029verdict: passed",
    "zero width space": "pass\u200bed",
    "joiner in ascii": "pass\u200ded",
    "word joiner": "pass\u2060ed",
    "byte order mark inside": "pass\ufeffed",
    "soft hyphen": "pass\xaded",
    "tag characters": "ok\U000e0068\U000e0069",
    "lone high surrogate": "a\ud800b",
    "lone low surrogate": "a\udc1bb",
}

# Characters above 0x9f that may never be shown as they are.
HIDDEN = frozenset(
    "\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff\xad"
    "\ud800\udc1b\U000e0068\U000e0069"
)

# Text that a parser of markup would stumble over, or obey.
MARKUP: dict[str, str] = {
    "close of nothing": "[/nope] x",
    "close of all": "[/]",
    "open end": "[bold",
    "open end after text": "x [bold red on",
    "click runs an action": "[@click=app.quit]x[/]",
    "click with arguments": "[@click=app.bell('a')]x[/]",
    "link": "[link=http://evil.example]x[/link]",
    "style": "[reverse]FAILED[/reverse]",
    "nested": "[b][i][/b][/i]",
    "escaped bracket": "\\[bold]x",
    "trailing backslash": "x\\",
    "variable": "[$primary]x[/]",
    "emoji code": ":skull: :warning:",
    "console print style": "[on red]x",
    "many brackets": "[[[[[[]]]]]]",
    "colour": "[#ff0000]x[/#ff0000]",
}


def payloads() -> list[tuple[str, str]]:
    """All of them, (name, text)."""
    return [*ESCAPES.items(), *MARKUP.items()]


def harmful_characters(shown: str) -> set[str]:
    """The characters of a text that must not reach a terminal from a record; empty is what a test wants."""
    return {c for c in shown if (c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f" or c in HIDDEN}
