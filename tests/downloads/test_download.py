from __future__ import annotations

import hashlib
from contextlib import contextmanager
from datetime import datetime

import pytest
from downloads import serving
from downloads.serving import ETAG, Server
from media.samples import SAMPLES, encoded, picture

from krea_cli.api.http import HttpTransport
from krea_cli.api.models import Job
from krea_cli.downloads.download_client import DownloadClient
from krea_cli.downloads.downloader import ResultDownloader
from krea_cli.downloads.output_options import MAX_BYTES
from krea_cli.downloads.output_target import FilenameFields, OutputTarget
from krea_cli.downloads.partial_download import PartialDownload
from krea_cli.downloads.publish import Publisher
from krea_cli.errors import DownloadError, ResponseLostError
from krea_cli.files.atomic_file import AtomicFile

PICTURE = encoded("PNG", picture((400, 300)))
OTHER = encoded("PNG", picture((400, 300), seed=8))
SIZE = len(PICTURE)


@pytest.fixture
def fetcher(time):
    transport = HttpTransport(
        "http://127.0.0.1",
        None,
        user_agent="krea-cli/test",
        trust_env=False,
        log=lambda _: None,
    )
    yield DownloadClient(transport, time.clock, allows_loopback=True)
    transport.close()


@pytest.fixture
def save(fetcher, time, tmp_path):
    """
    Saves what a server gives: the bytes on disk.
    """

    def run(server, **options):
        target = tmp_path / "out.png"
        placing = Publisher(force=True, quality=None, warn=None)
        given = {"fetch_job": None, "send": None, "publisher": placing} | options
        job = Job(job_id="j", status="completed", urls=(server.url,))
        results = ResultDownloader(
            fetcher, time.clock, OutputTarget.parse(str(target)), **given
        )
        naming = FilenameFields(time=datetime(2026, 11, 22).astimezone())
        [job] = results.save(job, naming, first=1, several=False)
        [file] = job.files
        content = target.read_bytes()

        assert hashlib.sha256(content).hexdigest() == file.sha256
        assert len(content) == file.size_bytes
        return content

    return run


def begun(fetcher, new):
    return PartialDownload(
        fetcher, new, max_bytes=MAX_BYTES, on_progress=lambda *_: None
    )


@contextmanager
def attempt(fetcher, folder, url):
    with AtomicFile(folder) as new:
        yield begun(fetcher, new).attempt(url)


def test_a_cut_result_is_gone_on_with(save):
    """
    From where it was cut, each time; no byte is sent twice.
    """
    with Server(PICTURE, cuts=[100_000, 50_000, 1]) as server:
        assert PICTURE == save(server)

    parts = [f"bytes={at}-" for at in (100_000, 150_000, 150_001)]
    assert [(None, None), *((part, ETAG) for part in parts)] == server.asked
    assert SIZE == server.sent


def test_a_result_without_a_length_is_gone_on_with_too(save):
    """
    That it was cut is known by its container.
    """
    with Server(PICTURE, cuts=[1000], declares=False) as server:
        assert PICTURE == save(server)

    assert [(None, None), ("bytes=1000-", ETAG)] == server.asked


@pytest.mark.parametrize(
    "answer",
    [
        serving.refuse,
        serving.another_start,
        serving.another_length,
        serving.another_version,
    ],
    ids=lambda answer: answer.__name__,
)
@pytest.mark.parametrize("declares", [True, False])
def test_a_rest_that_does_not_fit_is_not_taken(save, answer, declares):
    """
    The result is fetched from its start.
    """
    server = Server(PICTURE, cuts=[1000], answers=[answer], declares=declares)
    with server:
        assert PICTURE == save(server)

    assert [None, "bytes=1000-", None] == [wanted for wanted, _ in server.asked]


@pytest.mark.parametrize("length", [SIZE // 2, SIZE, SIZE + 5])
def test_a_result_that_changed_is_fetched_anew(save, length):
    """
    A server that looks at If-Range sends the new one whole, longer or shorter.
    """
    other = OTHER if length >= SIZE else encoded("PNG", picture((200, 150), seed=8))
    with Server(PICTURE, cuts=[SIZE - 9], answers=[serving.changed(other)]) as server:
        assert other == save(server)

    assert 2 == len(server.asked)


def test_a_new_version_is_gone_on_with_as_such(save):
    """
    When it is cut, too.
    """
    answers = [serving.changed(OTHER)]
    with Server(PICTURE, cuts=[1000, 2000], answers=answers) as server:
        assert OTHER == save(server)

    assert ("bytes=2000-", '"v2"') == server.asked[2]


@pytest.mark.parametrize("etag", ['W/"v1"', None, "v1"])
def test_without_a_strong_entity_tag_it_begins_anew(save, etag):
    """
    Nothing says that the rest is of the same file.
    """
    with Server(PICTURE, cuts=[1000, 1000], etag=etag) as server:
        assert PICTURE == save(server)

    assert [(None, None)] * 3 == server.asked


def test_four_attempts_are_all(save, tmp_path, time):
    """
    However much each of them brought.
    """
    with (
        Server(PICTURE, cuts=[1000] * 5) as server,
        pytest.raises(DownloadError, match="was lost"),
    ):
        save(server)

    assert ["bytes=1000-", "bytes=2000-", "bytes=3000-"] == [
        wanted for wanted, _ in server.asked[1:]
    ]
    assert ([], 3) == (list(tmp_path.iterdir()), len(time.slept))


def test_a_part_is_of_one_url(fetcher, tmp_path):
    """
    Another URL may stand for another file, whatever its entity tag says.
    """
    with Server(PICTURE, cuts=[1000]) as server, AtomicFile(tmp_path) as new:
        download = begun(fetcher, new)
        with pytest.raises(ResponseLostError):
            download.attempt(server.url)
        received = download.attempt(f"{server.url}?fresh")

    assert [(None, None)] * 2 == server.asked
    assert SIZE == received.size_bytes


def test_a_result_that_is_incomplete_on_the_server_is_fetched_once(save):
    """
    All that was declared has come, and the container has no end: another try would
    bring the same bytes.
    """
    with (
        Server(PICTURE[:-1]) as server,
        pytest.raises(DownloadError, match="incomplete on the server"),
    ):
        save(server)

    assert [(None, None)] == server.asked


def test_a_result_in_pieces_that_do_not_fit_is_fetched_as_a_whole(save):
    """
    Two answers may be of different files: only one that came at once is believed.
    """
    with (
        Server(PICTURE[:-1], cuts=[100_000]) as server,
        pytest.raises(DownloadError, match="incomplete on the server"),
    ):
        save(server)

    assert [(None, None), ("bytes=100000-", ETAG), (None, None)] == server.asked


def test_a_result_of_too_many_parts_is_fetched_once(save, monkeypatch):
    """
    Also where the server did not say how long it is.
    """
    monkeypatch.setattr("krea_cli.media.reader.MAX_PARTS", 100)
    crowd = PICTURE[:33] + (bytes(4) + b"teSt" + bytes(4)) * 100 + PICTURE[33:]
    with (
        Server(crowd, declares=False) as server,
        pytest.raises(DownloadError, match="too many parts"),
    ):
        save(server)

    assert 1 == len(server.asked)


@pytest.mark.parametrize("wrong", [-1, 1, 1000])
def test_a_wrong_length_makes_no_wrong_file(save, monkeypatch, wrong):
    """
    A server that declares less or more than it has.
    """
    send = serving.Handler.send_header

    def lie(handler, name, value):
        lies = name == "Content-Length" and int(value) == SIZE
        send(handler, name, str(int(value) + wrong) if lies else value)

    monkeypatch.setattr(serving.Handler, "send_header", lie)
    with Server(PICTURE) as server, pytest.raises(DownloadError):
        save(server)

    assert (1 if wrong < 0 else 4) == len(server.asked)


@pytest.mark.long
@pytest.mark.parametrize("declares", [True, False], ids=["declared", "undeclared"])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_cut_body_is_never_accepted(fetcher, tmp_path, sample, declares):
    """
    At twenty places, with its length and without.
    """
    size = len(sample.content)
    # None of them is where a frame of an MP3 or a block of a live WebM ends.
    cuts = [size * n // 20 + 1 for n in range(19)] + [size - 1]
    accepted = []
    with Server(sample.content, cuts=cuts, etag=None, declares=declares) as server:
        for cut in cuts:
            try:
                with attempt(fetcher, tmp_path, server.url):
                    accepted.append(cut)
            except (ResponseLostError, DownloadError):
                pass
        with attempt(fetcher, tmp_path, server.url) as received:
            pass

    assert ([], 21) == (accepted, len(server.asked))
    assert (sample.media, size) == (received.media, received.size_bytes)
    assert [] == list(tmp_path.iterdir())
