"""
Read a request from the command line: options, and the files they refer to.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple, Protocol, TextIO

from krea_cli.errors import InputError, UsageError
from krea_cli.media import of_extension
from krea_cli.requests.param import parse_json
from krea_cli.runtime import shell_words
from krea_cli.runtime.os_reasons import reason_of
from krea_cli.runtime.user_paths import local_path

# The limit for text from files and from standard input.
MAX_CHARACTERS = 10**6
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class StdinSource(Protocol):
    """
    Provides standard input, which can be read only once.
    """

    def claim_stdin(self, user: str) -> TextIO:
        """
        Return standard input for one purpose, such as "the prompt".

        Raises:
            UsageError: standard input is already used for another purpose, or it is
                closed.
        """
        ...


class RequestArguments(NamedTuple):
    """
    A request as given on the command line.

    `options` are the options for single fields, such as --seed. `styles` are the values
    of --style. `former` has the fields of an earlier request, which everything else
    overrides.
    """

    model: str | None
    images: Sequence[str]
    params: Sequence[str]
    webhook: str | None
    validates: bool
    prompt: str | None = None
    prompt_file: str | None = None
    params_file: str | None = None
    options: Mapping[str, str | None] = _NOTHING
    styles: Sequence[str] = ()
    former: Mapping[str, Any] = _NOTHING


def read_prompt(prompter: StdinSource, arguments: RequestArguments) -> str | None:
    """
    Return the prompt. Read it from standard input or a file if requested.

    Trailing line breaks are removed.
    """
    prompt, file = arguments.prompt, arguments.prompt_file
    if prompt is not None and file is not None:
        raise UsageError("Use either PROMPT or --prompt-file, not both.")
    if prompt is not None and is_image_file(prompt):
        raise UsageError(
            f"The prompt {prompt!r} is the name of an image.",
            hint=f"Did you mean -i {shell_words.quote(prompt)}?",
        )
    if prompt == "-":
        prompt = _read(
            "the prompt",
            lambda: _read_stream(prompter.claim_stdin("the prompt")),
        )
    elif file is not None:
        prompt = _read(file, lambda: _read_file(file))
    if prompt is None:
        return None
    prompt = normalize_text(prompt).rstrip("\n")
    if not prompt.strip():
        raise UsageError("The prompt is empty.")
    return prompt


def is_image_file(word: str) -> bool:
    """
    Return True if an argument is the name of an existing image.
    """
    media = of_extension(Path(word).suffix)
    if media is None or media.kind != "image":
        return False
    try:
        return Path(word).is_file()
    except OSError:  # the name is too long
        return False


def normalize_text(text: str) -> str:
    """
    Convert text to the form it would have in a file.

    Remove a byte order mark, and use the line breaks of this system.
    """
    text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_params(prompter: StdinSource, file: str) -> dict[str, Any]:
    """
    Read the JSON object for --params from a file or standard input.
    """
    text = read_text(prompter, file, "the fields of --params")
    try:
        params = parse_json(text, f"--params {file}")
    except (ValueError, RecursionError) as exc:
        raise InputError(f"--params {file} is not valid JSON: {exc}.") from exc
    if not isinstance(params, dict):
        raise InputError(f"--params {file} must be a JSON object.")
    return params


def read_text(prompter: StdinSource, file: str, user: str) -> str:
    """
    Read text from a file or, for "-", from standard input, which is claimed for `user`.

    Raises:
        InputError: it cannot be read, or is too long.
    """
    if file == "-":
        stdin = prompter.claim_stdin
        return _read("standard input", lambda: _read_stream(stdin(user)))
    return _read(file, lambda: _read_file(file))


def _read_file(file: str) -> str:
    if not file:  # Path("") would be the current folder
        raise InputError("The file name is empty.")
    path = local_path(file)
    if "\0" in path:
        raise InputError(f"Cannot read {file}: its name has a NUL character.")
    with Path(path).open("rb") as opened:
        return _decode(opened)


def _read_stream(stream: TextIO) -> str:
    # The stream's own decoder depends on the locale, and keeps byte order marks and \r.
    binary = getattr(stream, "buffer", None)
    return _decode(binary) if binary else stream.read(MAX_CHARACTERS + 1)


def _decode(binary: BinaryIO) -> str:
    """
    Decode UTF-8, with or without a byte order mark, and with the line breaks of any
    system.
    """
    text = io.TextIOWrapper(binary, encoding="utf-8-sig")
    try:
        return text.read(MAX_CHARACTERS + 1)
    finally:
        text.detach()  # otherwise the wrapper closes the file


def _read(name: str, read: Callable[[], str]) -> str:
    try:
        text = read()
    except (OSError, UnicodeDecodeError, ValueError) as exc:
        reason = reason_of(exc) if isinstance(exc, OSError) else "not UTF-8 text"
        raise InputError(f"Cannot read {name}: {reason}.") from exc
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"Cannot read {name}: it has more than {MAX_CHARACTERS:,} characters."
        )
    return text
