"""
Return the shell scripts that ask krea for candidates.
"""

from __future__ import annotations

from pathlib import Path

# For each shell the usual name of such a script.
NAMES = {
    "bash": "krea.bash",
    "zsh": "_krea",
    "fish": "krea.fish",
    "powershell": "krea.ps1",
}


def text(shell: str) -> str:
    """
    Return the script for a shell of NAMES.
    """
    return Path(__file__).with_name(f"script.{shell}").read_text("utf-8")
