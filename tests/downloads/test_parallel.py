from __future__ import annotations

import threading

import pytest

from krea_cli.downloads import parallel
from krea_cli.downloads.parallel import AdaptiveLimit
from krea_cli.errors import ConnectionFailedError, DownloadError, ServerError


def entered(limit):
    """
    How many downloads may begin at this moment.
    """
    count = 0
    while limit._enter():
        count += 1
    for _ in range(count):
        limit._leave(halvings=limit._halvings)
    return count


def end(limit, error=None):
    try:
        with limit.slot():
            if error:
                raise error
    except type(error or KeyError()):
        pass


def test_limit_at_first_allows_the_most():
    assert 10 == entered(AdaptiveLimit(10))


@pytest.mark.parametrize("kind", [ServerError, ConnectionFailedError])
def test_limit_after_a_failure_of_the_host_is_halved(kind):
    limit = AdaptiveLimit(10)
    end(limit, kind("no"))
    assert 5 == entered(limit)
    for _ in range(9):
        end(limit, kind("no"))
    assert 1 == entered(limit)


def test_limit_after_a_result_that_is_none_stays():
    limit = AdaptiveLimit(10)
    end(limit, DownloadError("empty"))
    assert 10 == entered(limit)


def test_limit_after_failures_of_one_moment_is_halved_once():
    limit = AdaptiveLimit(8)
    first, second = limit.slot(), limit.slot()
    first.__enter__(), second.__enter__()
    for slot in (first, second):
        slot.__exit__(ServerError, ServerError("no"), None)
    assert 4 == entered(limit)


def test_limit_after_a_good_round_grows_by_one_up_to_the_most():
    limit = AdaptiveLimit(4)
    end(limit, ServerError("no"))
    end(limit)
    end(limit)
    assert 3 == entered(limit)
    for _ in range(99):
        end(limit)
    assert 4 == entered(limit)


def test_limit_when_a_download_ends_lets_the_next_begin_at_once(monkeypatch):
    monkeypatch.setattr(parallel, "_SIGNAL_CHECK_SECONDS", 60.0)
    limit, is_waiting = AdaptiveLimit(1), threading.Event()

    def download():
        is_waiting.set()
        with limit.slot():
            pass

    thread = threading.Thread(target=download, daemon=True)
    with limit.slot():
        thread.start()
        is_waiting.wait()
    thread.join(10)
    assert not thread.is_alive()
