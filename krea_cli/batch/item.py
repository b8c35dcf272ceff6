"""
An item of a batch: one result to make.

It has the values that the user gave, with words in braces filled in. They are not yet
checked against the model, and no input file has been read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from krea_cli.batch.problems import Position
from krea_cli.runtime.user_paths import local_path

# A URL or a data: URI. One letter before the colon is a drive, and file: a path.
_ADDRESS = re.compile(r"\s*(?!file:)[a-z][a-z0-9+.-]+:", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    One result to make.

    `output` is relative to the folder of the manifest. `seen_as` is the same path
    relative to the current folder. `needs` has the outputs of other items that are
    inputs of this one, by the text that names them. `row` and `column` are the place of
    the result on a contact sheet.
    """

    position: Position
    output: str
    seen_as: str = ""
    model: str | None = None
    prompt: str | None = None
    images: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    copy: int = 1
    expect: tuple[str, ...] = ()
    sidecar: bool = False
    quality_out: int | None = None
    max_size: str | None = None
    fit: bool = False
    inline: bool = False
    row: str = ""
    column: str = ""
    needs: Mapping[str, str] = field(default_factory=dict)
    # Names of input files that come from a table.
    foreign_paths: tuple[str, ...] = ()
    # Keys with unusable values. These are already reported.
    faulty: frozenset[str] = frozenset()

    @property
    def shown(self) -> str:
        """
        Return the output for messages.
        """
        return self.seen_as or self.output


def local_input(text: str, folder: Path) -> Path | None:
    """
    Return the path of an input file, or None for a URL or a data: URI.
    """
    if _ADDRESS.match(text):
        return None
    return Path(os.path.normpath(folder / local_path(text)))
