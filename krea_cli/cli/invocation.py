"""
The inputs of one run of the program: options, environment and standard streams.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TextIO

from krea_cli.config.token import possible_secrets
from krea_cli.downloads.output_options import OutputOptions
from krea_cli.errors import UsageError
from krea_cli.output.streams import Stream, standard
from krea_cli.runtime.clock import Clock


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

    def check(self) -> None:
        """
        Check the combination of flags.

        Raises:
            UsageError: two flags contradict each other.
        """
        if self.sandbox and self.api_url:
            raise UsageError("Use either --sandbox or --api-url, not both.")


class RunOptions(NamedTuple):
    """
    Options that affect how a run ends, for commands that have them.

    - `output`: output options, which hints repeat
    - `takes_output_setting`: without -o, use the setting `output`
    - `no_journal`: keep no record of the jobs
    - `cancel_on_interrupt`: cancel the jobs after a signal
    - `github`: write outputs of a GitHub Actions step
    """

    output: OutputOptions = OutputOptions()
    takes_output_setting: bool = False
    no_journal: bool = False
    cancel_on_interrupt: bool = False
    github: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> RunOptions:
        """
        Pick these options from the `values` of all options of a command, by name.
        """
        given = {"no_journal", "cancel_on_interrupt", "github"} & values.keys()
        output = set(OutputOptions.__dataclass_fields__) & values.keys()
        return cls(
            output=OutputOptions(**{name: values[name] for name in output}),
            **{name: values[name] for name in given},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """
    The environment, the standard streams, the clock and the options of one run.

    `argv` has the arguments after the name of the program. `stdin` is None for the
    standard input of the process.
    """

    argv: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    streams: tuple[Stream, Stream] = field(default_factory=standard)
    stdin: TextIO | None = None
    clock: Clock = field(default_factory=Clock)
    flags: Flags = field(default_factory=Flags)
    run: RunOptions = field(default_factory=RunOptions)

    def __post_init__(self) -> None:
        for stream in self.streams:
            if self.env.get("GITHUB_ACTIONS"):
                stream.neutralize_commands()
            # Messages may quote a command line that contains a secret.
            for secret in possible_secrets(self.env):
                stream.hide(secret)
