from __future__ import annotations

import hashlib
from contextlib import contextmanager

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

PICTURE = png()
REMOTE = RemoteFile("https://a.test/x.jpg")
ROUTE = "POST /generate/"


class Client:
    """
    Takes every file; *uploaded* has name, type and content of each.
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
    Makes the uploads of a run; *found* is what lies behind every URL.
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
    assert ([], []) == (run._fetcher.asked, run._client.uploaded)


def test_a_refused_remote_image_is_fetched_and_uploaded(uploads):
    """
    Once in a run: the next jobs are given the new URL at once.
    """
    run = uploads()

    assert "https://k.test/1" == run.fresh_url_of(REMOTE)
    assert "https://k.test/1" == run.url_of(REMOTE)
    assert ([REMOTE.url], 1) == (run._fetcher.asked, len(run._client.uploaded))


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
