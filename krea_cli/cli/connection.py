"""
Connect to the service. Everything is built on first use, because httpx and keyring are
slow to load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from krea_cli import __version__
from krea_cli.cli.invocation import Invocation
from krea_cli.cli.prompter import Prompter
from krea_cli.errors import ConfigError
from krea_cli.output.console import Console

if TYPE_CHECKING:
    from krea_cli.api.client import ApiClient, HealthCheck
    from krea_cli.api.http import HttpTransport
    from krea_cli.config.keyring_store import KeyringStore
    from krea_cli.config.paths import Folders
    from krea_cli.config.settings import Settings
    from krea_cli.config.token import Token, TokenSources
    from krea_cli.downloads.download_client import DownloadClient
    from krea_cli.sandbox.server import Sandbox


class Service(NamedTuple):
    """
    The Krea API at some address, or the sandbox.

    Tokens are stored by `origin` and jobs are recorded by `name`, which is the same for
    all sandboxes. `flags` are the options that select the service in another command.
    """

    origin: str
    name: str
    is_sandbox: bool
    is_local: bool
    flags: Sequence[str]

    @classmethod
    def of(cls, settings: Settings, flags: Sequence[str]) -> Service:
        from krea_cli.config import api_url

        origin = api_url.origin(settings.api_url)
        return cls(
            origin=origin,
            name="sandbox" if settings.sandbox else origin,
            is_sandbox=settings.sandbox,
            is_local=settings.sandbox or api_url.is_loopback(origin),
            flags=flags,
        )


def service_flags(
    invocation: Invocation, settings: Callable[[], Settings]
) -> list[str]:
    """
    Return the options that select the service in another command. Works even if the
    settings are invalid.
    """
    is_sandbox, address = invocation.flags.sandbox, invocation.flags.api_url
    with suppress(ConfigError):
        is_sandbox = settings().sandbox
    return ["--sandbox"] * is_sandbox + (["--api-url", address] if address else [])


class Connection:
    """
    Build the API client, the download client and their credentials.

    `closing` receives all resources to close at the end of the run.
    """

    def __init__(
        self,
        invocation: Invocation,
        *,
        settings: Settings,
        service: Service,
        folders: Folders,
        console: Console,
        prompter: Prompter,
        log: Callable[[str], None],
        closing: ExitStack,
    ) -> None:
        self._env = invocation.env
        self._clock = invocation.clock
        self._settings = settings
        self._service = service
        self._folders = folders
        self._console = console
        self._prompter = prompter
        self._log = log
        self._closing = closing

    @cached_property
    def api(self) -> ApiClient:
        """
        Return the client with the token of this run.

        Raises:
            NoTokenError: there is no token. This is checked before httpx is loaded.
        """
        transport = self._own_transport
        from krea_cli.api.client import ApiClient

        return ApiClient(transport, self._clock)

    def api_with(self, token: Token | None) -> ApiClient:
        """
        Return a client for the same service with another token, or without one.
        """
        from krea_cli.api.client import ApiClient

        return ApiClient(self._transport(token), self._clock)

    @cached_property
    def download_client(self) -> DownloadClient:
        from krea_cli.downloads.download_client import DownloadClient

        return DownloadClient(
            self._own_transport, self._clock, allows_loopback=self._service.is_local
        )

    def check_health(self, token: Token | None, *, seconds: float) -> HealthCheck:
        """
        Make one free request, within `seconds`. For the sandbox, use a temporary one
        that leaves no files.
        """
        if not self._service.is_sandbox:
            return self.api_with(token).probe(seconds=seconds)
        from krea_cli.api.client import ApiClient
        from krea_cli.files.temporary import TemporaryFolder
        from krea_cli.sandbox.server import Sandbox

        with TemporaryFolder() as folder, Sandbox(folder.path) as sandbox:
            transport = self._transport(None, url=sandbox.url)
            return ApiClient(transport, self._clock).probe(seconds=seconds)

    @property
    def api_url(self) -> str:
        """
        Return the address for requests. Start the sandbox if it is used.
        """
        return self._sandbox.url if self._service.is_sandbox else self._settings.api_url

    def make_sandbox(
        self,
        *,
        port: int = 0,
        faults: Iterable[str] = (),
        log: Callable[[str], None] | None = None,
        **limits: Any,
    ) -> Sandbox:
        """
        Return a sandbox, not yet started, with the user's stored jobs. `limits` are the
        arguments of `JobLimits`.

        Raises:
            UsageError: a fault is invalid.
        """
        from krea_cli.config.paths import make_private_folder
        from krea_cli.sandbox.concurrency import JobLimits
        from krea_cli.sandbox.server import Sandbox

        if self._folders.has_state:
            folder = make_private_folder(self._folders.state) / "sandbox"
        else:
            folder = self._temporary_sandbox_folder()
        sandbox = Sandbox(
            folder,
            port=port,
            faults=faults,
            log=log,
            clock=self._clock.wall,
            limits=JobLimits(**limits),
        )
        self._closing.callback(sandbox.stop)
        return sandbox

    @cached_property
    def keyring(self) -> KeyringStore:
        from krea_cli.config.keyring_store import KeyringStore

        return KeyringStore(self._service.origin)

    @cached_property
    def token_sources(self) -> TokenSources:
        """
        Return all sources that have a token. Read the keyring once.
        """
        from krea_cli.config.token import find_all_tokens

        return find_all_tokens(
            self._env,
            self._service.origin,
            lambda: self.keyring,
            self._run_token_command,
        )

    @cached_property
    def token(self) -> Token | None:
        """
        Return the token of this run, or None for the sandbox.

        Raises:
            NoTokenError: there is no token.
        """
        if self._service.is_sandbox:
            return None
        from krea_cli.config.token import find_token

        return find_token(
            self._env,
            self._service.origin,
            lambda: self.keyring,
            self._run_token_command,
        )

    @cached_property
    def _sandbox(self) -> Sandbox:
        sandbox = self.make_sandbox()
        sandbox.start()
        return sandbox

    def _temporary_sandbox_folder(self) -> Path:
        from tempfile import TemporaryDirectory

        self._console.warn(
            "No home folder found: the jobs of this sandbox are not stored. Set HOME "
            "or KREA_STATE_DIR to store them."
        )
        folder = TemporaryDirectory(prefix="krea-sandbox-")
        self._closing.callback(folder.cleanup)
        return Path(folder.name)

    @cached_property
    def _run_token_command(self) -> Callable[[], Token] | None:
        """
        Return a function that runs `token_command`, at most once, or None if it is not
        set.
        """
        command = self._settings.token_command
        if command is None:
            return None

        @cache
        def run() -> Token:
            from krea_cli.config import token_command

            return token_command.run(
                command,
                folder=self._folders.config,
                env=self._env,
                uses_terminal=self._prompter.is_interactive,
            )

        return run

    @cached_property
    def _own_transport(self) -> HttpTransport:
        return self._transport(self.token)

    def _transport(
        self, token: Token | None, *, url: str | None = None
    ) -> HttpTransport:
        from krea_cli.api.http import HttpTransport

        if token:
            self._console.hide(token.reveal())
        transport = HttpTransport(
            url or self.api_url,
            token.reveal() if token else None,
            token_source=token.source if token else "",
            user_agent=f"krea-cli/{__version__}",
            trust_env=not self._service.is_local,
            log=self._log,
        )
        self._closing.callback(transport.close)
        return transport
