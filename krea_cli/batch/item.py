"""
An item of a batch: one result that is to be made.

It is what was asked for, in the user's words, with all braces filled in; no model was
looked at yet, and no input file was read.
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

# A web address or a data URI; one letter is a drive, and file: a path.
_ADDRESS = re.compile(r"\s*(?!file:)[a-z][a-z0-9+.-]+:", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    One result to make.

    *output* is relative to the folder of the manifest; *seen_as* is the same path from
    the current folder, if that is another one.  *needs*
    has the outputs of other items that this one takes as input, by the words that name
    them.
    *row* and *column* say where its result stands on a contact sheet.
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
    # Texts that name files and come from a table.
    foreign_paths: tuple[str, ...] = ()
    # Keys whose values cannot be used, which is reported already.
    faulty: frozenset[str] = frozenset()

    @property
    def shown(self) -> str:
        """
        Return the output as messages name it.
        """
        return self.seen_as or self.output


def local_input(text: str, folder: Path) -> Path | None:
    """
    The path of an input that is a file; None for a web address or a data URI.
    """
    if _ADDRESS.match(text):
        return None
    return Path(os.path.normpath(folder / local_path(text)))
