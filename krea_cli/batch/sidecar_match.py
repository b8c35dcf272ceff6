"""
Recognize results by their sidecars, if the lock does not list them.

A sidecar may come from anybody. It counts only for the service that it names, and only
if the file has the hash that it names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from krea_cli.batch.identity import Identity, Input, identity_of
from krea_cli.batch.item_requests import Planned
from krea_cli.batch.journal_lines import time_text
from krea_cli.batch.lock import LockedFile, LockLine
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.downloads.sidecar_path import sidecar_path
from krea_cli.files.regular_file import read_regular
from krea_cli.inputs.local_file import RemoteFile
from krea_cli.requests.arguments import MAX_CHARACTERS
from krea_cli.requests.recorded_request import (
    RecordedInput,
    parse_sidecar,
)
from krea_cli.runtime.json_tree import leaves, mapped

_UNREADABLE = (OSError, ValueError, TypeError, LookupError, RecursionError)
# The start of placeholder URLs for the input files of a sidecar.
_FILE = "https://krea.ai/sidecar/"


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarMatcher:
    """
    A matcher that finds results on `disk` by the requests in their sidecars.
    """

    disk: ResultsOnDisk
    source: str
    service: str

    def __call__(self, planned: Planned) -> LockLine | None:
        """
        Return a lock line for the existing file of an item. Return None if its sidecar
        is missing, or describes another request or file.
        """
        path = sidecar_path(self.disk.path(planned.item.output))
        try:
            data = json.loads(
                read_regular(path, 4 * MAX_CHARACTERS).decode("utf-8-sig")
            )
            return self._line(planned, data)
        except _UNREADABLE:
            return None

    def _line(self, planned: Planned, data: Mapping[str, Any]) -> LockLine | None:
        file, output = data["file"], planned.item.output
        is_its_file = self.disk.sha256(output) == file["sha256"]
        if not is_its_file or data["service"] != self.service:
            return None
        if planned.identity is None or not self._is_same(planned, data):
            return None
        line = LockLine(
            source=self.source,
            output=output,
            key=planned.key,
            state="completed",
            job=data["job_id"],
            service=self.service,
            usd=data["cost_usd"],
            at=_time(data["created_at"]),
            identity=planned.identity,
            files=(
                LockedFile(
                    path=output,
                    sha256=file["sha256"],
                    # A sidecar lacks the hash of the file before its conversion.
                    received_sha256=None if file["converted_from"] else file["sha256"],
                    size_bytes=file["size_bytes"],
                    media_type=file["media_type"],
                    width=file["width"],
                    height=file["height"],
                ),
            ),
        )
        # Parsing the line again raises an error if a value has the wrong type.
        return LockLine.from_json(json.loads(line.text))

    def _is_same(self, planned: Planned, data: Mapping[str, Any]) -> bool:
        its = _identity(planned, data)
        mine = planned.identity
        if its is None or mine is None or mine.shape != its.shape:
            return False
        return len(mine.inputs) == len(its.inputs) and all(
            self._is_input(one, other)
            for one, other in zip(mine.inputs, its.inputs, strict=True)
        )

    def _is_input(self, mine: Input, its: Input) -> bool:
        if mine.key is None:
            return mine.is_same(its)
        # Another item makes this input, so the file that exists now counts.
        return mine.field == its.field and self.disk.sha256(mine.path) == its.sha256


def _identity(planned: Planned, data: Mapping[str, Any]) -> Identity | None:
    """
    Return the identity of the request in a sidecar. Return None if the model differs,
    or if a part of the request is missing.
    """
    assert planned.request is not None  # noqa: S101  (it has an identity)
    replay = parse_sidecar(data, Path())
    if replay.model != planned.request.model.path:
        return None
    made: dict[str, tuple[str, str]] = {}

    def restored(value: Any) -> Any:
        if not isinstance(value, RecordedInput):
            return value
        if value.path is None or value.sha256 is None:
            return RemoteFile(value.path or "")
        url = f"{_FILE}{len(made)}"
        made[url] = (value.path, value.sha256)
        return RemoteFile(url)

    recorded = [each for _, each in leaves(replay.fields)]
    if any(isinstance(each, RecordedInput) and not each.path for each in recorded):
        return None
    found = identity_of(
        planned.request.model,
        mapped(dict(replay.fields), restored),
        automatic={choice.field for choice in planned.choices},
        copy=planned.item.copy,
        made=made,
    )
    inputs = tuple(
        Input(field=each.field, path=each.path, sha256=each.key)
        for each in found.inputs
    )
    return Identity(request=found.request, inputs=inputs)


def _time(text: str) -> str:
    return time_text(datetime.fromisoformat(text).timestamp())
