"""
The topics of `krea help`, each a text of its own beside this module.
"""

from __future__ import annotations

from pathlib import Path

NAMES = ("exit-codes", "scripting", "environment")


def text(name: str) -> str:
    """
    What krea explains under one of NAMES.
    """
    return Path(__file__).with_name(f"{name}.txt").read_text("utf-8").rstrip("\n")
