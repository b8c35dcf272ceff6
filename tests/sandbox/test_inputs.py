"""
The files that a request names: which URLs are taken, and what unusable ones do.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib

import pytest
from media.metadata.marked import heic
from PIL import Image
from sandbox.asking import Client, opened, picture

from krea_cli.sandbox.rendering import picture_size
from krea_cli.sandbox.server import Sandbox


@pytest.fixture
def other(tmp_path):
    """
    Another server on this machine, with a folder of its own.
    """
    with Sandbox(tmp_path / "other") as sandbox:
        client = Client(sandbox)
        yield client
        client.connection.close()


def data_uri(content):
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def finished(client, time, **body):
    job_id = client.submit(**body).json["job_id"]
    time.sleep(2)
    return client("GET", f"/jobs/{job_id}").json


def bomb():
    """
    A PNG whose header promises 50 000 x 50 000 pixels.
    """

    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


def test_data_uri_is_taken(client, time):
    """
    A picture inside the request is as good as an upload.
    """
    job = finished(client, time, image_urls=[data_uri(picture())])

    assert "completed" == job["status"]


def test_file_of_another_server_here_is_taken(client, time, other):
    """
    An http URL on loopback is fetched.
    """
    url = other.upload(picture()).json["image_url"]
    job = finished(client, time, image_urls=[url])

    assert "completed" == job["status"]


def test_krea_s_own_pictures_are_stood_for(client, time):
    """
    The URL of the guide works without a network: a built-in picture takes its place.
    """
    url = "https://s.krea.ai/logo-icon-black.jpg"
    job = finished(client, time, image_urls=[url], width=64, height=48)
    result = client("GET", job["result"]["urls"][0])

    assert (64, 48) == opened(result.content).size


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "https://s.krea.ai.example.com/a.png",
        "http://192.168.1.1/a.png",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.png",
        "http://[/a.png",
        "a.png",
        "data:image/png;base64,###",
        "data:no-comma",
    ],
)
def test_other_urls_are_refused_as_the_service_does(client, sandbox, url):
    """
    What is no upload, no data URI and not on this machine is 422, and nothing is kept.
    """
    answer = client.submit(image_urls=[url])

    assert (422, "Invalid asset URL") == (answer.status, answer.json["error"])
    assert ["image_urls[0]"] == [issue["path"] for issue in answer.json["issues"]]
    assert [] == list((sandbox.store.folder / "inputs").iterdir())


@pytest.mark.parametrize("path", ["/uploads/" + 36 * "0", "/nowhere", ""])
def test_url_that_gives_nothing_is_refused(client, other, path):
    """
    A loopback URL that does not answer 200 is 422, in the service's other words.
    """
    answer = client.submit(image_urls=[other.url + path])

    assert (422, "Input file rejected") == (answer.status, answer.json["error"])


def test_nobody_at_the_url_is_refused(client, tmp_path):
    """
    A port where nobody listens is 422 as well.
    """
    with Sandbox(tmp_path / "gone") as gone:
        url = gone.url
    answer = client.submit(image_urls=[f"{url}/a.png"])

    assert (422, "Input file rejected") == (answer.status, answer.json["error"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not a picture", "it is of an unknown kind"),
        (picture()[:-30], "it is damaged"),
        (picture()[:20], "it is damaged"),
        (picture(form="JPEG")[:100], "it is damaged"),
        (bomb(), "it has more than 67 megapixels"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "it is damaged"),
        (heic()[:-20], "it is damaged"),
        (b"RIFF\0\0\0\0WAVE" + bytes(40), "it is audio/wav"),
    ],
)
def test_unusable_picture_makes_a_job_that_fails(client, time, content, reason):
    """
    The request is taken, and the job ends as failed with the reason.
    """
    job = finished(client, time, image_urls=[data_uri(picture()), data_uri(content)])

    assert ("failed", None) == (job["status"], job["result"])
    assert "input_unreadable" == job["error"]["code"]
    assert f"image_urls[1] cannot be used: {reason}" in job["error"]["message"]


def test_video_field_wants_a_video(client, time):
    """
    A picture where a video belongs makes the job fail; a video does not.
    """
    film = b"\0\0\0\x18ftypisom" + bytes(40)
    model = "/generate/video/black-forest-labs/flux-video-edit"
    good = finished(client, time, model=model, start_video=data_uri(film))
    bad = finished(client, time, model=model, start_video=data_uri(picture()))

    assert ("completed", "failed") == (good["status"], bad["status"])
    assert "start_video cannot be used: it is image/png" in bad["error"]["message"]


def test_files_are_found_wherever_the_schema_has_them(client, time):
    """
    URLs in lists of objects count as well.
    """
    job = finished(
        client,
        time,
        model="/generate/image/krea/krea-2/large",
        aspect_ratio="1:1",
        resolution="1K",
        image_style_references=[{"url": data_uri(b"no picture")}],
    )

    assert "image_style_references[0].url" in job["error"]["message"]


def test_input_is_stored_once_and_not_in_the_job(client, sandbox):
    """
    A job's file stays small, however large its picture is.
    """
    noise = Image.effect_noise((200, 200), 90)
    file = io.BytesIO()
    noise.save(file, "PNG")
    uri = data_uri(file.getvalue())
    client.submit(image_urls=[uri, uri])
    [job] = (sandbox.store.folder / "jobs").iterdir()

    assert job.stat().st_size < 2000
    assert 1 == len(list((sandbox.store.folder / "inputs").iterdir()))


@pytest.mark.parametrize("side", [256, 300])
def test_a_grey_picture_of_sixteen_bits_is_sound(client, time, side):
    """
    Pillow cannot scale it down as it is.
    """
    file = io.BytesIO()
    Image.new("I;16", (side, side), 9999).save(file, "PNG")

    assert (
        "completed"
        == finished(client, time, image_urls=[data_uri(file.getvalue())])["status"]
    )


def test_a_heic_is_stood_for(client, time, tmp_path):
    """
    Nothing here decodes it: it is taken, and a picture of its shape stands for it.
    """
    job = finished(client, time, image_urls=[data_uri(heic())])
    path = tmp_path / "x.heic"
    path.write_bytes(heic())

    assert "completed" == job["status"]
    # It is held upright.
    assert (48, 64) == picture_size(path)
