"""
How the sandbox behaves as a server: connections, ranges, clients that break off.
"""

from __future__ import annotations

import socket
import time as real_time
from http import HTTPStatus

import pytest
from sandbox.asking import NANO_BANANA, Client, picture

from krea_cli.errors import UsageError
from krea_cli.sandbox.http_handler import SandboxHandler
from krea_cli.sandbox.server import Sandbox


@pytest.fixture
def upload(client):
    """
    The path of an uploaded file, and its bytes.
    """
    content = picture()
    return client.upload(content).json["image_url"].removeprefix(client.url), content


def raw(client, text, *, ends=True):
    """
    What comes back for the bytes of a request, until the server closes.
    """
    host, port = client.url[7:].split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(text.encode())
        if ends:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_connection_serves_many_requests(client):
    """
    The connection is kept alive, also after refusals.
    """
    client("GET", "/jobs")
    before = client.connection.sock.getsockname()
    client("GET", "/nowhere")
    client.submit(bogus=1)
    client("GET", "/jobs")

    assert before == client.connection.sock.getsockname()


def test_connection_is_used_again_after_a_body_that_nobody_wanted(client):
    """
    The server reads a body to its end before it refuses the request.
    """
    client("GET", "/jobs")
    before = client.connection.sock.getsockname()
    for _ in range(3):
        assert 404 == client("POST", "/nowhere", "x" * 300_000).status
        assert 200 == client("GET", "/jobs").status

    assert before == client.connection.sock.getsockname()


def test_connection_serves_requests_of_every_kind(client, time):
    """
    Submissions, polls, lists, uploads, downloads and ranges over one connection.
    """
    client("GET", "/jobs")
    before = client.connection.sock.getsockname()
    for number in range(5):
        made = client.submit(prompt=f"owl {number}", width=64, height=64).json
        upload = client.upload(picture()).json["image_url"]
        time.sleep(3)
        [url] = client("GET", f"/jobs/{made['job_id']}").json["result"]["urls"]
        whole = client("GET", url).content
        assert whole[5:9] == client("GET", url, range="bytes=5-8").content
        assert 416 == client("GET", url, range="bytes=99999999-").status
        assert picture() == client("GET", upload).content
        assert 200 == client("DELETE", f"/jobs/{made['job_id']}").status

    assert before == client.connection.sock.getsockname()


def test_bug_after_the_response_began_closes_the_connection(client, monkeypatch):
    """
    The client must not take an error for the rest of the body.
    """

    def respond_twice(handler):
        handler.send_json({"items": []})
        raise RuntimeError

    monkeypatch.setattr(SandboxHandler, "_list_jobs", respond_twice)
    got = raw(client, "GET /jobs HTTP/1.1\r\nHost: localhost\r\n\r\n", ends=False)

    assert got.endswith(b'\r\n\r\n{"items": []}')


def test_answers_do_not_wait_for_acknowledgements(client):
    """
    A job on a kept-alive connection is far below the 40 ms of a delayed ACK.
    """
    job_id = client.submit().json["job_id"]
    took = []
    for _ in range(40):
        start = real_time.perf_counter()
        client("GET", f"/jobs/{job_id}")
        took.append(real_time.perf_counter() - start)

    assert sorted(took)[10] < 0.02


def test_file_has_its_headers(client, upload):
    """
    A file is served with type, length, a strong ETag and the offer of ranges.
    """
    path, content = upload
    answer = client("GET", path)

    assert (200, content) == (answer.status, answer.content)
    assert "image/png" == answer.headers["Content-Type"]
    assert str(len(content)) == answer.headers["Content-Length"]
    assert "bytes" == answer.headers["Accept-Ranges"]
    assert answer.headers["ETag"].startswith('"')


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=10-", slice(10, None)),
        ("bytes=-5", slice(-5, None)),
    ],
)
def test_range_gives_that_part(client, upload, wanted, part):
    """
    One range is answered with those bytes, and says which they are.
    """
    path, content = upload
    answer = client("GET", path, range=wanted)

    start, stop, _ = part.indices(len(content))
    assert (206, content[part]) == (answer.status, answer.content)
    assert f"bytes {start}-{stop - 1}/{len(content)}" == answer.headers["Content-Range"]


def test_range_behind_the_end_is_416(client, upload):
    """
    A range without bytes is refused, with the length.
    """
    path, content = upload
    answer = client("GET", path, range="bytes=999999-")

    assert 416 == answer.status
    assert f"bytes */{len(content)}" == answer.headers["Content-Range"]


def test_if_range_needs_the_same_file(client, upload):
    """
    The range is given only to who holds the beginning of the same file.
    """
    path, content = upload
    etag = client("GET", path).headers["ETag"]
    same = client("GET", path, range="bytes=9-", if_range=etag)
    other = client("GET", path, range="bytes=9-", if_range='"another"')

    assert (206, content[9:]) == (same.status, same.content)
    assert (200, content) == (other.status, other.content)


def test_body_of_unknown_length_is_411(client):
    """
    A chunked body is refused, and not taken for the next request.
    """
    answer = raw(
        client,
        f"POST {NANO_BANANA} HTTP/1.1\r\nHost: localhost\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 411 ")
    assert 1 == answer.count(b"HTTP/1.1")


def test_over_long_json_is_413(client):
    """
    The answer arrives although nobody reads the body.
    """
    answer = client("POST", NANO_BANANA, b"x" * (33 * 2**20))

    assert 413 == answer.status


def test_host_must_be_this_machine(client):
    """
    A name that somebody else gave this machine is refused (DNS rebinding).
    """
    good = client("GET", "/jobs", host="localhost:8787")
    bad = [
        client("GET", "/jobs", host=host).status
        for host in ("evil.example", "a@127.0.0.1", "127.0.0.1/x", "[", "")
    ]

    assert 200 == good.status
    assert [400, 400, 400, 400, 400] == bad


@pytest.mark.parametrize(
    "text",
    [
        "nonsense\r\n\r\n",
        "GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PATCH /jobs HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "",
    ],
)
def test_nonsense_does_not_end_the_server(client, capfd, text):
    """
    Whatever is sent, the server goes on and says nothing on standard error.
    """
    raw(client, text)

    assert 200 == client("GET", "/jobs").status
    assert ("", "") == capfd.readouterr()


def test_client_may_go_while_it_is_answered(client, capfd, upload):
    """
    A client that breaks off in the middle of an answer is nothing to talk about.
    """
    host, port = client.url[7:].split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                f"GET {upload[0]} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            )

    assert 200 == client("GET", "/jobs").status
    assert ("", "") == capfd.readouterr()


def test_bug_in_a_route_is_500(tmp_path):
    """
    An exception is an answer, not the end of the program.
    """

    class Broken(SandboxHandler):
        def handle_route(self, method, path):
            raise RuntimeError("by design")

    class BrokenSandbox(Sandbox):
        handler_class = Broken

    with BrokenSandbox(tmp_path) as sandbox:
        client = Client(sandbox)
        answer = client("GET", "/jobs")
        client.connection.close()

    assert 500 == answer.status
    assert "by design" in answer.json["error"]


def test_routes_can_be_wrapped(tmp_path):
    """
    A subclass of the handler sees each request and may answer it instead.
    """
    seen = []

    class Busy(SandboxHandler):
        def handle_route(self, method, path):
            seen.append((method, path, self.body.content, self.query))
            if len(seen) == 1:
                self.send_json({"error": "busy"}, HTTPStatus.TOO_MANY_REQUESTS)
            else:
                super().handle_route(method, path)

    class BusySandbox(Sandbox):
        handler_class = Busy

    with BusySandbox(tmp_path) as sandbox:
        client = Client(sandbox)
        answers = [client.submit().status, client.submit().status]
        client("GET", "/jobs?limit=7")
        client.connection.close()

    assert [429, 200] == answers
    assert ("POST", NANO_BANANA, b'{"prompt": "a red fox"}', {}) == seen[1]
    assert ("GET", "/jobs", b"", {"limit": "7"}) == seen[2]


def test_stop_is_quick_and_closes_open_connections(tmp_path):
    """
    Stopping ends also the connections that are kept alive, well under a second.
    """
    sandbox = Sandbox(tmp_path)
    sandbox.start()
    client = Client(sandbox)
    client("GET", "/jobs")
    start = real_time.perf_counter()
    sandbox.stop()
    sandbox.stop()
    took = real_time.perf_counter() - start

    assert b"" == client.connection.sock.recv(1)
    assert took < 0.5
    client.connection.close()


def test_only_loopback_is_listened_on(sandbox):
    """
    The address is that of this machine alone.
    """
    assert sandbox.url.startswith("http://127.0.0.1:")


def test_port_that_is_taken_is_a_usage_error(sandbox, tmp_path):
    """
    The error says which port, and what to do.
    """
    port = int(sandbox.url.rpartition(":")[2])
    second = Sandbox(tmp_path / "second", port=port)

    with pytest.raises(UsageError, match=f"port {port}"):
        second.start()
