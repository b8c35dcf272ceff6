"""
Standard input: data from a pipe, and answers of a person.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from krea_cli.errors import UsageError
from krea_cli.output.console import Console
from krea_cli.runtime.signals import Interrupted


class Prompter:
    """
    *stdin* is None for the standard input of the process. With *is_scripted* nobody is
    asked anything.
    """

    def __init__(
        self,
        stdin: TextIO | None,
        console: Console,
        env: Mapping[str, str],
        *,
        is_scripted: bool = False,
    ) -> None:
        self._stdin = stdin
        self._console = console
        self._is_scripted = is_scripted or bool(env.get("CI"))
        self._claimed_for: str | None = None

    @property
    def stdin(self) -> TextIO:
        """
        Raises:
            UsageError: standard input is closed.
        """
        stdin = self._stdin or sys.stdin
        if stdin is None:
            raise UsageError("Standard input is closed.")
        return stdin

    def claim_stdin(self, purpose: str) -> TextIO:
        """
        Return standard input, which serves one *purpose* in a run.

        Raises:
            UsageError: it was claimed before.
        """
        if self._claimed_for is not None:
            raise UsageError(
                f"Standard input cannot be used for both {self._claimed_for} and "
                f"{purpose}."
            )
        self._claimed_for = purpose
        return self.stdin

    @property
    def is_interactive(self) -> bool:
        """
        Tell whether a person is there to be asked.
        """
        if self._is_scripted or not self._console.stderr.is_terminal:
            return False
        return self.stdin.isatty()

    def ask(self, question: str) -> str:
        """
        Return the answer of a person; empty at the end of the input.
        """
        self._console.ask(question)
        return self._answer(self.stdin.readline).strip()

    def ask_secret(self, prompt: str) -> str:
        """
        Return an answer that is not shown while it is typed.
        """
        from getpass import getpass

        try:
            return self._answer(lambda: getpass(prompt, self._console.stderr.file))
        except EOFError:
            return ""

    def _answer(self, read: Callable[[], str]) -> str:
        try:
            return read()
        except Interrupted:
            # The message about it gets a line of its own.
            self._console.stderr.write_line("")
            raise
