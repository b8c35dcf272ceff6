"""
Send requests to the service, and download results.  The only module that imports httpx.

The API client sends the token, to one origin, and follows no redirects.  The client for
paid requests does the same over a new connection each time: the server may be closing
an idle one, and then the outcome of the request would be unknown.  Results are
downloaded without credentials.  Each thread has a transport to itself, as searching a
shared pool takes longer than a small download.  Nothing here retries.
"""

from __future__ import annotations

import math
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from krea_cli.api import proxies
from krea_cli.api.connections import InterruptibleBackend, run_interruptibly
from krea_cli.api.http_types import (
    MAX_QUOTED_CHARS,
    RequestBody,
    Response,
    StreamedResponse,
    multipart_form,
)
from krea_cli.api.proxies import SOCKS_SCHEMES, Proxy
from krea_cli.api.streaming import open_body
from krea_cli.errors import (
    ConfigError,
    ConnectionFailedError,
    InvalidResponseError,
    KreaError,
    ResponseLostError,
)
from krea_cli.runtime import redaction
from krea_cli.runtime.clock import run_with_timeout
from krea_cli.runtime.exhaustion import exhausted_error

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
RESPONSE_TIMEOUT_SECONDS = 60.0
UPLOAD_TIMEOUT_SECONDS = 900.0
# Slightly more than the largest upload needs to finish in UPLOAD_TIMEOUT_SECONDS, so
# that a paid request of any size ends before the journal considers it abandoned.
MIN_UPLOAD_BYTES_PER_SECOND = 200_000
# A full page of jobs is well below the limit. Only the OpenAPI document is larger.
MAX_RESPONSE_BYTES, MAX_SPEC_BYTES = 2**20, 8 * 2**20
_NOT_SENT_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
# The expiry is longer than the pauses between polls.
_KEEP_ALIVE = httpx.Limits(
    max_connections=100, max_keepalive_connections=100, keepalive_expiry=30.0
)
_NO_KEEP_ALIVE = httpx.Limits(max_keepalive_connections=0)
# Without compression, a small response cannot expand to fill the memory.
_UNCOMPRESSED = {"Accept-Encoding": "identity"}

_ERROR_NUMBERS = re.compile(r"^\[Errno [^]]*\] |^_ssl\.c:\d+: | \(_ssl\.c:\d+\)$")

# "paid" opens a new connection for each request.
ClientKind = Literal["api", "paid"]


class _InterruptibleTransport(httpx.HTTPTransport):
    """
    Use connections on which a worker thread stops waiting when a signal arrives.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # httpcore takes a backend as an argument, but httpx does not pass one on.
        self._pool._network_backend = InterruptibleBackend()  # noqa: SLF001  (as above)


class HttpTransport:
    """
    Send requests to one service, and download results from any host.

    Requests have an Authorization header if there is a `token`. Error messages name
    `token_source`, the setting that the token comes from. With `trust_env`, proxies
    from the environment are used; leave it off for a service on this computer. `log`
    gets one line for each request: method, URL without query, status and duration.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        token_source: str = "",
        user_agent: str,
        trust_env: bool,
        log: Callable[[str], None],
    ) -> None:
        self.host = urlsplit(url).netloc
        self.token_source = token_source
        self._log = log
        self._url = url.rstrip("/")
        self._user_agent = {"User-Agent": user_agent}
        self._token = token
        self._bearer = {"Authorization": f"Bearer {token}"} if token else {}
        self.trust_env = trust_env
        self._clients: dict[tuple[ClientKind, Proxy | None], httpx.Client] = {}
        # By (is HTTPS, proxy).
        self._idle_transports: dict[
            tuple[bool, Proxy | None], list[httpx.HTTPTransport]
        ] = {}
        self._clients_lock = threading.Lock()

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        seconds: float = RESPONSE_TIMEOUT_SECONDS,
    ) -> Response:
        return self._exchange("api", "GET", path, seconds, params=params)

    def delete(self, path: str) -> Response:
        return self._exchange("api", "DELETE", path, RESPONSE_TIMEOUT_SECONDS)

    def post_json(
        self, path: str, body: RequestBody, headers: Mapping[str, str]
    ) -> Response:
        """
        POST JSON once, over a new connection, streamed from `body`. If reading a chunk
        raises an error, the request is left incomplete.
        """
        seconds = (
            RESPONSE_TIMEOUT_SECONDS + body.size_bytes / MIN_UPLOAD_BYTES_PER_SECOND
        )
        headers = {"Content-Type": "application/json", **headers}
        return self._post("paid", path, seconds, body, headers)

    def post_file(
        self,
        path: str,
        name: str,
        file: RequestBody,
        media_type: str,
        *,
        description: str = "",
    ) -> Response:
        """
        POST a multipart form once, streamed from `file`.
        """
        content_type, body = multipart_form(
            name, file, media_type, description=description
        )
        headers = {"Content-Type": content_type}
        return self._post("api", path, UPLOAD_TIMEOUT_SECONDS, body, headers)

    @contextmanager
    def stream(
        self, url: str, headers: Mapping[str, str]
    ) -> Iterator[StreamedResponse]:
        """
        GET `url` without credentials and without following redirects.

        Raises:
            ConnectionFailedError, ResponseLostError: also while the chunks are read.
        """
        with self._translate_errors(url):
            request = httpx.Request(
                "GET",
                url,
                headers={
                    "Accept": "*/*",
                    **_UNCOMPRESSED,
                    **self._user_agent,
                    **headers,
                },
                extensions={"timeout": _timeout().as_dict()},
            )
            with self._borrow_transport(url) as transport:
                with self._logged(request) as statuses:
                    response = run_interruptibly(
                        RESPONSE_TIMEOUT_SECONDS,
                        lambda: transport.handle_request(request),
                    )
                    response.request = request
                    statuses.append(str(response.status_code))
                with open_body(response, silence=READ_TIMEOUT_SECONDS) as chunks:
                    yield StreamedResponse(
                        response.status_code,
                        response.headers,
                        chunks,
                        _peer_address(response),
                    )

    def redact(self, text: str) -> str:
        """
        Remove the token, and parts of it, from text that the service sent.
        """
        return redaction.redact_parts(self._token, text) if self._token else text

    def close(self) -> None:
        """
        Close all connections.
        """
        while self._clients:
            self._clients.popitem()[1].close()
        while self._idle_transports:
            for transport in self._idle_transports.popitem()[1]:
                transport.close()

    def _post(
        self,
        use: ClientKind,
        path: str,
        seconds: float,
        body: RequestBody,
        headers: Mapping[str, str],
    ) -> Response:
        headers = {"Content-Length": str(body.size_bytes), **headers}
        return self._exchange(
            use, "POST", path, seconds, content=body.chunks(), headers=headers
        )

    def _exchange(
        self, use: ClientKind, method: str, path: str, seconds: float, **body: Any
    ) -> Response:
        with self._translate_errors(self._url):
            client = self._client(use, self._url)
            request = client.build_request(method, self._url + path, **body)
            with self._logged(request) as statuses:
                # Writing a body can take long, and signals go unnoticed meanwhile.
                run = run_with_timeout if method == "POST" else run_interruptibly
                response = run(seconds, lambda: self._send(client, request))
                statuses.append(str(response.status))
            return response

    def _send(self, client: httpx.Client, request: httpx.Request) -> Response:
        try:
            return self._read(client, request)
        except (KreaError, httpx.HTTPError, httpx.StreamError):
            raise
        except Exception as exc:
            # From the libraries below httpx. A part may have been sent.
            raise _response_lost(self.host, self._reason(exc)) from exc

    def _read(self, client: httpx.Client, request: httpx.Request) -> Response:
        is_spec = request.url.path.endswith("/openapi.json")
        max_bytes = MAX_SPEC_BYTES if is_spec else MAX_RESPONSE_BYTES
        response = client.send(request, stream=True)
        try:
            received = bytearray()
            for chunk in response.iter_raw():
                received += chunk
                if len(received) > max_bytes:
                    size = f"{max_bytes // 2**20} MiB"
                    raise InvalidResponseError(
                        f"The response from {self.host} is too large "
                        f"(more than {size})."
                    )
            content = bytes(received)
            if self._token:
                content = redaction.redact_bytes(self._token, content)
            return Response(response.status_code, response.headers, content)
        finally:
            response.close()

    @contextmanager
    def _logged(self, request: httpx.Request) -> Iterator[list[str]]:
        """
        Log a request with its duration. Append its status to the list that is yielded.
        """
        statuses: list[str] = []
        started = time.monotonic()
        try:
            yield statuses
        finally:
            target = _loggable_url(str(request.url))
            milliseconds = (time.monotonic() - started) * 1000
            status = statuses[0] if statuses else "no response"
            self._log(f"{request.method} {target} {status} ({milliseconds:.0f} ms)")

    def _proxy(self, url: str) -> Proxy | None:
        return proxies.proxy_for(url) if self.trust_env else None

    def _client(self, use: ClientKind, url: str) -> httpx.Client:
        """
        Return the client of this kind for `url`, created by the first thread that needs
        it.
        """
        key = (use, self._proxy(url))
        with self._clients_lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(*key)
            return self._clients[key]

    def _new_client(self, use: ClientKind, proxy: Proxy | None) -> httpx.Client:
        limits = _NO_KEEP_ALIVE if use == "paid" else _KEEP_ALIVE
        is_secure = self._url.startswith("https:")
        return httpx.Client(
            headers=_UNCOMPRESSED | self._user_agent | self._bearer,
            timeout=_timeout(),
            # The transport has the one proxy that applies to this URL.
            trust_env=False,
            transport=self._new_transport(proxy, limits, is_secure=is_secure),
            # Accept no cookies.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    @contextmanager
    def _borrow_transport(self, url: str) -> Iterator[httpx.HTTPTransport]:
        """
        Yield a transport for this thread alone, if possible with an open connection.
        """
        key = (urlsplit(url).scheme == "https", self._proxy(url))
        idle_transports = self._idle_transports.setdefault(key, [])
        try:
            transport = idle_transports.pop()
        except IndexError:
            transport = self._new_transport(key[1], _KEEP_ALIVE, is_secure=key[0])
        try:
            yield transport
        finally:
            idle_transports.append(transport)

    def _new_transport(
        self, proxy: Proxy | None, limits: httpx.Limits, *, is_secure: bool
    ) -> httpx.HTTPTransport:
        tls = self._tls if is_secure else _no_tls()
        try:
            return _InterruptibleTransport(
                verify=tls,
                proxy=proxy.url if proxy else None,
                limits=limits,
                trust_env=False,
            )
        except Exception as exc:
            if limit := exhausted_error(exc):
                raise limit from exc
            if proxy is None:
                raise
            raise _proxy_error(proxy, exc) from exc

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        from krea_cli.api import tls

        return tls.create_context()

    @contextmanager
    def _translate_errors(self, url: str) -> Iterator[None]:
        """
        Raise KreaError for errors of httpx: ConnectionFailedError if nothing was sent,
        else ResponseLostError.
        """
        host = _truncate(urlsplit(url).netloc)
        try:
            yield
        except _NOT_SENT_ERRORS as exc:
            if limit := exhausted_error(exc):
                raise limit from exc
            if problem := _certificate_problem(exc):
                raise _certificate_error(host, problem) from exc
            proxy = self._proxy(url)
            # A host that did not respond for this long is not worth a retry.
            is_silent = isinstance(exc, httpx.TimeoutException)
            raise _connection_error(
                host,
                proxy.variable if proxy else None,
                self._reason(exc),
                is_silent=is_silent,
            ) from exc
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise ResponseLostError(f"{host} did not respond in time.") from exc
        except (httpx.InvalidURL, UnicodeError) as exc:
            reason = self.redact(_truncate(exc))
            raise InvalidResponseError(f"Invalid address {host}: {reason}") from exc
        except (httpx.HTTPError, httpx.StreamError) as exc:
            raise _response_lost(host, self._reason(exc)) from exc
        except (RuntimeError, OSError, MemoryError) as exc:
            # `_send` turns errors during a request into ResponseLostError.
            if limit := exhausted_error(exc):
                raise limit from exc
            raise

    def _reason(self, exc: Exception) -> str:
        """
        Return the text of an error, which may quote the server, short and redacted.
        """
        return self.redact(_truncate(_error_text(exc)))


def _timeout() -> httpx.Timeout:
    return httpx.Timeout(READ_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)


def _loggable_url(url: str) -> str:
    """
    Return the URL without user, query and fragment, which may hold secrets.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@cache
def _no_tls() -> ssl.SSLContext:
    """
    Return an empty context, for plain HTTP. Loading the trusted certificates would slow
    down the first request.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _proxy_error(proxy: Proxy, exc: Exception) -> ConfigError:
    name, scheme = proxy.variable, proxy.url.partition("://")[0].lower()
    if scheme in SOCKS_SCHEMES and isinstance(exc, ImportError):
        from krea_cli.runtime.installation import installation

        command = installation().add_package("socksio")
        return ConfigError(
            f"The SOCKS proxy in {name} needs the package socksio.",
            hint=f"Unset {name}, or install the package: {command}",
        )
    if scheme not in ("http", "https", *SOCKS_SCHEMES):
        return ConfigError(
            f"Invalid proxy in {name}: {scheme}:// is not supported.",
            hint=f"Start {name} with http://, https:// or socks5://, or unset it.",
        )
    # The proxy's URL may include a user name and password.
    reason = re.sub(r"[^\s/'\"]*@", "***@", str(exc)).rstrip(".")
    return ConfigError(
        f"Invalid proxy in {name}: {reason}.",
        hint=f"Fix {name}, or unset it.",
    )


def _connection_error(
    host: str, proxy: str | None, reason: str, *, is_silent: bool
) -> ConnectionFailedError:
    way = f" through the proxy in {proxy}" if proxy else ""
    return ConnectionFailedError(
        f"Cannot connect to {host}{way}: {reason}.",
        hint=f"Check your network, {proxy or 'proxy settings'} and the API URL.",
        retry_after=math.inf if is_silent else None,
    )


def _certificate_problem(exc: BaseException | None) -> str:
    """
    Describe the problem with the certificate; "" if the error has another cause.
    """
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return (exc.verify_message or str(exc)).rstrip(".")
        exc = exc.__cause__ or exc.__context__
    return ""


def _certificate_error(host: str, problem: str) -> ConnectionFailedError:
    from krea_cli.api import tls

    if missing := tls.no_certificates_error():
        return missing
    return ConnectionFailedError(
        f"Cannot verify the certificate of {host}: {problem}. Nothing was sent.",
        hint="Check the system clock. Behind a company proxy, set SSL_CERT_FILE "
        "to its certificate.",
        # A retry would get the same certificate.
        retry_after=math.inf,
    )


def _response_lost(host: str, reason: str) -> ResponseLostError:
    return ResponseLostError(f"The connection to {host} was lost: {reason}.")


def _truncate(text: object) -> str:
    """
    Shorten text from a server or a library.
    """
    text = str(text)
    return text if len(text) <= MAX_QUOTED_CHARS else f"{text[: MAX_QUOTED_CHARS - 1]}…"


def _error_text(exc: Exception) -> str:
    """
    Return the message of an error, without error numbers and source locations.
    """
    text = _ERROR_NUMBERS.sub("", str(exc)).rstrip(".") or type(exc).__name__
    return text.replace(
        "The handshake operation timed out", "the TLS handshake timed out"
    )


def _peer_address(response: httpx.Response) -> str:
    """
    Return the IP address of the server; "" if it is not known.

    Raises:
        httpx.ReadError: the connection is broken already.
    """
    stream = response.extensions.get("network_stream")
    try:
        address = stream.get_extra_info("server_addr") if stream else None
    except OSError as exc:
        raise httpx.ReadError(str(exc)) from exc
    return str(address[0]) if address else ""
