"""
Draw a help topic. Kept apart because rich's Markdown is slow to load.
"""

from __future__ import annotations

from rich.markdown import Markdown


def markdown(text: str) -> Markdown:
    """
    Return the Markdown text as rich draws it, with commands that can be copied.
    """
    return Markdown(text, code_theme="ansi_dark", hyperlinks=False)
