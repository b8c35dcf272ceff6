"""
The service that a run talks to: its address, its token, and the ways to it, each built
on first use, as httpx and the keyring are slow to load.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from krea_cli import __version__
from krea_cli.world import World

if TYPE_CHECKING:
    from krea_cli.api.client import Client, Probe
    from krea_cli.api.fetch import Fetcher
    from krea_cli.api.transport import Transport
    from krea_cli.config.credentials import Credentials
    from krea_cli.config.token import Token, TokenState
    from krea_cli.sandbox.server import Sandbox

# The commands in hints that ask the service, where no option follows them.
_UNTIED = re.compile(
    r"\bkrea (auth login|jobs list --remote|jobs recover|download [\w-]+)(?=$| <)",
    re.MULTILINE,
)


class Connection(World):
    """
    The Krea API, or the sandbox in its place.
    """

    @cached_property
    def sandbox(self) -> Sandbox:
        sandbox = self.make_sandbox()
        sandbox.start()
        return sandbox

    def make_sandbox(
        self,
        *,
        port: int = 0,
        faults: Iterable[str] = (),
        log: Callable[[str], None] | None = None,
        **capacity: Any,
    ) -> Sandbox:
        """
        One that is not started yet, with the jobs that all of them have; *capacity* as
        `sandbox.capacity.Capacity`.

        Raises:
            UsageError: one of the faults is none.
        """
        from krea_cli.config.paths import private_folder
        from krea_cli.sandbox.capacity import Capacity
        from krea_cli.sandbox.server import Sandbox

        folder = private_folder(self.folders.state) / "sandbox"
        clock = self.clock.wall
        sandbox = Sandbox(
            folder,
            port=port,
            faults=faults,
            log=log,
            clock=clock,
            capacity=Capacity(**capacity),
        )
        self._closing.append(sandbox.stop)
        return sandbox

    @property
    def api_url(self) -> str:
        """
        Where requests go: the sandbox has no address before it is started.
        """
        return self.sandbox.url if self.settings.sandbox else self.settings.api_url

    @cached_property
    def credentials(self) -> Credentials:
        from krea_cli.config.credentials import Credentials

        return Credentials(self.origin)

    def connect(self, token: Token | None) -> Client:
        """
        The API with this token, whatever others there are.
        """
        from krea_cli.api.client import Client

        return Client(self._transport(token), self.clock)

    @cached_property
    def client(self) -> Client:
        """
        Raises:
            NoTokenError: there is no token; looked for before httpx is loaded.
        """
        transport = self._own_transport
        from krea_cli.api.client import Client

        return Client(transport, self.clock)

    @cached_property
    def fetcher(self) -> Fetcher:
        from krea_cli.api.fetch import Fetcher

        return Fetcher(self._own_transport, self.clock, allows_loopback=self.is_local)

    def probe(self, token: Token | None, *, seconds: float) -> Probe:
        """
        As `Client.probe`; the sandbox is one that leaves nothing behind.
        """
        if not self.settings.sandbox:
            return self.connect(token).probe(seconds=seconds)
        from krea_cli.api.client import Client
        from krea_cli.sandbox.server import Sandbox
        from krea_cli.temporary import TemporaryFolder

        with TemporaryFolder() as folder, Sandbox(folder.path) as sandbox:
            transport = self._transport(None, url=sandbox.url)
            return Client(transport, self.clock).probe(seconds=seconds)

    @property
    def trusted(self) -> str:
        """
        Whose certificates count, in words.

        Raises:
            ConfigError: a variable names what cannot be used.
        """
        from krea_cli.api import tls

        return tls.trusted()

    @cached_property
    def token_state(self) -> TokenState:
        """
        Every place that has a token; the keyring is asked once.
        """
        from krea_cli.config.token import survey

        return survey(self.env, self.origin, lambda: self.credentials)

    @property
    def is_local(self) -> bool:
        """
        Whether the service runs on this machine.
        """
        from krea_cli.config import url

        return self.settings.sandbox or url.is_loopback(self.origin)

    @property
    def most_side(self) -> int | None:
        """
        What a side of a picture has at most in pixels, where the service may be the
        sandbox, which makes all that is larger smaller.
        """
        from krea_cli.sandbox.sizes import LONGEST

        return LONGEST if self.is_local else None

    @cached_property
    def _own_transport(self) -> Transport:
        if self.settings.sandbox:
            return self._transport(None)
        from krea_cli.config.token import find_token

        token = find_token(self.env, self.origin, lambda: self.credentials)
        return self._transport(token)

    def _transport(self, token: Token | None, *, url: str | None = None) -> Transport:
        from krea_cli.api.transport import Transport

        if token:
            self.out.hide(token.reveal())
        transport = Transport(
            url or self.api_url,
            token.reveal() if token else None,
            token_source=token.source if token else "",
            agent=f"krea-cli/{__version__}",
            uses_environment=not self.is_local,
            log=self.log,
        )
        self._closing.append(transport.close)
        return transport

    def command(self, name: str, *words: str) -> str:
        """
        The command to paste that goes on with a job, at the same service.
        """
        flags = ["--sandbox"] if self.settings.sandbox else []
        return shlex.join(["krea", name, *words, *flags, *self._address])

    def tied(self, hint: str | None) -> str | None:
        """
        The hint of one who does not know the command line: its commands that ask the
        service ask the one that was named there.
        """
        address = shlex.join(self._address)
        if not (hint and address):
            return hint
        return _UNTIED.sub(lambda command: f"{command[0]} {address}", hint)

    @property
    def _address(self) -> list[str]:
        return ["--api-url", self.flags.api_url] if self.flags.api_url else []
