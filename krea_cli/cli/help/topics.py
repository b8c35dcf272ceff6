"""
Read the topics of `krea help`, which are Markdown files next to this module.
"""

from __future__ import annotations

from pathlib import Path

NAMES = ("batch", "ci", "exit-codes", "troubleshooting", "environment", "scripting")


def text(name: str) -> str:
    """
    Return the Markdown text of one of NAMES.
    """
    return Path(__file__).with_name(f"{name}.md").read_text("utf-8").rstrip("\n")
