from __future__ import annotations

import time

import pytest

from krea_cli.api import streaming
from krea_cli.api.streaming import ReaderThread


def test_chunks_come_in_order_and_end():
    """
    However many there are.
    """
    chunks = [bytes([n % 256]) * 1000 for n in range(10_000)]

    assert chunks == list(ReaderThread(iter(chunks)))


def test_an_empty_body_has_no_chunks():
    """
    Its end is its beginning.
    """
    assert [] == list(ReaderThread(iter([])))


def test_what_the_source_raises_comes_after_what_it_gave():
    """
    So that what arrived is kept.
    """

    def broken():
        yield b"a"
        yield b"b"
        raise ConnectionResetError("reset")

    body = iter(ReaderThread(broken()))

    assert [b"a", b"b"] == [next(body), next(body)]
    with pytest.raises(ConnectionResetError, match="reset"):
        next(body)


def test_nothing_is_read_before_it_is_wanted():
    """
    The body of a redirect costs nothing.
    """
    taken = []
    body = ReaderThread(taken.append(n) or b"x" for n in range(3))
    chunks = iter(body)

    assert ([], False) == (taken, body.is_reading)
    assert b"x" == next(chunks)


def test_a_fast_source_waits_for_a_slow_reader(monkeypatch):
    """
    No more is kept in memory than the limit and a chunk.
    """
    monkeypatch.setattr(streaming, "MAX_PREFETCH_BYTES", 10_000)
    taken = []

    def source():
        for _ in range(1000):
            taken.append(1)
            yield bytes(1000)

    body = iter(ReaderThread(source()))
    next(body)
    until = time.monotonic() + 0.2
    while time.monotonic() < until and len(taken) < 100:
        time.sleep(0.01)

    assert len(taken) < 30
    assert 999 == len(list(body))


def test_a_stopped_reading_ends():
    """
    Also while it waits for its reader, so that no thread stays behind.
    """

    def source():
        while True:
            yield bytes(2**20)

    body = ReaderThread(source())
    next(iter(body))
    body.stop()
    body.join(5)

    assert not body.is_reading
