"""
Draw help topics.

This is a separate module because rich's Markdown is slow to import.
"""

from __future__ import annotations

from rich.markdown import Markdown


def markdown(text: str) -> Markdown:
    """
    Render Markdown with rich. Commands can be copied.
    """
    return Markdown(text, code_theme="ansi_dark", hyperlinks=False)
