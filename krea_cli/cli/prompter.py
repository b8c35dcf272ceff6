"""
Read standard input: piped data, and answers to questions.
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
    Read from standard input. `stdin` is None for that of the process. With
    `is_scripted`, ask no questions.
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
        Return standard input.

        Raises:
            UsageError: it is closed.
        """
        stdin = self._stdin or sys.stdin
        if stdin is None:
            raise UsageError("Standard input is closed.")
        return stdin

    def claim_stdin(self, purpose: str) -> TextIO:
        """
        Return standard input for one purpose, such as "the prompt". A run can use it
        only once.

        Raises:
            UsageError: another purpose has claimed it.
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
        Return True if there is a person to answer questions.
        """
        if self._is_scripted or not self._console.stderr.is_terminal:
            return False
        return self.stdin.isatty()

    def ask(self, question: str) -> str:
        """
        Ask a question and return the answer; "" at the end of input.
        """
        self._console.ask(question)
        return self._answer(self.stdin.readline).strip()

    def ask_secret(self, prompt: str) -> str:
        """
        Ask for a secret, which is not shown while it is typed.
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
            # The message about the signal starts on a new line.
            self._console.stderr.write_line("")
            raise
