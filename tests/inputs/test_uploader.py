from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from functools import partial

import pytest
from conftest import png
from service import answer

from krea_cli.api.http_types import DownloadBody
from krea_cli.api.models import Asset
from krea_cli.errors import ConnectionFailedError, DownloadError, InputError
from krea_cli.inputs.input_files import check_file
from krea_cli.inputs.local_file import RemoteFile
from krea_cli.inputs.resolver import InputResolver
from krea_cli.inputs.upload_cache import UploadCache
from krea_cli.inputs.uploader import Uploader
from krea_cli.journal.database import Database
from krea_cli.runtime.worker_pool import WorkerPool

PICTURE = png()
REMOTE = RemoteFile("https://a.test/x.jpg")
ROUTE = "POST /generate/"


class Client:
    """
    Takes every file; `uploaded` has name, type and content of each.
    """

    def __init__(self):
        self.uploaded = []

    def upload(self, file, name, media_type):
        self.uploaded.append((name, media_type, b"".join(file.chunks())))
        return Asset(id="a", url=f"https://k.test/{len(self.uploaded)}")


class Fetcher:
    """
    Gives the same for every URL: bytes, or an error.
    """

    def __init__(self, found):
        self.found = found
        self.asked = []

    @contextmanager
    def open(self, url):
        self.asked.append(url)
        if isinstance(self.found, Exception):
            raise self.found
        yield DownloadBody(chunks=iter([self.found]), length=len(self.found))


@pytest.fixture
def memory(tmp_path, time):
    database = Database(tmp_path / "state")
    yield UploadCache(database, "service", now=time.wall)
    database.close()


@pytest.fixture
def images():
    images = InputResolver(lambda: None, allows_loopback=False)
    yield images
    images.close()


@pytest.fixture
def uploads(memory, images):
    """
    Makes the uploads of a run; `found` is what lies behind every URL.
    """

    def make(found=PICTURE):
        return Uploader(Client(), Fetcher(found), images, memory)

    return make


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "my secret.jpg"
    path.write_bytes(PICTURE)
    return check_file(path)


def test_a_file_is_uploaded_under_a_neutral_name(uploads, photo):
    """
    With the type that its bytes have.
    """
    run = uploads()

    assert "https://k.test/1" == run.url_of(photo)
    assert [("image-1.png", "image/png", PICTURE)] == run._client.uploaded


def test_the_same_content_is_uploaded_once(uploads, photo, tmp_path):
    """
    In a run, and in a later one of the same day, whatever it is called.
    """
    again = tmp_path / "again.png"
    again.write_bytes(PICTURE)
    first, second = uploads(), uploads()

    urls = {first.url_of(photo), first.url_of(check_file(again)), second.url_of(photo)}

    assert {"https://k.test/1"} == urls
    assert (1, 0) == (len(first._client.uploaded), len(second._client.uploaded))


def test_a_refused_upload_is_uploaded_anew(uploads, photo):
    """
    What the journal remembers may be gone; a URL of this run is fresh.
    """
    uploads().url_of(photo)
    run = uploads()

    assert "https://k.test/1" == run.url_of(photo)
    assert "https://k.test/1" == run.fresh_url_of(photo)
    assert 1 == len(run._client.uploaded)
    run.fresh_url_of(photo)
    assert 1 == len(run._client.uploaded)


def test_a_remote_image_is_left_where_it_is(uploads):
    """
    Nothing is fetched or uploaded.
    """
    run = uploads()

    assert REMOTE.url == run.url_of(REMOTE)
    assert ([], []) == (run._download_client.asked, run._client.uploaded)


def test_a_refused_remote_image_is_fetched_and_uploaded(uploads):
    """
    Once in a run: the next jobs are given the new URL at once.
    """
    run = uploads()

    assert "https://k.test/1" == run.fresh_url_of(REMOTE)
    assert "https://k.test/1" == run.url_of(REMOTE)
    assert ([REMOTE.url], 1) == (run._download_client.asked, len(run._client.uploaded))


@pytest.mark.parametrize(
    "error",
    [DownloadError("A private address."), ConnectionFailedError("Nobody.")],
)
def test_a_remote_image_that_cannot_be_fetched_is_told(uploads, error):
    """
    With its URL and the reason; nothing was sent that costs.
    """
    with pytest.raises(InputError) as caught:
        uploads(error).fresh_url_of(REMOTE)

    assert REMOTE.url in caught.value.message
    assert error.message in caught.value.message


def test_a_remote_image_that_is_none_is_refused(uploads):
    """
    A page, for example.
    """
    run = uploads(b"<html>")

    with pytest.raises(InputError, match=REMOTE.url):
        run.fresh_url_of(REMOTE)

    assert [] == run._client.uploaded


@pytest.fixture
def photos(tmp_path):
    """
    Twelve files of different content.
    """
    paths = [tmp_path / f"{number}.png" for number in range(12)]
    for number, path in enumerate(paths):
        path.write_bytes(png((8 + number, 8)))
    return [check_file(path) for path in paths]


class MeetingClient(Client):
    """
    Lets uploads end only when as many as `size` are under way; `most` is the number
    that was.
    """

    def __init__(self, size):
        super().__init__()
        self._meeting = threading.Barrier(size)
        self._lock, self._now, self.most = threading.Lock(), 0, 0

    def upload(self, file, name, media_type):
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self._meeting.wait(5)
        with self._lock:
            asset = super().upload(file, name, media_type)
            self._now -= 1
        return asset


@pytest.mark.parametrize("size", [1, 4])
def test_uploads_run_at_once_up_to_eight(uploads, photos, size):
    run = uploads()
    run._client = MeetingClient(size)

    run.prepare(photos)

    assert 12 == len(run._client.uploaded)
    assert 12 == len({name for name, _, _ in run._client.uploaded})
    assert size <= run._client.most <= 8


def test_uploads_of_different_files_do_not_wait_for_each_other(uploads, photos):
    """
    Also where several threads ask for one URL each.
    """
    run = uploads()
    run._client = MeetingClient(4)

    with WorkerPool(4) as pool:
        for file in photos[:4]:
            pool.start(partial(run.url_of, file))

    assert 4 == run._client.most


def test_uploads_of_one_content_happen_once_at_the_same_time(uploads, photo, tmp_path):
    """
    Under two names, in two threads and again.
    """
    again = tmp_path / "again.png"
    again.write_bytes(PICTURE)
    files = [photo, check_file(again), photo]
    run = uploads()

    assets = [asset.url for _, asset in run.upload_all(files)]
    run.prepare(files)

    assert ["https://k.test/1"] * 3 == assets
    assert 1 == len(run._client.uploaded)


def test_uploads_are_yielded_in_order_and_counted(uploads, photos):
    run, reports = uploads(), []

    found = [
        file.name
        for file, _ in run.upload_all(photos, lambda *counts: reports.append(counts))
    ]
    size = sum(file.size_bytes for file in photos)

    assert [file.name for file in photos] == found
    assert (12, 12, size, size) == max(reports)


def test_uploads_of_known_files_are_left_out(uploads, photos):
    """
    The upload cache has their URLs.
    """
    uploads().prepare(photos[:6])
    run = uploads()

    run.prepare(photos)

    assert 6 == len(run._client.uploaded)


def test_uploads_end_with_the_first_error_and_keep_the_others(uploads, photos):
    """
    Files that are uploaded are yielded; nothing begins after the error.
    """
    run = uploads()
    refuse, began = run._client.upload, []

    def upload(file, name, media_type):
        began.append(name)
        if len(began) == 3:
            raise ConnectionFailedError("Nobody.")
        return refuse(file, name, media_type)

    run._client.upload = upload
    found = []
    with pytest.raises(ConnectionFailedError):
        found.extend(run.upload_all(photos))
    found = len(found)

    assert len(run._client.uploaded) == len(began) - 1
    assert len(began) <= 3 + 8


def ask(logged_in, url, *words):
    return logged_in("generate", "a cat", "-i", url, "-o", "out.png", *words)


@pytest.mark.parametrize(
    ("reason", "words"),
    [("Invalid asset URL", ()), ("Input file rejected", ("--inline",))],
)
def test_a_url_that_the_service_refuses_is_brought_to_it(
    logged_in, service, reason, words
):
    """
    Fetched, uploaded, and the request sent once more: one job in the end; also where
    what is local stands in the request itself.
    """
    url = f"{service.url}/foreign/picture.png"
    service.faults["GET /foreign/"] = [answer(200, content=PICTURE, media="image/png")]
    service.faults[ROUTE] = [answer(422, {"error": reason})]

    result = ask(logged_in, url, *words)
    [upload] = service.store.folder.joinpath("inputs").glob("*")

    assert (0, "out.png\n") == (result.code, result.out)
    assert (2, 1, 1) == (
        len(service.requests(ROUTE)),
        len(service.requests("POST /assets")),
        service.bills,
    )
    assert hashlib.sha256(PICTURE).hexdigest() in upload.name


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/a.png", "https://169.254.169.254/a.png"]
)
def test_a_url_of_a_private_network_is_not_fetched(logged_in, service, url):
    """
    Refused by the service and by krea: exit 2 with the URL, nothing paid for.
    """
    service.faults[ROUTE] = [answer(422, {"error": "Invalid asset URL"})]

    result = ask(logged_in, url)

    assert (2, 0) == (result.code, service.bills)
    assert url in result.err
    assert "private address" in result.err
    assert 1 == len(service.requests(ROUTE))


def test_a_url_refused_for_another_reason_is_not_fetched(logged_in, service):
    """
    The request is at fault, and would be again.
    """
    service.faults[ROUTE] = [answer(422, {"error": "Unrecognized keys"})]

    result = ask(logged_in, f"{service.url}/foreign/picture.png")

    assert (2, 1) == (result.code, len(service.requests(ROUTE)))
    assert [] == service.requests("GET /foreign/")
