"""
Input files: what `POST /assets` takes and answers.
"""

from __future__ import annotations

import http.client
import socket
import time as real_time

import pytest
from sandbox.asking import BOUNDARY, picture

from krea_cli.api.models import Asset

FORM = f"multipart/form-data; boundary={BOUNDARY}"


def kept(sandbox):
    """
    The files that were taken, also those that are only begun.
    """
    return list((sandbox.store.folder / "inputs").iterdir())


def test_upload_is_answered_as_the_service_does(client):
    """
    The answer has the service's keys, and the URL gives the same bytes.
    """
    content = picture((80, 60), "JPEG")
    asset = client.upload(content).json
    file = client("GET", asset["image_url"])

    assert {
        "id": asset["id"],
        "image_url": f"{client.url}/uploads/{asset['id']}",
        "uploaded_at": "2026-09-21T14:13:20.000000Z",
        "width": 80,
        "height": 60,
        "size_bytes": len(content),
        "mime_type": "image/jpeg",
    } == asset
    assert asset == client("GET", f"/assets/{asset['id']}").json
    assert (content, "image/jpeg") == (file.content, file.headers["Content-Type"])
    assert asset["image_url"] == Asset.from_json(asset).url


def test_description_is_kept(client):
    """
    The optional text of the form comes back.
    """
    asset = client.upload(picture(), description="Ein Fuchs 🦊").json

    assert "Ein Fuchs 🦊" == asset["description"]


def test_same_file_twice_is_two_uploads(client, sandbox):
    """
    Each upload has an id of its own; the bytes are kept once.
    """
    first, second = client.upload(picture()).json, client.upload(picture()).json

    assert first["id"] != second["id"]
    assert 1 == len(kept(sandbox))


@pytest.mark.parametrize(
    "content", [b"", b"plain text", b"<svg/>", b"GIF89a" + bytes(9)]
)
def test_other_kinds_of_file_are_refused(client, sandbox, content):
    """
    The kind is decided by the bytes, not by the name; nothing stays of a refusal.
    """
    answer = client.upload(content)

    assert (400, {"error": "Invalid file type or size"}) == (answer.status, answer.json)
    assert [] == kept(sandbox)


def test_file_above_the_limit_is_413(client, sandbox, monkeypatch):
    """
    A file that is too long is refused while it comes in, and nothing stays of it.
    """
    monkeypatch.setattr("krea_cli.sandbox.store.UPLOAD_LIMIT", 100_000)
    largest = client.upload(picture() + bytes(100_000 - len(picture())))
    longer = client.upload(picture() + bytes(100_001 - len(picture())))

    assert (200, 413) == (largest.status, longer.status)
    assert 1 == len(kept(sandbox))


def test_body_above_the_limit_is_413_unread(client, sandbox):
    """
    A declared length above 75 MB is refused at once, and the answer arrives.
    """
    answer = client("POST", "/assets", bytes(76 * 2**20), content_type=FORM)

    assert 413 == answer.status
    assert [] == kept(sandbox)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x--"),
        (FORM, b"no boundary anywhere"),
        (FORM, f"--{BOUNDARY}\r\nContent-Disposition: form-data".encode()),
        (FORM, f"--{BOUNDARY}\r\n\r\nno headers\r\n--{BOUNDARY}--".encode()),
        (FORM, f"--{BOUNDARY}--\r\n".encode()),
    ],
)
def test_form_that_is_none_is_400(client, sandbox, content_type, body):
    """
    A malformed form, or one without a file, is refused with the reason.
    """
    answer = client("POST", "/assets", body, content_type=content_type)

    assert (400, ["error"]) == (answer.status, list(answer.json))
    assert [] == kept(sandbox)


def test_part_of_another_name_is_no_file(client, sandbox):
    """
    Only the part called "file" is taken.
    """
    answer = client.upload(picture(), name="picture")

    assert (400, []) == (answer.status, kept(sandbox))


def test_client_that_breaks_off_leaves_nothing(client, sandbox):
    """
    Less than the declared length, and the connection closed: no file, no rest of one.
    """
    host, port = client.url[7:].split(":")
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=file\r\n\r\n".encode()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST /assets HTTP/1.1\r\nHost: {host}\r\nContent-Type: {FORM}\r\n"
            "Content-Length: 1000000\r\n\r\n".encode()
        )
        connection.sendall(head + picture() + bytes(200_000))
        wait(lambda: kept(sandbox))
    wait(lambda: not kept(sandbox))

    assert [] == kept(sandbox)


def test_upload_waits_for_permission(client):
    """
    A client that asks first, as curl does, is told to go on.
    """
    body = b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\n" + picture()
    body += b"\r\n--x--"
    host, port = client.url[7:].split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(
            f"POST /assets HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        permission = connection.recv(100)
        connection.sendall(body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()

    assert permission.startswith(b"HTTP/1.1 100 ")
    assert 200 == answer.status


def wait(condition):
    """
    Until the server, on its own thread, has come so far.
    """
    deadline = real_time.monotonic() + 5
    while not condition() and real_time.monotonic() < deadline:
        real_time.sleep(0.002)
