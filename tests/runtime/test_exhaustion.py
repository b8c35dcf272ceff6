"""
A machine that gives no more threads, open files or memory.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from types import SimpleNamespace

import httpx
import pytest

from krea_cli.runtime.exhaustion import exhausted_error
from krea_cli.runtime.worker_pool import WorkerPool


class NoThread(threading.Thread):
    def start(self):
        raise RuntimeError("can't start new thread")


def no_threads(monkeypatch):
    threads = SimpleNamespace(Thread=NoThread)
    monkeypatch.setattr("krea_cli.runtime.clock.threading", threads)


def no_files(monkeypatch):
    def connect(*_args, **_kwargs):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("socket.create_connection", connect)


def no_files_for_the_client(monkeypatch):
    def make(*_args, **_kwargs):
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    monkeypatch.setattr(httpx, "Client", make)


def no_memory(monkeypatch):
    def build(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr(httpx.Client, "build_request", build)


@pytest.mark.parametrize(
    ("exhaust", "limit"),
    [
        (no_threads, "the process limit is reached (ulimit -u)"),
        (no_files, "the open-file limit is reached (ulimit -n)"),
        (no_files_for_the_client, "the system-wide limit is reached"),
        (no_memory, "Out of memory"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_what_never_left_is_not_unconfirmed(
    logged_in, service, monkeypatch, exhaust, limit, count
):
    """
    Exit 6 with the name of the limit, as nothing was sent; and no record stays that
    would have to be recovered.
    """
    with monkeypatch.context() as patch:
        exhaust(patch)
        words = ("generate", "an owl", "-n", count, "-o", "owls/", "--json")
        result = logged_in(*map(str, words))

    error = json.loads(result.err.splitlines()[-1])["error"]
    assert (6, "exhausted") == (result.code, error["code"])
    assert limit in error["message"]
    assert "bug" not in result.err
    assert [] == service.requests("POST /generate")
    assert "" == logged_in("jobs", "list").out


@pytest.mark.parametrize(
    "failure",
    [MemoryError(), RuntimeError("can't start new thread"), OSError(errno.EMFILE, "x")],
    ids=["memory", "threads", "files"],
)
def test_a_limit_is_never_called_a_bug(krea, monkeypatch, failure):
    """
    Wherever it is reached.
    """

    def fail(*_):
        raise ValueError from failure

    monkeypatch.setattr("krea_cli.catalog.catalog.Catalog.bundled", fail)

    result = krea("models", "list", "--sandbox")

    assert 6 == result.code
    assert "bug" not in result.err


def test_an_error_of_another_kind_stays_a_bug():
    """
    A file that is missing, or a dictionary that changed, is no limit.
    """
    others = [OSError(errno.ENOENT, "x"), RuntimeError("no"), ValueError()]

    assert [None] * 3 == [exhausted_error(each) for each in others]


def test_fewer_threads_do_the_same_work(monkeypatch):
    """
    As many as there are; without a single one it is an error.
    """
    started = []

    class Few(threading.Thread):
        def start(self):
            if started:
                raise RuntimeError("can't start new thread")
            started.append(self)
            super().start()

    monkeypatch.setattr("krea_cli.runtime.worker_pool.threading.Thread", Few)
    done = []

    with WorkerPool(4) as crew:
        for number in range(9):
            crew.start(lambda number=number: done.append(number))

    assert list(range(9)) == sorted(done)
    with pytest.raises(RuntimeError), WorkerPool(4) as crew:
        crew.start(lambda: None)
