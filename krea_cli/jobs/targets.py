"""
Where results go and what they are called, as `-o` says.

Names never come from the server (hazard F1): they are the user's words, and fields that
are cleaned before they become part of a path.
"""

from __future__ import annotations

import os
import re
import string
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from krea_cli.errors import UsageError
from krea_cli.jobs.files import check_folder, exists
from krea_cli.jobs.media import Media, of_extension

FIELDS = (
    "job_id",
    "index",
    "ext",
    "model",
    "date",
    "time",
    "slug",
    "stem",
    "seed",
)
DEFAULT = "{job_id}.{ext}"
_COMPONENT_BYTES = 200
_VALUE_BYTES = 80
_DEVICES = re.compile(
    "(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])([. ]|$)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    *template* is a path with fields in braces; None means standard output.

    *makes_folders* is true where the user asked for a folder in so many words.
    """

    template: str | None
    makes_folders: bool = False

    @classmethod
    def parse(cls, output: str | None) -> Target:
        """
        The meaning of `-o`: "-", a folder (it exists, or the text ends in a slash), a
        template, or a file.  Without one: the default name in the current folder.

        Raises:
            UsageError: a field that does not exist, or nothing at all.
        """
        if output is None:
            return cls(template=DEFAULT)
        if output == "-":
            return cls(template=None)
        if not output.strip() or "\0" in output:
            raise UsageError("-o needs the name of a file or a folder.")
        if output.endswith(("/", "\\")) or Path(output).is_dir():
            folder = output.replace("{", "{{").replace("}", "}}")
            return cls(template=f"{folder}/{DEFAULT}", makes_folders=True)
        if not re.search("[{}]", output):
            return cls(template=output)
        _check_fields(output)
        return cls(template=output, makes_folders=True)

    @property
    def media(self) -> Media | None:
        """
        The kind of file that the name promises, None when it promises none.
        """
        return of_extension(Path(self.template or "").suffix)

    def path(self, values: Mapping[str, str | int], *, several: bool) -> Path:
        """
        The path for one result.  *values* has every field; where there are *several*
        results and the template has no index, it stands before the extension.
        """
        template = self.template or ""
        if several and "{index" not in template:
            at = len(template) - len(Path(template).suffix)
            template = template[:at] + "-{index}" + template[at:]
        path = Path()
        for part in Path(template).parts:
            path /= _component(part, values) if "{" in part else part
        return path

    def check(self, *, count: int, force: bool) -> None:
        """
        Find out now what would keep a result from being saved (hazard B13).

        Raises:
            UsageError: several results cannot go to one standard output.
            StorageError: the folder cannot be written to, or a name is taken.
        """
        if self.template is None:
            if count > 1:
                raise UsageError(
                    "Standard output takes one result, and several are asked for.",
                    hint="Leave out -n, or name a folder: -o results/",
                )
            return
        for index in range(1, count + 1):
            unknown = {field: f"{{{field}}}" for field in FIELDS}
            path = self.path({**unknown, "index": index}, several=count > 1)
            folder = path.parent
            while self.makes_folders and not folder.exists():
                folder = folder.parent
            check_folder(folder)
            if not force and os.path.lexists(path):
                raise exists(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """
    What names are made of besides the job: *prompt* gives the slug, *source* (the first
    image, as the user named it) the stem; *now* is local time.
    """

    now: datetime
    model: str = ""
    prompt: str = ""
    source: str = ""
    seed: int | None = None

    def values(
        self, *, job_id: str, index: int, extension: str
    ) -> dict[str, str | int]:
        """
        Every field of FIELDS, clean enough to be part of a path.
        """
        return {
            "job_id": job_id,
            "index": index,
            "ext": extension,
            "model": _clean(self.model.rpartition("/")[2]) or "model",
            "date": f"{self.now:%Y-%m-%d}",
            "time": f"{self.now:%H%M%S}",
            "slug": _clean(self.prompt.lower()) or "result",
            "stem": _clean(Path(self.source).stem) or "result",
            "seed": "random" if self.seed is None else str(self.seed),
        }


def _check_fields(template: str) -> None:
    try:
        parts = list(string.Formatter().parse(template))
        names = [name for _, name, _, _ in parts if name is not None]
        unknown = [name for name in names if name not in FIELDS]
        if not unknown:
            template.format(**dict.fromkeys(FIELDS, "x") | {"index": 1})
            return
        fault = f"has no field {{{unknown[0]}}}"
    except (ValueError, IndexError, KeyError) as exc:
        fault = f"cannot be read: {exc}"
    raise UsageError(
        f"The name {template} {fault}.",
        hint="Fields: " + " ".join(f"{{{field}}}" for field in FIELDS),
    )


def _component(part: str, values: Mapping[str, str | int]) -> str:
    """
    One part of a path with its fields filled in, and nothing a system trips over
    (hazards F3, F18, F21).
    """
    name = part.format(**values).lstrip("-. ") or "result"
    if _DEVICES.match(name):
        name = f"_{name}"
    stem, suffix = Path(name).stem, Path(name).suffix
    return _cut(stem, _COMPONENT_BYTES - len(suffix.encode())) + suffix


def _clean(text: str) -> str:
    """
    Letters, digits, dot, underscore and hyphen of the text; runs of all else are one
    hyphen.
    """
    text = unicodedata.normalize("NFC", text)
    return _cut(re.sub(r"[^\w.]+", "-", text).strip("-._"), _VALUE_BYTES).strip("-._")


def _cut(text: str, most: int) -> str:
    """
    At most *most* bytes of UTF-8, cut between characters.
    """
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
