"""
Send requests, and return responses or errors.  The only module that imports httpx.

Each purpose has a client of its own.  One carries the token, speaks to one origin and
follows no redirect.  The one for paid requests is the same, but opens a new connection
for each: a kept one may be closing, and the request would be unconfirmed.  Results are
fetched without any credential, each over a transport that no other thread uses: to look
for a free connection among all takes longer than a small result.  Nothing is sent twice
from here.
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
from krea_cli.api.connections import InterruptibleBackend, run_until
from krea_cli.api.http_types import SHOWN, RequestBody, Response, StreamedResponse, form
from krea_cli.api.proxies import SOCKS, Proxy
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

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 30.0
ANSWER_SECONDS = 60.0
UPLOAD_SECONDS = 900.0
# As slow as an upload of the largest file may be, and a little faster, so that the
# largest request is over before the journal takes it for abandoned.
SLOWEST_BYTES_PER_SECOND = 200_000
# A job has a few hundred bytes, a list of the most that are asked for far less than
# this; only the description of the API itself is long.
ANSWER_BYTES, SPEC_BYTES = 2**20, 8 * 2**20
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
# Long enough for the pauses between polls. What is paid for gets a new connection.
_KEPT = httpx.Limits(
    max_connections=100, max_keepalive_connections=100, keepalive_expiry=30.0
)
_NOT_KEPT = httpx.Limits(max_keepalive_connections=0)
# Compression is refused: no answer may grow in memory.
_PLAIN = {"Accept-Encoding": "identity"}

_NOT_WORDS = re.compile(r"^\[Errno [^]]*\] |^_ssl\.c:\d+: | \(_ssl\.c:\d+\)$")

# The clients that carry the token.
Use = Literal["api", "paid"]


class _InterruptibleTransport(httpx.HTTPTransport):
    """
    The transport of httpx, over connections that a worker thread can stop waiting for.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # httpx has no argument for it, and httpcore one that httpx does not pass on.
        self._pool._network_backend = InterruptibleBackend()  # noqa: SLF001


class HttpTransport:
    """
    Send requests to one service, and fetch results from anywhere.

    Without a *token* no Authorization is sent; *token_source* says where it comes from;
    *uses_environment* says whether the proxy variables count, which they do not for a
    service on this machine; `log` is called with each request, without its query,
    headers and body.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        token_source: str = "",
        agent: str,
        uses_environment: bool,
        log: Callable[[str], None],
    ) -> None:
        self.host = urlsplit(url).netloc
        self.token_source = token_source
        self._log = log
        self._url = url.rstrip("/")
        self._agent = {"User-Agent": agent}
        self._token = token
        self._bearer = {"Authorization": f"Bearer {token}"} if token else {}
        self.uses_environment = uses_environment
        self._clients: dict[tuple[Use, Proxy | None], httpx.Client] = {}
        # By security and proxy, the transports that no thread is using at the moment.
        self._idle: dict[tuple[bool, Proxy | None], list[httpx.HTTPTransport]] = {}
        self._making = threading.Lock()

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        seconds: float = ANSWER_SECONDS,
    ) -> Response:
        return self._exchange("api", "GET", path, seconds, params=params)

    def delete(self, path: str) -> Response:
        return self._exchange("api", "DELETE", path, ANSWER_SECONDS)

    def post_json(
        self, path: str, body: RequestBody, headers: Mapping[str, str]
    ) -> Response:
        """
        One POST over a new connection, as a kept one may be closing,
        streamed from *body*.  An error that its chunks raise ends it before the last.
        """
        seconds = ANSWER_SECONDS + body.size_bytes / SLOWEST_BYTES_PER_SECOND
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
        One multipart POST, streamed from *file* in the same way.
        """
        content_type, body = form(name, file, media_type, description=description)
        headers = {"Content-Type": content_type}
        return self._post("api", path, UPLOAD_SECONDS, body, headers)

    @contextmanager
    def stream(
        self, url: str, headers: Mapping[str, str]
    ) -> Iterator[StreamedResponse]:
        """
        GET *url* without any credential and without following a redirect.

        Raises:
            ConnectionFailedError, ResponseLostError: also while the chunks are read.
        """
        with self._translated(url):
            request = httpx.Request(
                "GET",
                url,
                headers={"Accept": "*/*", **_PLAIN, **self._agent, **headers},
                extensions={"timeout": _timeout().as_dict()},
            )
            with self._fetcher(url) as fetcher:
                with self._logged(request) as log:
                    response = run_until(
                        ANSWER_SECONDS, lambda: fetcher.handle_request(request)
                    )
                    response.request = request
                    log.append(str(response.status_code))
                with open_body(response, silence=SILENCE_SECONDS) as chunks:
                    yield StreamedResponse(
                        response.status_code, response.headers, chunks, _peer(response)
                    )

    def redacted(self, text: str) -> str:
        """
        Words of the service without the token, whole or in parts.
        """
        return redaction.redact_parts(self._token, text) if self._token else text

    def close(self) -> None:
        """
        Close the connections that are open.
        """
        while self._clients:
            self._clients.popitem()[1].close()
        while self._idle:
            for fetcher in self._idle.popitem()[1]:
                fetcher.close()

    def _post(
        self,
        use: Use,
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
        self, use: Use, method: str, path: str, seconds: float, **body: Any
    ) -> Response:
        with self._translated(self._url):
            client = self._client(use, self._url)
            request = client.build_request(method, self._url + path, **body)
            with self._logged(request) as log:
                # A body may take long to write, where no signal is noticed.
                run = run_with_timeout if method == "POST" else run_until
                answer = run(seconds, lambda: self._send(client, request))
                log.append(str(answer.status))
            return answer

    def _send(self, client: httpx.Client, request: httpx.Request) -> Response:
        try:
            return self._read(client, request)
        except (KreaError, httpx.HTTPError, httpx.StreamError):
            raise
        except Exception as exc:
            # Of the libraries below; a part may have been sent.
            raise _lost(self.host, self._reason(exc)) from exc

    def _read(self, client: httpx.Client, request: httpx.Request) -> Response:
        is_spec = request.url.path.endswith("/openapi.json")
        most = SPEC_BYTES if is_spec else ANSWER_BYTES
        response = client.send(request, stream=True)
        try:
            content = bytearray()
            for chunk in response.iter_raw():
                content += chunk
                if len(content) > most:
                    size = f"{most // 2**20} MiB"
                    raise InvalidResponseError(
                        f"The response from {self.host} is too large "
                        f"(more than {size})."
                    )
            clean = bytes(content)
            if self._token:
                clean = redaction.redact_bytes(self._token, clean)
            return Response(response.status_code, response.headers, clean)
        finally:
            response.close()

    @contextmanager
    def _logged(self, request: httpx.Request) -> Iterator[list[str]]:
        outcome: list[str] = []
        started = time.monotonic()
        try:
            yield outcome
        finally:
            target = _without_secrets(str(request.url))
            milliseconds = (time.monotonic() - started) * 1000
            said = outcome[0] if outcome else "no response"
            self._log(f"{request.method} {target} {said} ({milliseconds:.0f} ms)")

    def _proxy(self, url: str) -> Proxy | None:
        return proxies.between(url) if self.uses_environment else None

    def _client(self, use: Use, url: str) -> httpx.Client:
        """
        Return the client for this use of *url*. It is made once, by the first thread
        that needs it.
        """
        key = (use, self._proxy(url))
        with self._making:
            if key not in self._clients:
                self._clients[key] = self._new_client(*key)
            return self._clients[key]

    def _new_client(self, use: Use, proxy: Proxy | None) -> httpx.Client:
        limits = _NOT_KEPT if use == "paid" else _KEPT
        is_secure = self._url.startswith("https:")
        return httpx.Client(
            headers=_PLAIN | self._agent | self._bearer,
            timeout=_timeout(),
            # Of all that the environment names, the one proxy that applies.
            trust_env=False,
            transport=self._new_transport(proxy, limits, is_secure=is_secure),
            # No answer is to leave a cookie for another request.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    @contextmanager
    def _fetcher(self, url: str) -> Iterator[httpx.HTTPTransport]:
        """
        Yield a transport for this thread alone, preferably one with an open connection.
        """
        key = (urlsplit(url).scheme == "https", self._proxy(url))
        idle = self._idle.setdefault(key, [])
        try:
            fetcher = idle.pop()
        except IndexError:
            fetcher = self._new_transport(key[1], _KEPT, is_secure=key[0])
        try:
            yield fetcher
        finally:
            idle.append(fetcher)

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
            raise _unusable(proxy, exc) from exc

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        from krea_cli.api import tls

        return tls.context()

    @contextmanager
    def _translated(self, url: str) -> Iterator[None]:
        """
        Errors of httpx become ours; what counts is whether anything was sent.
        """
        host = _short(urlsplit(url).netloc)
        try:
            yield
        except _NOT_SENT as exc:
            if limit := exhausted_error(exc):
                raise limit from exc
            if fault := _certificate_fault(exc):
                raise _untrusted(host, fault) from exc
            proxy = self._proxy(url)
            # Silence for this long will not end by asking again.
            is_silent = isinstance(exc, httpx.TimeoutException)
            raise _unreachable(
                host,
                proxy.variable if proxy else None,
                self._reason(exc),
                is_silent=is_silent,
            ) from exc
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise ResponseLostError(f"{host} did not respond in time.") from exc
        except (httpx.InvalidURL, UnicodeError) as exc:
            reason = self.redacted(_short(exc))
            raise InvalidResponseError(f"Invalid address {host}: {reason}") from exc
        except (httpx.HTTPError, httpx.StreamError) as exc:
            raise _lost(host, self._reason(exc)) from exc
        except (RuntimeError, OSError, MemoryError) as exc:
            # Only before a request leaves: what goes wrong behind that is lost.
            if limit := exhausted_error(exc):
                raise limit from exc
            raise

    def _reason(self, exc: Exception) -> str:
        """
        The words of an error, which may quote what the server sent.
        """
        return self.redacted(_short(_words(exc)))


def _timeout() -> httpx.Timeout:
    return httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)


def _without_secrets(url: str) -> str:
    """
    Return the URL without its user, query and fragment.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@cache
def _no_tls() -> ssl.SSLContext:
    """
    Return a context for http on this computer, where there are no certificates. It
    trusts nobody, and is ready at once: loading trusted certificates takes long.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _unusable(proxy: Proxy, exc: Exception) -> ConfigError:
    name, scheme = proxy.variable, proxy.url.partition("://")[0].lower()
    if scheme in SOCKS and isinstance(exc, ImportError):
        from krea_cli.runtime.installation import installation

        command = installation().add_package("socksio")
        return ConfigError(
            f"The SOCKS proxy in {name} needs the package socksio.",
            hint=f"Unset {name}, or install the package: {command}",
        )
    if scheme not in ("http", "https", *SOCKS):
        return ConfigError(
            f"Invalid proxy in {name}: {scheme}:// is not supported.",
            hint=f"Start {name} with http://, https:// or socks5://, or unset it.",
        )
    # A proxy may be named with who uses it, which may be a secret by itself.
    reason = re.sub(r"[^\s/'\"]*@", "***@", str(exc)).rstrip(".")
    return ConfigError(
        f"Invalid proxy in {name}: {reason}.",
        hint=f"Fix {name}, or unset it.",
    )


def _unreachable(
    host: str, proxy: str | None, reason: str, *, is_silent: bool
) -> ConnectionFailedError:
    way = f" through the proxy in {proxy}" if proxy else ""
    return ConnectionFailedError(
        f"Cannot connect to {host}{way}: {reason}.",
        hint=f"Check your network, {proxy or 'proxy settings'} and the API URL.",
        retry_after=math.inf if is_silent else None,
    )


def _certificate_fault(exc: BaseException | None) -> str:
    """
    Describe the problem with the certificate; empty if the certificate is not the
    cause.
    """
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return (exc.verify_message or str(exc)).rstrip(".")
        exc = exc.__cause__ or exc.__context__
    return ""


def _untrusted(host: str, fault: str) -> ConnectionFailedError:
    from krea_cli.api import tls

    if missing := tls.missing():
        return missing
    return ConnectionFailedError(
        f"Cannot verify the certificate of {host}: {fault}. Nothing was sent.",
        hint="Check the system clock. Behind a company proxy, set SSL_CERT_FILE "
        "to its certificate.",
        # It will be the same certificate next time.
        retry_after=math.inf,
    )


def _lost(host: str, reason: str) -> ResponseLostError:
    return ResponseLostError(f"The connection to {host} was lost: {reason}.")


def _short(text: object) -> str:
    """
    Cut a text from elsewhere, which may have any length.
    """
    words = str(text)
    return words if len(words) <= SHOWN else f"{words[: SHOWN - 1]}…"


def _words(exc: Exception) -> str:
    """
    Return the words of an error, without error numbers and places in Python's source.
    """
    words = _NOT_WORDS.sub("", str(exc)).rstrip(".") or type(exc).__name__
    return words.replace(
        "The handshake operation timed out", "the TLS handshake is late"
    )


def _peer(response: httpx.Response) -> str:
    """
    Raises:
        httpx.ReadError: the connection is broken already.
    """
    stream = response.extensions.get("network_stream")
    try:
        address = stream.get_extra_info("server_addr") if stream else None
    except OSError as exc:
        raise httpx.ReadError(str(exc)) from exc
    return str(address[0]) if address else ""
