"""
A context for commands that need no service. It records all output.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property

from config.backends import Memory

from krea_cli.cli.connection import Service
from krea_cli.config import config_file as file
from krea_cli.config import settings
from krea_cli.config.keyring_store import KeyringStore
from krea_cli.config.paths import Folders
from krea_cli.config.token import Token, find_all_tokens


class Stdin(io.StringIO):
    """
    A pipe, or a terminal.
    """

    is_terminal = False

    def isatty(self):
        return self.is_terminal


@dataclass
class RecordingConsole:
    """
    The output of a command: results for stdout, notes and warnings for stderr.
    """

    results: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    warnings: list = field(default_factory=list)

    def result(self, results):
        self.results += results

    def note(self, text):
        self.notes.append(text)

    def warn(self, text):
        self.warnings.append(text)


@dataclass
class FakeContext:
    folders: Folders
    env: dict = field(default_factory=dict)
    backend: object = field(default_factory=Memory)
    stdin: Stdin = field(default_factory=Stdin)
    typed: str | None = None
    rejects: Exception | None = None
    console: RecordingConsole = field(default_factory=RecordingConsole)
    calls: list = field(default_factory=list)

    @classmethod
    def at(cls, path, **more):
        names = ("config", "state", "cache")
        folders = Folders({f"KREA_{name.upper()}_DIR": path / name for name in names})
        return cls(folders=folders, **more)

    @property
    def resolved_settings(self):
        return settings.resolve(
            [settings.from_env(self.env), file.read(self.folders.config_file)]
        )

    @property
    def settings(self):
        return self.resolved_settings.settings

    @property
    def service(self):
        return Service.of(self.settings, ())

    @property
    def connection(self):
        return self

    @property
    def prompter(self):
        return self

    @cached_property
    def keyring(self):
        return KeyringStore(self.service.origin, load=lambda: self.backend)

    @property
    def token_sources(self):
        command = self.settings.token_command
        run = (lambda: Token(command, "token_command")) if command else None
        return find_all_tokens(self.env, self.service.origin, lambda: self.keyring, run)

    @property
    def is_interactive(self):
        return self.typed is not None

    def ask_secret(self, prompt):
        self.calls.append(prompt)
        return self.typed

    def api_with(self, token):
        self.calls.append(token.reveal())
        return self

    def jobs(self, *, limit):
        self.calls.append(limit)
        if self.rejects:
            raise self.rejects
        return []
