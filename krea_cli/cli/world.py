"""
What is outside of a run: flags, environment, settings, standard streams, the clock.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TextIO

from krea_cli.config.token import possible_secrets
from krea_cli.errors import ConfigError, UsageError
from krea_cli.output.console import Console, build_console
from krea_cli.output.streams import Stream, standard
from krea_cli.runtime.clock import Clock
from krea_cli.runtime.signals import Interrupted

if TYPE_CHECKING:
    from krea_cli.config.paths import Folders
    from krea_cli.config.settings import ResolvedSettings, Settings


class Flags(NamedTuple):
    """
    The options that every command has.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: str | None = None
    api_url: str | None = None
    sandbox: bool = False


class World:
    """
    *env*, *streams*, *stdin* and *clock* are the real ones; a test gives its own.
    """

    # Whether outcomes are handed to a step of GitHub Actions.
    reports = False

    def __init__(
        self,
        *,
        env: Mapping[str, str] | None = None,
        streams: tuple[Stream, Stream] | None = None,
        stdin: TextIO | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.env = os.environ if env is None else env
        self.clock = clock or Clock()
        self.flags = Flags()
        self._streams = streams or standard()
        if self.env.get("GITHUB_ACTIONS"):
            for stream in self._streams:
                stream.shield()
        self._stdin = stdin
        self._stdin_user: str | None = None
        self._closing: list[Callable[[], None]] = []
        self.out = self._choose(self.flags)
        # A command line that is not understood may hold one of them (hazard C9).
        for word in possible_secrets(self.env):
            self.out.hide(word)

    def configure(self, flags: Flags) -> None:
        """
        Raises:
            UsageError: two flags contradict each other.
        """
        self.flags = flags
        # Before anything can fail: errors have a form, too.
        self.out = self._choose(flags)
        if flags.sandbox and flags.api_url:
            raise UsageError("--sandbox and --api-url are two different services.")
        if flags.color is None:
            # Broken settings are told by the command that uses them: one of them is
            # the command that mends them.
            with suppress(ConfigError):
                self.out = self._choose(flags, self.settings.color)

    def annotate(self) -> None:
        """
        From now on errors are annotations of GitHub Actions.
        """
        self.out = self.out._replace(annotates=True)

    def _choose(self, flags: Flags, color: str | None = None) -> Console:
        return build_console(
            self._streams,
            self.env,
            self.clock.now,
            json=flags.json,
            quiet=flags.quiet,
            color=color or flags.color or "auto",
        )

    @cached_property
    def folders(self) -> Folders:
        from krea_cli.config.paths import find_folders

        return find_folders(self.env)

    @cached_property
    def resolved(self) -> ResolvedSettings:
        from krea_cli.config import config_file as file
        from krea_cli.config import settings

        # Who names an address means that one, whatever a variable says.
        is_sandbox = False if self.flags.api_url else self.flags.sandbox or None
        flags = settings.from_flags(
            api_url=self.flags.api_url,
            sandbox=is_sandbox,
            color=self.flags.color,
        )
        folders = self.folders
        kept = file.read(folders.config_file) if folders.has_config else {}
        return settings.resolve([flags, settings.from_env(self.env), kept])

    @property
    def settings(self) -> Settings:
        return self.resolved.settings

    @property
    def origin(self) -> str:
        from krea_cli.config import api_url as url

        return url.origin(self.settings.api_url)

    @property
    def service(self) -> str:
        """
        What jobs are counted by: the sandbox is one service, whatever its port.
        """
        return "sandbox" if self.settings.sandbox else self.origin

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

    def claim_stdin(self, user: str) -> TextIO:
        """
        Standard input, for one *user* in a run.

        Raises:
            UsageError: it was claimed already.
        """
        if self._stdin_user is not None:
            raise UsageError(
                f"Standard input cannot be both {self._stdin_user} and {user}."
            )
        self._stdin_user = user
        return self.stdin

    @property
    def is_interactive(self) -> bool:
        """
        Whether somebody is there to be asked (hazard S8), in words.
        """
        is_script = self.env.get("CI") or self.flags.json
        asks = self.out.stderr.is_terminal and not is_script
        return asks and self.stdin.isatty()

    def ask(self, question: str) -> str:
        """
        What a person answers; empty at the end of the input.
        """
        self.out.ask(question)
        return self._answer(self.stdin.readline).strip()

    def ask_secret(self, prompt: str) -> str:
        from getpass import getpass

        try:
            return self._answer(lambda: getpass(prompt, self.out.stderr.file))
        except EOFError:
            return ""

    def _answer(self, read: Callable[[], str]) -> str:
        try:
            return read()
        except Interrupted:
            # What is told next does not belong on the line of the question.
            self.out.stderr.write_line("")
            raise

    def log(self, text: str) -> None:
        """
        What --verbose shows, in every form.
        """
        if self.flags.verbose:
            self.out.log(text)

    def close(self) -> None:
        while self._closing:
            self._closing.pop()()
