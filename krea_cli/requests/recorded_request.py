"""
Read an earlier request from a sidecar, in order to submit it again.

Sidecars are not trusted: they can only use files whose SHA-256 they contain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from krea_cli.errors import Action, InputError, Step
from krea_cli.inputs.local_file import Image, LocalFile
from krea_cli.requests.arguments import StdinSource, read_text
from krea_cli.runtime.json_tree import mapped
from krea_cli.runtime.user_paths import local_path

_MODEL = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)+", re.ASCII)
# Options for sending inputs, which are repeated when they are sent again.
SENDING_OPTIONS = ("inline", "fit", "keep_metadata")
_NO_FILE = {"-": "standard input", "data:": "a data URI"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """
    An earlier request.

    `fields` is its body. It has a RecordedInput for each text that was an input or was
    not stored.
    """

    model: str
    fields: Mapping[str, Any]
    inline: bool
    fit: bool
    keep_metadata: bool


@dataclass(frozen=True, slots=True)
class RecordedInput:
    """
    The former content of `field`.

    This is an input with path and SHA-256 as in `provenance`, or, without a path, a
    text that was not stored.
    """

    field: str
    path: str | None = None
    sha256: str | None = None

    def image(self, read: Callable[[str], Image]) -> Image:
        """
        Return the same image again, opened by `read` from its path or URL.

        Raises:
            InputError: it cannot be read, or has changed.
        """
        try:
            return self._image(read)
        except InputError as exc:
            given = "VALUE" if self.path is None else "@FILE"
            images = "" if self.path is None else "-i IMAGE for each image, or "
            hint = f"Pass it again: {images}-p {self.field}={given}"
            raise exc.but(hint) from exc.__cause__

    def _image(self, read: Callable[[str], Image]) -> Image:
        if self.path is None:
            raise InputError(
                f"The sidecar has no value for {self.field}. Values with signed URLs "
                "or inline files are not stored."
            )
        if self.sha256 is None:
            return read(self.path)
        if self.path in _NO_FILE:
            raise InputError(
                f"The image in {self.field} came from {_NO_FILE[self.path]}, which is "
                "not stored."
            )
        image = read(self.path)
        original = image.original if isinstance(image, LocalFile) else None
        if original is None or original.sha256 != self.sha256:
            raise InputError(
                f"{self.path} has changed since the sidecar was written "
                "(sha256 differs)."
            )
        return image


def read_sidecar(prompter: StdinSource, file: str) -> ReplayRequest:
    """
    Read a request from a sidecar. Its content is not trusted.

    Raises:
        InputError: the file cannot be read, or is not a sidecar.
    """
    if file != "-":
        file = local_path(file)
    sidecar = Path(f"{file}.json")
    if file != "-" and not file.endswith(".json") and sidecar.is_file():
        raise InputError(
            f"{file} is a result, not a sidecar.",
            hint=Step(Action.REPLAY, (str(sidecar),)),
        )
    try:
        text = read_text(prompter, file, "the sidecar")
        return parse_sidecar(json.loads(text), Path(file).parent)
    except InputError as exc:
        if not isinstance(exc.__cause__, UnicodeDecodeError):
            raise
        raise _no_sidecar(file) from exc
    except (ValueError, TypeError, LookupError, RecursionError) as exc:
        raise _no_sidecar(file) from exc


def _no_sidecar(file: str) -> InputError:
    return InputError(
        f"{'Standard input' if file == '-' else file} is not a krea sidecar.",
        hint="Use a .json file that krea wrote with --sidecar.",
    )


def source_file(path: str | None, sha256: str | None) -> Path | None:
    """
    Return the file that an input came from, or None if it was not a file.
    """
    return None if path is None or sha256 is None or path in _NO_FILE else Path(path)


def parse_sidecar(data: Mapping[str, Any], folder: Path) -> ReplayRequest:
    """
    Parse the request in a sidecar. Relative paths are resolved against `folder`.

    Raises:
        ValueError, TypeError, LookupError: the data is not a sidecar.
    """
    model, body = data["path"], data["body"]
    if not isinstance(data["krea"], str) or not isinstance(body, dict):
        raise TypeError
    if not _MODEL.fullmatch(model):
        raise ValueError(model)
    for each in data["inputs"]:
        path, sha256 = each["path"], each["sha256"]
        if not isinstance(path, str | None) or not isinstance(sha256, str | None):
            raise TypeError
        if sha256 is None and path and not path.startswith(("https://", "http://")):
            raise ValueError(path)
        place = source_file(path, sha256)
        if place is not None:
            path = str(folder.absolute() / place)
        _put(body, each["at"], path, sha256)
    for place in data["not_kept"]:
        _put(body, place, None, None)
    input_options = {name: data[name] is True for name in SENDING_OPTIONS}
    return ReplayRequest(model=model, fields=body, **input_options)


def restore_inputs(value: Any, read: Callable[[str], Image]) -> Any:
    """
    Replace each RecordedInput in a value with its image.

    Raises:
        InputError: as in `RecordedInput.image`.
    """
    return mapped(
        value,
        lambda each: each.image(read) if isinstance(each, RecordedInput) else each,
    )


def _put(
    body: dict[str, Any],
    place: Sequence[str | int],
    path: str | None,
    sha256: str | None,
) -> None:
    *way, last = place
    inner: Any = body
    for key in way:
        inner = inner[key]
    if not isinstance(inner[last], str):
        raise TypeError
    inner[last] = RecordedInput(str(place[0]), path, sha256)
