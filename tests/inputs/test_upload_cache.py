from __future__ import annotations

import pytest
from journal.recorded import DAY, bytes_of, rows

from krea_cli.inputs.upload_cache import UploadCache

SHA256 = "a" * 64
URL = "https://k.test/a"


@pytest.fixture
def memory(database, time):
    return UploadCache(database, "service", time.wall)


def test_an_upload_is_remembered_for_a_day(memory, database, folder, time):
    """
    At its service; how long the service keeps it is not documented.
    """
    memory.keep(SHA256, URL)

    assert URL == memory.url(SHA256)
    assert UploadCache(database, "other", time.wall).url(SHA256) is None
    time.elapsed = DAY - 1
    assert URL == memory.url(SHA256)
    time.elapsed = DAY + 1
    assert memory.url(SHA256) is None
    memory.keep("b" * 64, URL)
    assert [("b" * 64,)] == rows(folder, "SELECT sha256 FROM uploads")


def test_a_later_upload_replaces_the_first(memory):
    """
    The service may have refused the first.
    """
    memory.keep(SHA256, "https://k.test/old")
    memory.keep(SHA256, URL)

    assert URL == memory.url(SHA256)


@pytest.mark.parametrize("part", ["?X-Amz-Signature=canary", "#canary"])
def test_a_url_that_may_be_signed_is_not_remembered(memory, folder, part):
    """
    Nothing of it is on disk.
    """
    memory.keep("b" * 64, URL)
    memory.keep(SHA256, URL + part)

    assert memory.url(SHA256) is None
    assert b"canary" not in bytes_of(folder)


def test_before_the_first_upload_nothing_is_made(memory, folder):
    """
    To find out that nothing is known.
    """
    assert memory.url(SHA256) is None
    assert not folder.exists()
