"""
Get the token from a program chosen by the user, such as a password manager.

The command comes only from the user's own config.toml. It runs without a shell, in the
folder of that file. Its program is looked up on PATH, ignoring relative folders, so
nothing in the current folder can replace it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from krea_cli.config.token import TOKEN_COMMAND, VARIABLES, Token, read_stream
from krea_cli.errors import Action, NoTokenError, Step
from krea_cli.runtime.clock import join_thread
from krea_cli.runtime.redaction import SHORTEST_PART, redact_parts

SECONDS = 10.0
_MAX_OUTPUT, _MAX_ERRORS, _MAX_SHOWN = 8192, 4096, 300
_HINT = Step(Action.CHECK_TOKEN_COMMAND)
# Characters with a meaning only in shells.
_SHELL_SYNTAX = set("|$<>;&`")


def run(
    command: str,
    *,
    folder: Path,
    env: Mapping[str, str],
    uses_terminal: bool = False,
    seconds: float = SECONDS,
) -> Token:
    """
    Run the command in `folder`, and return the token that it prints.

    If `uses_terminal`, the command may ask the user on standard input.

    Raises:
        NoTokenError: the command cannot be run, fails, takes longer than `seconds`, or
            prints something that cannot be a token.
    """
    program, *arguments = _words(command)
    child_env = {name: value for name, value in env.items() if name not in VARIABLES}
    try:
        process = subprocess.Popen(  # noqa: S603  (the user chose it)
            [_find(program, folder, env), *arguments],
            stdin=None if uses_terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=child_env,
            # In a group of its own, the program can be ended together with its
            # children. But only krea's own group may ask on the terminal.
            start_new_session=sys.platform != "win32" and not uses_terminal,
        )
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise _failure(f"cannot run {program}: {reason}") from None
    try:
        output, errors = _wait_for_output(process, time.monotonic() + seconds)
    except TimeoutError:
        raise _failure(f"did not finish within {seconds:g} s") from None
    finally:
        _kill(process, whole_group=not uses_terminal)
    if process.returncode and len(output) < _MAX_OUTPUT:
        raise _failure(_describe_failure(process.returncode, output, errors))
    try:
        return read_stream(_Text(output), TOKEN_COMMAND)
    except NoTokenError as exc:
        if not _SHELL_SYNTAX & set(command):
            raise
        raise exc.but(
            "The command runs without a shell: pipes and variables do not work in it."
        ) from None


class _Text:
    """
    Output of a program, decoded when it is read.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, max_bytes: int) -> str:
        return self._content.decode()[:max_bytes]


def _find(program: str, folder: Path, env: Mapping[str, str]) -> str:
    """
    Return the path of the program.

    Raises:
        FileNotFoundError: the program is not on PATH.
    """
    if os.path.dirname(program):  # noqa: PTH120  (a Path drops the ./ in front)
        return str(folder / Path(program).expanduser())
    path = env.get("PATH", os.defpath).split(os.pathsep)
    absolute = os.pathsep.join(each for each in path if Path(each).is_absolute())
    found = shutil.which(program, path=absolute)
    if found is None or not Path(found).is_absolute():
        raise FileNotFoundError(None, "it is not on PATH")
    return found


def _wait_for_output(
    process: subprocess.Popen[bytes], deadline: float
) -> tuple[bytes, bytes]:
    """
    Return the beginnings of the program's output and error output.

    Wait until the program has ended or has printed too much.

    Raises:
        TimeoutError: it has not ended by `deadline`.
    """
    output, errors = bytearray(), bytearray()
    readers = [
        _read_in_thread(process.stdout, output, _MAX_OUTPUT),
        _read_in_thread(process.stderr, errors, _MAX_ERRORS, drains=True),
    ]
    join_thread(readers[0], deadline - time.monotonic())
    if readers[0].is_alive():
        raise TimeoutError
    if len(output) < _MAX_OUTPUT:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        # A child process may still hold standard error open.
        readers[1].join(0.5)
    return bytes(output), bytes(errors)


def _read_in_thread(
    pipe: IO[bytes] | None, content: bytearray, max_bytes: int, *, drains: bool = False
) -> threading.Thread:
    def read() -> None:
        if pipe is None:
            return
        with pipe:
            while chunk := os.read(pipe.fileno(), max_bytes):
                content.extend(chunk[: max_bytes - len(content)])
                if len(content) == max_bytes and not drains:
                    return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _words(command: str) -> list[str]:
    """
    Split the command into words. On Windows, a backslash is part of a path.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = "" if sys.platform == "win32" else lexer.escape
    return list(lexer)


def _kill(process: subprocess.Popen[bytes], *, whole_group: bool) -> None:
    """
    Kill the program if it is still running, and its process group.
    """
    if process.poll() is not None:
        return
    if sys.platform != "win32" and whole_group:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _describe_failure(code: int, output: bytes, errors: bytes) -> str:
    """
    Describe how the program failed, with the beginning of its error output.

    Its standard output is never quoted, because it may contain a token.
    """
    words = " ".join(errors.decode(errors="replace").split())
    for printed in output.decode(errors="replace").split():
        if len(printed) >= SHORTEST_PART:
            words = redact_parts(printed, words)
    if len(words) > _MAX_SHOWN:
        words = f"{words[: _MAX_SHOWN - 1]}…"
    how = f"was stopped by signal {-code}" if code < 0 else f"failed (exit code {code})"
    return f"{how}: {words.rstrip('.')}" if words else how


def _failure(what: str) -> NoTokenError:
    return NoTokenError(f"{TOKEN_COMMAND} {what}.", hint=_HINT)
