"""
Reject paths that Windows does not allow, before anything is paid for.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from krea_cli.errors import TargetError
from krea_cli.runtime.windows import MAX_PATH_CHARACTERS, has_long_paths

_FORBIDDEN = re.compile(r'[<>"|?*:\x00-\x1f]')
_DEVICE = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?", re.IGNORECASE
)
# Of the template fields that are known only after the job, this is by far the longest.
_JOB_ID, _JOB_ID_CHARACTERS = "{job_id}", 36


def check_windows_path(target: Path) -> None:
    """
    Check the name and the length of a path.

    Raises:
        TargetError: Windows does not allow the name, or the path is too long.
    """
    if sys.platform != "win32":
        return
    for part in target.parts:
        if part != target.anchor and (bad := _FORBIDDEN.search(part)):
            raise _refused(target, f"a name cannot contain {bad[0]!r}")
        if _DEVICE.fullmatch(part):
            raise _refused(target, f"{part} is a device name")
        if part != target.anchor and part.strip(".") and part.endswith((".", " ")):
            raise _refused(target, "a name cannot end with a dot or space")
    length = len(str(target.absolute()).replace(_JOB_ID, "x" * _JOB_ID_CHARACTERS))
    if length > MAX_PATH_CHARACTERS and not has_long_paths():
        raise _refused(
            target, f"the path is longer than {MAX_PATH_CHARACTERS} characters"
        )


def _refused(target: Path, why: str) -> TargetError:
    return TargetError(
        f"Cannot write {target} on Windows: {why}.",
        hint="Choose another name with -o.",
    )
