"""The baseline of whatever is painted: what any program in Textual needs before it shows a word."""

BARE_WORD = b"bareword"
BARE_APP = """
from textual.app import App
from textual.widgets import Static


class Bare(App):
    def compose(self):
        yield Static("bareword")


Bare().run()
"""
