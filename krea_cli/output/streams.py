"""
Write to standard output and standard error, which may be closed, full, broken or
limited to ASCII.

Secrets are replaced in all output. In GitHub Actions, text cannot act as a command.
"""

from __future__ import annotations

import io
import os
import re
import select
import shutil
import sys
from contextlib import suppress
from typing import IO, Any, TextIO

from krea_cli.errors import StorageError
from krea_cli.output.github_actions import neutralize_commands
from krea_cli.runtime.redaction import HIDDEN, forms
from krea_cli.runtime.windows import enable_escape_codes


class Stream:
    """
    A text stream for output.

    A reader that disconnects (broken pipe) is not an error: later output is discarded
    and the work continues. With `may_fail`, no lost output is an error: a paid job must
    not be abandoned because standard error is closed or full.

    Rich and Typer treat it as a text file.
    """

    def __init__(
        self, file: TextIO | None, name: str, *, may_fail: bool = False
    ) -> None:
        self.file = file
        self._name = name
        self._may_fail = may_fail
        self._secrets: set[str] = set()
        self._neutralizes = False
        self._begins_line = True

    def neutralize_commands(self) -> None:
        """
        Neutralize GitHub Actions commands in all output except that of `write_command`
        and `send`.
        """
        self._neutralizes = True

    def hide(self, secret: str) -> None:
        # JSON escapes quotation marks and backslashes in the secret.
        quoted = re.sub(r'["\\]', r"\\\g<0>", secret)
        self._secrets |= {re.escape(form) for form in (*forms(secret), quoted)}

    def without_secrets(self, text: str) -> str:
        if not self._secrets:
            return text
        return re.sub("|".join(self._secrets), HIDDEN, text, flags=re.IGNORECASE)

    @property
    def is_terminal(self) -> bool:
        try:
            return self.file is not None and self.file.isatty()
        except ValueError:
            return False

    def isatty(self) -> bool:
        return self.is_terminal

    def fileno(self) -> int:
        """
        Return the file descriptor.

        Raises:
            OSError: the stream has no descriptor.
        """
        if self.file is None:
            raise io.UnsupportedOperation("fileno")
        return self.file.fileno()

    @property
    def encoding(self) -> str:
        return getattr(self.file, "encoding", None) or "utf-8"

    def write(self, text: str) -> None:
        """
        Write text with secrets replaced.

        Raises:
            StorageError: the stream is closed or its disk is full.
        """
        if text == "":  # Typer probes whether the file is text or binary
            return
        if self._neutralizes:
            text = neutralize_commands(text, begins_line=self._begins_line)
        self._write(text)

    def write_command(self, line: str) -> None:
        """
        Write a line that GitHub Actions executes.
        """
        self._write(f"{line}\n" if self._begins_line else f"\n{line}\n")

    def _write(self, text: str) -> None:
        self._begins_line = text.endswith(("\r", "\n"))
        text = self.without_secrets(text)
        if self.file is None:
            if self._may_fail:
                return
            raise StorageError(f"{self._name} is closed; output was lost.")
        try:
            self.file.write(text)
            self.file.flush()
        except (OSError, ValueError) as exc:
            _abandon(self.file)
            if not (self._may_fail or isinstance(exc, BrokenPipeError)):
                raise self._lost(exc) from exc
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """
        Discard pending output if its reader has stopped reading, now and at exit.

        A signal ends the run, and Python would otherwise wait for the reader.
        """
        if self.file is not None and _is_stuck(self.file):
            _abandon(self.file)

    def flush(self) -> None:
        """
        Do nothing: output is not buffered.
        """

    def write_line(self, text: str) -> None:
        self.write(f"{text}\n")

    def send(self, source: IO[bytes]) -> None:
        """
        Write the bytes of `source`, from its beginning.

        Raises:
            StorageError: not everything could be written. Here a broken pipe counts as
                well.
        """
        if self.file is None:
            raise StorageError(f"{self._name} is closed.")
        source.seek(0)
        try:
            shutil.copyfileobj(source, self.file.buffer)
            self.file.buffer.flush()
        except (OSError, ValueError) as exc:
            _abandon(self.file)
            raise self._lost(exc) from exc

    def _lost(self, exc: Exception) -> StorageError:
        reason = getattr(exc, "strerror", None) or exc
        return StorageError(
            f"Cannot write to {self._name[0].lower()}{self._name[1:]}: {reason}."
        )


def _is_stuck(file: TextIO) -> bool:
    try:
        return not select.select([], [file], [], 0)[1]
    except (OSError, ValueError):  # closed, or a kind of file that cannot be queried
        return False


def _abandon(file: TextIO) -> None:
    """
    Discard buffered output and everything written later.

    Otherwise Python would hit the same error again at exit.
    """
    with suppress(OSError, ValueError):  # a closed file has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)


def _prepare_on_windows(file: Any) -> None:
    if file.isatty():
        enable_escape_codes(file.fileno())
    elif not os.environ.get("PYTHONIOENCODING"):
        file.reconfigure(encoding="utf-8")


def standard() -> tuple[Stream, Stream]:
    """
    Return standard output and standard error.

    Characters that they cannot encode are escaped.
    """
    for file in (sys.stdout, sys.stderr):
        if file is not None and hasattr(file, "reconfigure"):
            file.reconfigure(errors="backslashreplace")
            if sys.platform == "win32":
                _prepare_on_windows(file)
    return (
        Stream(sys.stdout, "Standard output"),
        Stream(sys.stderr, "Standard error", may_fail=True),
    )
