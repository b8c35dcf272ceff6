"""
Return the shell scripts that ask krea for candidates.
"""

from __future__ import annotations

from pathlib import Path

from krea_cli.errors import UsageError

# The conventional file name of a completion script for each shell.
NAMES = {
    "bash": "krea.bash",
    "zsh": "_krea",
    "fish": "krea.fish",
    "powershell": "krea.ps1",
}
# The names of PowerShell's program, which depend on its version.
_POWERSHELL = ("pwsh", "powershell")
PROFILE_LINE = "krea --show-completion powershell | Out-String | Invoke-Expression"


def text(shell: str) -> str:
    """
    Return the script for a shell.

    Raises:
        UsageError: completion does not support that shell.
    """
    name = "powershell" if shell in _POWERSHELL else shell
    if name not in NAMES:
        raise unsupported(shell)
    return Path(__file__).with_name(f"script.{name}").read_text("utf-8")


def unsupported(shell: str) -> UsageError:
    """
    Build the error for a shell without a script.
    """
    if shell in _POWERSHELL:
        return UsageError(
            "Cannot install completion for PowerShell.",
            hint=f"Add this line to $PROFILE: {PROFILE_LINE}",
        )
    return UsageError(
        f"Completion is not supported for {shell or 'this shell'}.",
        hint=[
            "Supported shells: bash, zsh, fish and PowerShell.",
            # PowerShell does not set SHELL.
            *[f"For PowerShell, add this line to $PROFILE: {PROFILE_LINE}"]
            * (not shell),
        ],
    )
