"""
Build and check the file names of results.

A name is known before anything is generated, is the same on every machine, and stays
inside the folder that its template names.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path, PurePosixPath

from krea_cli.media import OUTPUT_TYPES, of_extension

# File systems allow 255 bytes. This leaves room for "-10.png.json".
MAX_BYTES = 230
# Characters that a system forbids in names, or that would control a terminal.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\<>:"|?*\u2028-\u202e\u2066-\u2069]+')
_DEVICES = re.compile(
    "(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])([. ]|$)", re.IGNORECASE
)
_ENDINGS = "*.png, *.jpg, *.webp, *.avif, *.tiff, *.gif, *.mp4, *.wav or *.glb"


def safe_part(text: str) -> str:
    """
    Return the text as one part of a file name, or "" if nothing is left.

    Separators and control characters become hyphens. Dots and spaces at the ends, and
    hyphens at the start, are removed.
    """
    text = unicodedata.normalize("NFC", text)
    return _UNSAFE.sub("-", text).lstrip("-. ").rstrip(". ")


def safe_path(text: str) -> str:
    """
    Return the text as a relative path whose parts are safe, as with `safe_part`.
    """
    parts = [safe_part(part) for part in text.replace("\\", "/").split("/")]
    return "/".join(part for part in parts if part)


def fixed_folder(template: str) -> str:
    """
    Return the leading folders of a template that have no words in braces.
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
    Return why a file cannot have this name, or None if it can. `fixed` is the folder
    that the file must stay in.
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
    Return whether a path is outside of the folder that its template names.
    """
    path = os.path.normpath(output)
    below = os.path.normpath(fixed) if fixed else "."
    if below == ".":
        return path.startswith("..") and path.split("/")[0] == ".."
    return not path.startswith(f"{below.rstrip('/')}/")


def with_copy(output: str, number: int) -> str:
    """
    Return the name with a number before its extension, such as owl-2.png.
    """
    stem, dot, suffix = output.rpartition(".")
    return f"{stem}-{number}{dot}{suffix}"


def folded(output: str) -> str:
    """
    Return a key that is equal for two names of the same file, even on a system that
    ignores case.
    """
    return unicodedata.normalize("NFC", os.path.normpath(output)).casefold()


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
