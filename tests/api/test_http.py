from __future__ import annotations

import gzip
import sys
import threading
import time
from contextlib import suppress

import pytest
from api.wire import answer, closing, resetting, trickling
from service import TOKEN

from krea_cli.api import http
from krea_cli.api.http_types import RequestBody
from krea_cli.api.request_body import encode_body
from krea_cli.errors import (
    ConfigError,
    ConnectionFailedError,
    InputError,
    InvalidResponseError,
    ResponseLostError,
)

REDIRECTS = [301, 302, 303, 307, 308]
HEAD = b"HTTP/1.1 200 OK\r\n"


def read(connected, url):
    with connected.stream(url, {}) as stream:
        return b"".join(stream.chunks)


def test_the_answer_is_whole(wire, connect):
    """
    Status, headers in any case, and every byte of the body.
    """
    server = wire(answer(b'{"a": 1}', status="418 No", Retry_After="7"))

    got = connect(server.url()).get("/jobs", {"limit": "1"})

    assert (418, b'{"a": 1}') == (got.status, got.content)
    assert "7" == got.headers.get("retry-after")
    assert "GET /jobs?limit=1 HTTP/1.1" == server.heard[0].line


def test_the_token_goes_with_the_api_and_with_nothing_else(wire, connect):
    """
    API requests are authorised; a stream has no credential, not even a cookie that the
    API has set.
    """
    server = wire(answer(Set_Cookie="session=secret; Path=/"))
    connected = connect(server.url())

    connected.get("/jobs")
    connected.post_json("/generate/x", encode_body({}), {})
    connected.delete("/jobs/1")
    read(connected, f"{server.url()}/result.png")
    *api, result = server.heard

    assert {f"Bearer {TOKEN}"} == {one.headers["authorization"] for one in api}
    assert not {"authorization", "cookie"} & set(result.headers)


def test_without_a_token_nothing_is_authorised(wire, connect):
    """
    The sandbox is never told a token.
    """
    server = wire(answer())

    connect(server.url(), None).get("/jobs")

    assert "authorization" not in server.heard[0].headers


def test_a_netrc_file_is_not_read(wire, connect, monkeypatch, tmp_path):
    """
    A default entry of ~/.netrc would send a password to every host.
    """
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login somebody password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    server = wire(answer())

    read(connect(server.url(), None, trust_env=True), server.url())

    assert "authorization" not in server.heard[0].headers


def test_each_paid_request_has_a_connection_of_its_own(wire, connect):
    """
    A kept connection may be closing, and then nobody knows whether the request was
    heard; what only reads shares one.
    """
    server = wire(answer())
    connected = connect(server.url())

    for _ in range(2):
        connected.get("/jobs")
    for _ in range(2):
        connected.post_json("/generate/x", encode_body({}), {})

    assert [0, 0, 1, 2] == [one.connection for one in server.heard]


def test_an_upload_is_one_form_with_the_file_as_it_is(wire, connect):
    """
    The bytes, the given name and type.
    """
    server = wire(answer())
    picture = bytes(range(256)) * 400
    file = RequestBody(size_bytes=len(picture), chunks=lambda: iter([picture]))

    connect(server.url()).post_file("/assets", "image-1.png", file, "image/png")
    [heard] = server.heard

    assert heard.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="file"; filename="image-1.png"' in heard.body
    assert b"Content-Type: image/png\r\n\r\n" + picture in heard.body


@pytest.mark.parametrize(
    "script",
    [
        answer(bytes(9 * 2**20)),
        closing(HEAD + b"\r\n" + bytes(9 * 2**20)),
        closing(HEAD + b"Transfer-Encoding: chunked\r\n\r\n900000\r\n" + bytes(2**24)),
    ],
    ids=["declared", "undeclared", "chunked"],
)
def test_an_answer_of_more_than_8_mib_is_refused(wire, connect, script):
    """
    However its length is told, it is not kept in memory.
    """
    with pytest.raises(InvalidResponseError, match="more than 1 MiB"):
        connect(wire(script).url()).get("/jobs")


@pytest.mark.parametrize(
    "script",
    [
        closing(HEAD + b'Content-Length: 99\r\n\r\n{"a":'),
        closing(HEAD + b"Content-Length: -1\r\n\r\n{}"),
        closing(HEAD + b"Content-Length: abc\r\n\r\n{}"),
        closing(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        closing(HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}"),
        closing(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
        closing(HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n"),
        closing(b"HTTP/1.1 200 O"),
        closing(b"no HTTP at all\r\n\r\n"),
        closing(b""),
        resetting(),
        resetting(HEAD + b'Content-Length: 99\r\n\r\n{"a":'),
    ],
    ids=[
        "short",
        "negative",
        "no number",
        "two lengths",
        "endless number",
        "unended chunks",
        "bad chunk",
        "cut head",
        "no HTTP",
        "no answer",
        "reset",
        "reset in the body",
    ],
)
def test_a_broken_answer_is_a_lost_answer(wire, connect, script):
    """
    The request left and what came back is not whole: never taken for an answer.
    """
    with pytest.raises(ResponseLostError):
        connect(wire(script).url()).get("/jobs")


def test_more_bytes_than_declared_are_not_of_the_answer(wire, connect):
    """
    The declared length ends the body.
    """
    server = wire(closing(HEAD + b"Content-Length: 2\r\n\r\n{}garbage"))

    assert b"{}" == connect(server.url()).get("/jobs").content


def test_nobody_listening_is_unreachable(wire, connect):
    """
    Nothing was sent; the message names the host.
    """
    server = wire(answer())
    url = server.url()
    server.close()

    with pytest.raises(ConnectionFailedError, match=url.removeprefix("http://")):
        connect(url).post_json("/generate/x", encode_body({}), {})


def test_a_body_longer_than_was_said_is_a_lost_answer(wire, connect):
    """
    What the library below raises for it is none of httpx's own errors.
    """
    server = wire(answer(b"{}"))
    longer = RequestBody(size_bytes=98, chunks=lambda: iter([b"a" * 99]))

    with pytest.raises(ResponseLostError, match="was lost"):
        connect(server.url()).post_file("/assets", "a", longer, "image/png")


def test_a_body_that_cannot_be_made_whole_is_not_sent_whole(wire, connect):
    """
    Its own error ends it, and no server takes it for a request.
    """

    def chunks():
        yield b'{"prompt": '
        raise InputError("It was changed.")

    heard = threading.Event()
    server = wire(lambda _: heard.set())
    body = RequestBody(size_bytes=15, chunks=chunks)

    with pytest.raises(InputError, match="It was changed"):
        connect(server.url()).post_json("/generate/x", body, {})

    assert heard.wait(5)
    assert b'{"prompt": ' == server.heard[0].body


@pytest.mark.parametrize("head", [b"", HEAD, HEAD + b"Content-Length: 9999\r\n\r\n"])
def test_an_answer_that_trickles_is_given_up(wire, connect, head):
    """
    A byte now and then keeps no connection alive for ever, be it a status, a header or
    the body.
    """
    server = wire(trickling(head, every=0.02, byte=b"H"))
    started = time.monotonic()

    with pytest.raises(ResponseLostError, match="did not respond in time"):
        connect(server.url()).get("/jobs", seconds=0.3)

    assert time.monotonic() - started < 1


def test_every_kind_of_request_has_a_limit(wire, connect, monkeypatch):
    """
    The paid one, the upload, the cancelling one and the first part of a stream.
    """
    monkeypatch.setattr(http, "RESPONSE_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(http, "UPLOAD_TIMEOUT_SECONDS", 0.1)
    server = wire(trickling(b"", every=0.02, byte=b"H"))
    connected = connect(server.url())

    for ask in (
        lambda: connected.post_json("/generate/x", encode_body({}), {}),
        lambda: connected.post_file("/assets", "a", encode_body({}), "image/png"),
        lambda: connected.delete("/jobs/1"),
        lambda: read(connected, server.url()),
    ):
        with pytest.raises(ResponseLostError, match="did not respond in time"):
            ask()


def test_a_large_paid_request_has_the_time_that_a_slow_line_needs(
    wire, connect, monkeypatch
):
    """
    What is on its way must not become a request in doubt.
    """
    monkeypatch.setattr(http, "RESPONSE_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(http, "MIN_UPLOAD_BYTES_PER_SECOND", 1000)
    server = wire(trickling(b"", every=0.02, byte=b"H"))
    started = time.monotonic()

    with pytest.raises(ResponseLostError, match="did not respond in time"):
        connect(server.url()).post_json("/x", encode_body({"prompt": "x" * 300}), {})

    assert 0.4 <= time.monotonic() - started < 1


def test_a_stream_that_falls_silent_is_a_lost_answer(wire, connect, monkeypatch):
    """
    The silence is noticed while the chunks are read.
    """
    monkeypatch.setattr(http, "READ_TIMEOUT_SECONDS", 0.1)
    server = wire(answer(b"begin", Content_Length="99"))

    with pytest.raises(ResponseLostError, match="did not respond in time"):
        read(connect(server.url()), server.url())


def test_chunks_come_as_they_arrive(wire, connect):
    """
    A few bytes are handed on before there are more, so that slowness can be seen.
    """
    taken = threading.Event()

    def script(connection):
        connection.sendall(answer(b"first", Content_Length="11"))
        if taken.wait(5):
            connection.sendall(b"second")

    server = wire(script)
    chunks = []
    with connect(server.url()).stream(server.url(), {}) as stream:
        for chunk in stream.chunks:
            chunks.append(chunk)
            taken.set()

    assert [b"first", b"second"] == chunks


@pytest.mark.parametrize("status", REDIRECTS)
def test_a_redirect_is_never_followed(wire, connect, status):
    """
    It is an answer like any other: nothing, least of all the token, goes to where it
    points; a POST is sent once.
    """
    target = wire(answer())
    redirect = answer(status=f"{status} Moved", Location=target.url("localhost"))
    server = wire(redirect)
    connected = connect(server.url())

    got = (
        connected.get("/jobs"),
        connected.post_json("/generate/x", encode_body({}), {}),
    )
    with connected.stream(server.url(), {}) as stream:
        streamed = stream.status

    assert [status] * 3 == [got[0].status, got[1].status, streamed]
    assert (3, 0) == (len(server.heard), target.connections)


def test_compression_is_neither_asked_for_nor_undone(wire, connect):
    """
    A small answer cannot become a large one.
    """
    bomb = gzip.compress(bytes(50 * 2**20))
    server = wire(answer(bomb, Content_Encoding="gzip"))
    connected = connect(server.url())

    assert bomb == connected.get("/jobs").content
    assert bomb == read(connected, server.url())
    assert {"identity"} == {one.headers["accept-encoding"] for one in server.heard}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "garbage://proxy"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:9"),
        ("HTTPS_PROXY", "http://[::1"),
        ("HTTPS_PROXY", "http://proxy:port"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("SSL_CERT_FILE", __file__),
    ],
)
def test_a_bad_variable_is_named(wire, connect, monkeypatch, variable, value):
    """
    Whatever httpx makes of it, the user is told where to look, also
    beside others that are right; a service on this machine is not bothered.
    """
    for name in {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} - {variable}:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv(variable, value)
    server = wire(answer())

    with pytest.raises(ConfigError) as caught:
        connect("https://api.invalid", trust_env=True).get("/jobs")

    assert variable in caught.value.message
    assert variable in caught.value.hint
    assert b"{}" == connect(server.url()).get("/jobs").content


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:9"),
        ("ALL_PROXY", "http://[::1"),
        ("HTTP_PROXY", "garbage://proxy"),
        ("NO_PROXY", "[::1]"),
    ],
)
def test_a_variable_that_does_not_apply_is_in_nobody_s_way(
    wire, connect, monkeypatch, variable, value
):
    """
    The request goes by its own proxy, however wrong the others are.
    """
    server = wire(answer(status="502 Bad Gateway"))
    monkeypatch.setenv("HTTPS_PROXY", server.url())
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConnectionFailedError, match="the proxy in HTTPS_PROXY"):
        connect("https://api.invalid", trust_env=True).get("/jobs")

    assert ["CONNECT api.invalid:443 HTTP/1.1"] == [one.line for one in server.heard]


def test_each_result_is_fetched_by_the_proxy_of_its_host(wire, connect, monkeypatch):
    """
    One client serves many hosts, and an exception counts for one of them alone.
    """
    server = wire(answer(status="502 Bad Gateway"))
    monkeypatch.setenv("HTTPS_PROXY", server.url())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    http = connect("https://api.invalid", trust_env=True)

    for url in ("https://a.invalid/", "https://127.0.0.1:1/", "https://b.invalid/"):
        with pytest.raises(ConnectionFailedError):
            read(http, url)

    assert ["a.invalid:443", "b.invalid:443"] == [
        one.line.split()[1] for one in server.heard
    ]


@pytest.mark.parametrize(
    ("mark", "command"),
    [
        ("uv-receipt.toml", "uv tool install --with socksio krea-cli"),
        ("pipx_metadata.json", "pipx inject krea-cli socksio"),
        (None, f"{sys.executable} -m pip install socksio"),
    ],
)
def test_what_a_socks_proxy_needs_is_installed_as_krea_was(
    connect, monkeypatch, tmp_path, mark, command
):
    """
    `pip install` does not reach the environments of uv and pipx.
    """
    if mark:
        (tmp_path / mark).touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr("krea_cli.runtime.installation._source", lambda: "krea-cli")
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")

    with pytest.raises(ConfigError, match="SOCKS proxy in ALL_PROXY") as caught:
        connect("https://api.invalid", trust_env=True).get("/jobs")

    assert caught.value.hint.endswith(f": {command}")
    assert "httpx" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "https://a..b/x",
        f"https://{'a' * 70}.test/",
        f"https://{'ü' * 20_000}.test/",
        "https://127.0.0.1/\ud800",
    ],
    ids=["empty label", "long label", "long name", "surrogate"],
)
def test_an_address_that_cannot_be_used_is_no_bug(connect, url):
    """
    What a hostile answer gives as a URL ends in one of our errors, however long it is.
    """
    with pytest.raises(InvalidResponseError, match="Invalid address") as caught:
        read(connect("http://127.0.0.1"), url)

    assert len(caught.value.message) < 700


def test_the_log_tells_each_request_and_no_secret(wire, connect, log):
    """
    Method, URL without query and fragment, outcome; no header, no body.
    """
    server = wire(answer(b'{"secret": 1}'), answer(), answer(), resetting())
    connected = connect(server.url())

    connected.get("/jobs", {"cursor": "secret"})
    connected.post_json(
        "/generate/x", encode_body({"secret": 1}), {"X-Webhook-URL": "https://secret"}
    )
    read(connected, f"{server.url()}/a.png?X-Amz-Signature=secret#secret")
    with suppress(ResponseLostError):
        connected.get("/lost")

    assert [
        f"GET {server.url()}/jobs 200",
        f"POST {server.url()}/generate/x 200",
        f"GET {server.url()}/a.png 200",
        f"GET {server.url()}/lost no response",
    ] == [line.rpartition(" (")[0] for line in log]
    assert "secret" not in "".join(log)
    assert TOKEN not in "".join(log)
