from __future__ import annotations

import random
import threading
import time

import pytest
from api.wire import answer, closing, resetting, trickling

from krea_cli.api import http
from krea_cli.errors import KreaError, ResponseLostError
from krea_cli.runtime import signals
from krea_cli.runtime.signals import Interrupted

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CONTENT = random.Random(7).randbytes(3_000_000)


def read(connected, url):
    with connected.stream(url, {}) as stream:
        return b"".join(stream.chunks)


def paced(*pieces, pause=0.02):
    """
    The pieces, each on its own on the wire, and the end of the connection.
    """

    def script(connection):
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)

    return script


def chunks(content, size):
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, 17, 65_536, 100_000, 2**20, 3_000_000])
def test_every_byte_arrives_in_its_place(wire, connect, size):
    """
    Of a body of any length, declared, in chunks, or ended by the end of the connection.
    """
    content = CONTENT[:size]
    for script in (
        answer(content),
        CHUNKED + chunks(content, 50_000),
        closing(HEAD + b"\r\n" + content),
    ):
        server = wire(script)
        assert content == read(connect(server.url()), server.url())


@pytest.mark.parametrize("at", [0, 1, 40, 41, 42, 100_000])
def test_it_does_not_matter_how_the_network_cuts_it(wire, connect, at):
    """
    The body may begin with its head, or later; within two bytes, or within many.
    """
    whole = answer(CONTENT)
    at += whole.index(b"\r\n\r\n") - 40
    server = wire(paced(whole[:at], whole[at : at + 70_000], whole[at + 70_000 :]))

    assert CONTENT == read(connect(server.url()), server.url())


def test_what_follows_the_declared_length_is_not_of_the_body(wire, connect):
    """
    Whether it comes with the body, or after it.
    """
    for content in (b"x", CONTENT):
        server = wire(closing(answer(content) + b"garbage" * 99))
        assert content == read(connect(server.url()), server.url())


@pytest.mark.parametrize(
    "script",
    [
        closing(HEAD + b"Content-Length: 9\r\n\r\n"),
        closing(HEAD + b"Content-Length: 9\r\n\r\nbegin"),
        closing(HEAD + b"Content-Length: 3000001\r\n\r\n" + CONTENT),
        resetting(HEAD + b"Content-Length: 3000001\r\n\r\n" + CONTENT),
        closing(CHUNKED + b"5\r\nbegin\r\n"),
        closing(CHUNKED + b"5\r\nbegin\r\nxyz\r\n"),
        closing(CHUNKED + b"9\r\nbegin"),
        closing(HEAD + b"Content-Length: -1\r\n\r\nbegin"),
        closing(HEAD + b"Content-Length: abc\r\n\r\nbegin"),
        closing(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nbegin"),
        closing(HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nbegin"),
    ],
    ids=[
        "nothing",
        "short",
        "short by one",
        "reset",
        "no last chunk",
        "bad chunk",
        "cut chunk",
        "negative",
        "no number",
        "two lengths",
        "endless number",
    ],
)
def test_a_body_that_is_not_whole_is_a_lost_answer(wire, connect, script):
    """
    What the length or the chunks promise has to come.
    """
    server = wire(script)

    with pytest.raises(ResponseLostError):
        read(connect(server.url()), server.url())


def test_a_length_beside_chunks_does_not_count(wire, connect):
    """
    The chunks say where the body ends.
    """
    both = HEAD + b"Content-Length: 2999999\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = wire(both + chunks(CONTENT, 50_000))

    assert CONTENT == read(connect(server.url()), server.url())


def test_equal_lengths_are_one(wire, connect):
    """
    Some servers say it twice.
    """
    server = wire(closing(HEAD + b"Content-Length: 5\r\n" * 2 + b"\r\nbegin"))

    assert b"begin" == read(connect(server.url()), server.url())


@pytest.mark.parametrize(
    ("head", "byte"),
    [
        (CHUNKED + b"5\r\nbegin\r\n", b"0"),
        (CHUNKED + b"5;", b"a"),
        (HEAD + b"Content-Length: 99\r\n\r\n", b""),
    ],
    ids=["length of a chunk", "words beside it", "nothing"],
)
def test_silence_is_what_gives_no_byte_of_the_body(
    wire, connect, monkeypatch, head, byte
):
    """
    The head of a chunk may come for ever, byte by byte.
    """
    monkeypatch.setattr(http, "READ_TIMEOUT_SECONDS", 0.2)
    server = wire(trickling(head, every=0.02, byte=byte))
    started = time.monotonic()

    with pytest.raises(ResponseLostError, match="did not respond in time"):
        read(connect(server.url()), server.url())

    assert time.monotonic() - started < 2


def test_what_is_not_wanted_is_not_waited_for(wire, connect):
    """
    Whoever stops in the middle of a body that is silent goes on at once, and leaves
    neither a thread nor a connection behind.
    """
    ended = threading.Event()

    def script(connection):
        connection.sendall(HEAD + b"Content-Length: 99\r\n\r\nbegin")
        if connection.recv(1) == b"":
            ended.set()

    server = wire(script)
    before = threading.active_count()
    with connect(server.url()).stream(server.url(), {}) as stream:
        assert b"begin" == next(stream.chunks)
        started = time.monotonic()

    assert time.monotonic() - started < 0.4
    assert ended.wait(2)
    assert before + 2 >= threading.active_count()


def test_stream_after_a_whole_body_uses_the_connection_again(wire, connect):
    """
    Small, large, and in chunks.
    """
    server = wire(
        answer(b"one"), CHUNKED + chunks(b"two", 1), answer(CONTENT), answer(b"four")
    )
    connected = connect(server.url())

    got = [read(connected, server.url()) for _ in range(4)]

    assert [b"one", b"two", CONTENT, b"four"] == got
    assert 1 == server.connections


def in_worker(work):
    """
    Do the work in a thread that looks for signals, and give what it returns or raises.
    """
    found = []

    def run():
        signals.enable_interrupts()
        try:
            found.append(work())
        except (KreaError, Interrupted) as exc:
            found.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


def test_stream_of_one_thread_after_another_uses_the_connection_again(wire, connect):
    server = wire(answer(b"content"))
    connected = connect(server.url())
    for _ in range(3):
        thread = threading.Thread(target=read, args=(connected, server.url()))
        thread.start()
        thread.join()
    assert 1 == server.connections


def test_streams_at_once_have_connections_of_their_own(wire, connect):
    server = wire(answer(b"content"))
    connected = connect(server.url())
    with (
        connected.stream(server.url(), {}) as first,
        connected.stream(server.url(), {}) as second,
    ):
        assert [b"content"] * 2 == [b"".join(each.chunks) for each in (first, second)]
    read(connected, server.url())
    assert 2 == server.connections


def test_stream_in_a_worker_starts_no_thread_on_a_kept_connection(wire, connect):
    server = wire(answer(CONTENT))
    connected = connect(server.url())

    def work():
        got = read(connected, server.url())
        before = threading.active_count()
        with connected.stream(server.url(), {}) as stream:
            counts = {threading.active_count() for _ in stream.chunks}
        return got, counts - {before}

    thread, found = in_worker(work)
    thread.join(5)

    assert [(CONTENT, set())] == found
    assert 1 == server.connections


@pytest.mark.parametrize(
    "script",
    [
        trickling(CHUNKED + b"5;", every=0.02, byte=b"a"),
        trickling(HEAD + b"Content-Length: 99\r\n\r\n", every=0.02, byte=b""),
        closing(HEAD + b"Content-Length: 9\r\n\r\nbegin"),
    ],
    ids=["trickling head of a chunk", "silent", "cut"],
)
def test_stream_in_a_worker_that_breaks_is_a_lost_response(
    wire, connect, monkeypatch, script
):
    monkeypatch.setattr(http, "READ_TIMEOUT_SECONDS", 0.2)
    server = wire(script)
    thread, found = in_worker(lambda: read(connect(server.url()), server.url()))
    thread.join(2)

    assert [ResponseLostError] == [type(exc) for exc in found]


@pytest.mark.parametrize(
    "head", [b"", HEAD + b"Content-Length: 99\r\n\r\nbegin"], ids=["headers", "body"]
)
def test_stream_in_a_worker_ends_soon_after_a_signal(wire, connect, monkeypatch, head):
    """
    It waits for bytes that never come, in the thread of no reader.
    """
    server = wire(trickling(head, every=0.02, byte=b""))
    thread, found = in_worker(lambda: read(connect(server.url()), server.url()))
    while not server.heard:
        time.sleep(0.01)
    monkeypatch.setattr(signals._State, "signum", 2)
    thread.join(0.6)

    assert [Interrupted] == [type(exc) for exc in found]
