"""
The service that a run talks to: its address, its token, and the ways to it, each built
on first use, as httpx and the keyring are slow to load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krea_cli import __version__
from krea_cli.cli.world import World
from krea_cli.errors import ConfigError

if TYPE_CHECKING:
    from krea_cli.api.client import ApiClient, HealthCheck
    from krea_cli.api.http import HttpTransport
    from krea_cli.config.keyring_store import KeyringStore
    from krea_cli.config.token import Token, TokenSources
    from krea_cli.downloads.download_client import DownloadClient
    from krea_cli.errors import ConnectionFailedError
    from krea_cli.sandbox.server import Sandbox


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
            UsageError: a fault is not known.
        """
        from krea_cli.config.paths import make_private_folder
        from krea_cli.sandbox.concurrency import JobLimits
        from krea_cli.sandbox.server import Sandbox

        if self.folders.has_state:
            folder = make_private_folder(self.folders.state) / "sandbox"
        else:
            folder = self._passing_folder()
        clock = self.clock.wall
        sandbox = Sandbox(
            folder,
            port=port,
            faults=faults,
            log=log,
            clock=clock,
            capacity=JobLimits(**capacity),
        )
        self._closing.append(sandbox.stop)
        return sandbox

    def _passing_folder(self) -> Path:
        from tempfile import TemporaryDirectory

        self.out.warn(
            "There is no home folder, so the jobs of this sandbox are not kept. Set "
            "HOME or KREA_STATE_DIR to keep them."
        )
        folder = TemporaryDirectory(prefix="krea-sandbox-")
        self._closing.append(folder.cleanup)
        return Path(folder.name)

    @property
    def api_url(self) -> str:
        """
        Where requests go: the sandbox has no address before it is started.
        """
        return self.sandbox.url if self.settings.sandbox else self.settings.api_url

    @cached_property
    def credentials(self) -> KeyringStore:
        from krea_cli.config.keyring_store import KeyringStore

        return KeyringStore(self.origin)

    def connect(self, token: Token | None) -> ApiClient:
        """
        The API with this token, whatever others there are.
        """
        from krea_cli.api.client import ApiClient

        return ApiClient(self._transport(token), self.clock)

    @cached_property
    def client(self) -> ApiClient:
        """
        Raises:
            NoTokenError: there is no token; looked for before httpx is loaded.
        """
        transport = self._own_transport
        from krea_cli.api.client import ApiClient

        return ApiClient(transport, self.clock)

    @cached_property
    def fetcher(self) -> DownloadClient:
        from krea_cli.downloads.download_client import DownloadClient

        return DownloadClient(
            self._own_transport, self.clock, allows_loopback=self.is_local
        )

    def probe(self, token: Token | None, *, seconds: float) -> HealthCheck:
        """
        As `ApiClient.probe`; the sandbox is one that leaves nothing behind.
        """
        if not self.settings.sandbox:
            return self.connect(token).probe(seconds=seconds)
        from krea_cli.api.client import ApiClient
        from krea_cli.files.temporary import TemporaryFolder
        from krea_cli.sandbox.server import Sandbox

        with TemporaryFolder() as folder, Sandbox(folder.path) as sandbox:
            transport = self._transport(None, url=sandbox.url)
            return ApiClient(transport, self.clock).probe(seconds=seconds)

    @property
    def trusted(self) -> str:
        """
        Whose certificates count, in words.

        Raises:
            ConfigError: a variable names what cannot be used.
        """
        from krea_cli.api import tls

        return tls.trusted()

    @property
    def missing_certificates(self) -> ConnectionFailedError | None:
        """
        The error for any request over TLS when no certificate is trusted at all.
        """
        from krea_cli.api import tls

        return tls.missing()

    @cached_property
    def token_state(self) -> TokenSources:
        """
        Every place that has a token; the keyring is asked once.
        """
        from krea_cli.config.token import find_all_tokens

        return find_all_tokens(
            self.env, self.origin, lambda: self.credentials, self._run_token_command
        )

    @cached_property
    def _run_token_command(self) -> Callable[[], Token] | None:
        """
        Run `token_command`, at most once; return None if it is not set.
        """
        command = self.settings.token_command
        if command is None:
            return None

        @cache
        def run() -> Token:
            from krea_cli.config import token_command

            return token_command.run(
                command,
                folder=self.folders.config,
                env=self.env,
                uses_terminal=self.is_interactive,
            )

        return run

    @property
    def is_local(self) -> bool:
        """
        Whether the service runs on this machine.
        """
        from krea_cli.config import api_url as url

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
    def _token(self) -> Token | None:
        """
        The token of this run; the sandbox needs none.
        """
        if self.settings.sandbox:
            return None
        from krea_cli.config.token import find_token

        return find_token(
            self.env, self.origin, lambda: self.credentials, self._run_token_command
        )

    def _token_text(self) -> str | None:
        return self._token.reveal() if self._token else None

    @cached_property
    def _own_transport(self) -> HttpTransport:
        return self._transport(self._token)

    def _transport(
        self, token: Token | None, *, url: str | None = None
    ) -> HttpTransport:
        from krea_cli.api.http import HttpTransport

        if token:
            self.out.hide(token.reveal())
        transport = HttpTransport(
            url or self.api_url,
            token.reveal() if token else None,
            token_source=token.source if token else "",
            agent=f"krea-cli/{__version__}",
            uses_environment=not self.is_local,
            log=self.log,
        )
        self._closing.append(transport.close)
        return transport

    @property
    def service_flags(self) -> list[str]:
        """
        The options that name this service in another command.
        """
        is_sandbox = self.flags.sandbox
        # Broken settings have hints, too.
        with suppress(ConfigError):
            is_sandbox = self.settings.sandbox
        address = self.flags.api_url
        return ["--sandbox"] * is_sandbox + (["--api-url", address] if address else [])
