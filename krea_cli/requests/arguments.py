"""
What the command line says of a request, and what stands in the files that it names.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from krea_cli.cli.context import CliContext
from krea_cli.errors import Action, InputError, Step, UsageError
from krea_cli.requests.param import parse_json
from krea_cli.requests.recorded_request import (
    MOST_CHARACTERS,
    ReplayRequest,
    read_former,
)
from krea_cli.runtime.user_paths import local_path


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestArguments:
    """
    What the command line says of a request; *options* are those for one field,
    *former* the fields of an earlier request, over which all else wins.
    """

    model: str | None
    prompt: str | None = None
    prompt_file: str | None = None
    images: Sequence[str]
    params: Sequence[str]
    params_file: str | None = None
    options: Mapping[str, str | None] = field(default_factory=dict)
    webhook: str | None
    validates: bool
    former: Mapping[str, Any] = field(default_factory=dict)


def read_prompt(session: CliContext, words: RequestArguments) -> str | None:
    """
    The prompt itself, from standard input or a file if it is there; a final line break
    is cut.
    """
    prompt, file = words.prompt, words.prompt_file
    if prompt is not None and file is not None:
        raise UsageError("PROMPT and --prompt-file are both given.")
    if prompt == "-":
        prompt = _read(
            "the prompt",
            lambda: _beginning_of_stream(session.claim_stdin("the prompt")),
        )
    elif file is not None:
        prompt = _read(file, lambda: _beginning(file))
    if prompt is None:
        return None
    if prompt is not words.prompt:
        prompt = prompt.rstrip("\r\n")
    if not prompt.strip():
        raise UsageError("The prompt is empty.")
    return prompt


def read_params(session: CliContext, file: str) -> dict[str, Any]:
    """
    The JSON object in a file, or on standard input.
    """
    text = _text(session, file, "the fields of --params")
    try:
        params = parse_json(text, f"--params {file}")
    except (ValueError, RecursionError) as exc:
        raise InputError(f"--params {file} is no JSON: {exc}.") from exc
    if not isinstance(params, dict):
        raise InputError(f"--params {file} is no JSON object of fields.")
    return params


def read_sidecar(session: CliContext, file: str) -> ReplayRequest:
    """
    The request of a sidecar, which is looked at closely: it may come from anybody.

    Raises:
        InputError: it cannot be read, or is none.
    """
    if file != "-":
        file = local_path(file)
    sidecar = Path(f"{file}.json")
    if file != "-" and not file.endswith(".json") and sidecar.is_file():
        raise InputError(
            f"{file} is a result, and its sidecar is beside it.",
            hint=Step(Action.REPLAY, (str(sidecar),)),
        )
    text = _text(session, file, "the sidecar")
    try:
        return read_former(json.loads(text), Path(file).parent)
    except (ValueError, TypeError, LookupError, RecursionError) as exc:
        raise InputError(
            f"{file} is no sidecar of krea.",
            hint="Give what --sidecar wrote beside a result, such as out.png.json.",
        ) from exc


def _text(session: CliContext, file: str, user: str) -> str:
    if file == "-":
        return _read(user, lambda: _beginning_of_stream(session.claim_stdin(user)))
    return _read(file, lambda: _beginning(file))


def _beginning(file: str) -> str:
    if not file:  # which would be this folder
        raise InputError("The name of a file is empty.")
    with Path(local_path(file)).open("rb") as opened:
        return _decode(opened)


def _beginning_of_stream(stream: TextIO) -> str:
    # Its own decoder keeps a byte order mark and \r, and depends on the locale.
    binary = getattr(stream, "buffer", None)
    return _decode(binary) if binary else stream.read(MOST_CHARACTERS + 1)


def _decode(binary: BinaryIO) -> str:
    """
    Read UTF-8 as editors on any system save it: with or without a byte order mark, and
    with the line endings of that system.
    """
    text = io.TextIOWrapper(binary, encoding="utf-8-sig")
    try:
        return text.read(MOST_CHARACTERS + 1)
    finally:
        text.detach()  # or it would close the file


def _read(name: str, read: Callable[[], str]) -> str:
    try:
        text = read()
    except (OSError, UnicodeDecodeError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or "it is no UTF-8 text"
        raise InputError(f"{name} cannot be read: {reason}.") from exc
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{name} has more than {MOST_CHARACTERS} characters.")
    return text
