"""
Names of results: known before anything is made, the same on every machine, and never
outside of the folder that the template names.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path, PurePosixPath

from krea_cli.media import OUTPUT_TYPES, of_extension

# Room for "-10.png.json" within what file systems take.
MAX_BYTES = 230
# What no name can have on one system or another, and what a terminal would obey.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\<>:"|?*\u2028-\u202e\u2066-\u2069]+')
_DEVICES = re.compile(
    "(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])([. ]|$)", re.IGNORECASE
)
_ENDINGS = "*.png, *.jpg, *.webp, *.avif, *.tiff, *.gif, *.mp4, *.wav or *.glb"


def safe_part(text: str) -> str:
    """
    The text as a part of a file name: without separators, control characters, and dots
    or spaces at an end; empty if nothing is left.
    """
    text = unicodedata.normalize("NFC", text)
    return _UNSAFE.sub("-", text).lstrip("-. ").rstrip(". ")


def safe_path(text: str) -> str:
    """
    The text as a relative path, each of its parts as `safe_part`.
    """
    parts = [safe_part(part) for part in text.replace("\\", "/").split("/")]
    return "/".join(part for part in parts if part)


def fixed_folder(template: str) -> str:
    """
    The folders at the start of a template that have no words in braces.
    """
    *folders, _ = template.split("/")
    fixed = []
    for folder in folders:
        if "{" in folder.replace("{{", ""):
            break
        fixed.append(folder.replace("{{", "{").replace("}}", "}"))
    return "/".join(fixed)


def fault_of_output(output: str, fixed: str) -> str | None:
    """
    Say why a file cannot have this name; None if it can.
    """
    name = PurePosixPath(output).name
    suffix = Path(name).suffix
    faults = {
        f"'{output}' is outside of the folder '{fixed or '.'}'": _leaves(output, fixed),
        f"'{output}' has no extension, such as .png": not suffix,
        f"cannot write {suffix} files; use {_ENDINGS}": (
            suffix and of_extension(suffix) not in OUTPUT_TYPES
        ),
        f"'{name[:40]}...' is longer than {MAX_BYTES} bytes": (
            len(name.encode("utf-8", "surrogatepass")) > MAX_BYTES
        ),
        f"'{name}' is the name of a device on Windows": _DEVICES.match(name),
        "the name is not UTF-8 text": not _is_text(output),
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)


def _leaves(output: str, fixed: str) -> bool:
    """
    Tell whether a path ends up outside of the folder that its template names.
    """
    path = os.path.normpath(output)
    below = os.path.normpath(fixed) if fixed else "."
    if below == ".":
        return path.startswith("..") and path.split("/")[0] == ".."
    return not path.startswith(f"{below.rstrip('/')}/")


def with_copy(output: str, number: int) -> str:
    """
    The name with "-2" before its extension.
    """
    stem, dot, suffix = output.rpartition(".")
    return f"{stem}-{number}{dot}{suffix}"


def folded(output: str) -> str:
    """
    The same for names that are the same file on a system that ignores case.
    """
    return unicodedata.normalize("NFC", os.path.normpath(output)).casefold()


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
