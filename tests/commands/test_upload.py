from __future__ import annotations

import json

from service import answer


def test_upload_tells_the_url_of_each_file(logged_in, service, photo):
    """
    One line a file in the order given; with --json the asset, with the name as given.
    """
    plain = logged_in("upload", photo, photo)
    told = json.loads(logged_in("upload", photo, "--json").out)

    assert 0 == plain.code
    assert 2 == len(plain.out.splitlines())
    assert plain.out.startswith(f"{service.url}/uploads/")
    assert (str(photo), "image/jpeg", 96, 64) == (
        told["file"],
        told["media_type"],
        told["width"],
        told["height"],
    )


def test_an_uploaded_file_is_not_uploaded_again_for_a_job(logged_in, service, photo):
    """
    What `upload` did is remembered.
    """
    logged_in("upload", photo)
    logged_in("generate", "a cat", "-i", photo, "--no-wait")

    assert 1 == len(service.requests("POST /assets"))


def test_every_file_is_checked_before_the_first_is_sent(logged_in, service, photo):
    """
    A file that cannot be used, or a URL, which needs no upload: exit 2, nothing sent.
    """
    missing = logged_in("upload", photo, "missing.png")
    url = logged_in("upload", photo, "https://example.com/a.png")

    assert (2, 2) == (missing.code, url.code)
    assert [] == service.seen


def test_a_file_from_standard_input(logged_in, photo):
    """
    "-" is what comes by the pipe.
    """
    logged_in.stdin = photo.read_bytes()

    assert 0 == logged_in("upload", "-").code


def test_an_answer_without_a_web_address_is_none(logged_in, service, photo):
    """
    What the service calls a URL is used and printed only if it is one.
    """
    service.faults["POST /assets"] = [
        answer(200, {"id": "a", "image_url": "::error::x"})
    ]

    result = logged_in("upload", photo)

    assert (6, "") == (result.code, result.out)


def test_a_file_that_changes_meanwhile_is_not_uploaded(logged_in, service, photo):
    """
    Otherwise another picture would be sent under its name for a day: all
    of it goes out but its end, so that the service has none.
    """
    second = photo.with_name("second.jpg")
    second.write_bytes(photo.read_bytes())

    def changing(handler):
        content = bytearray(second.read_bytes())
        content[len(content) // 2] ^= 1
        second.write_bytes(content)
        del service.faults["POST /assets"]
        handler.handle_route("POST", "/assets")

    service.faults["POST /assets"] = [changing]

    result = logged_in("upload", photo, second)

    assert (2, 1) == (
        result.code,
        result.out.count("https://") + result.out.count("http://"),
    )
    assert 1 == len(list(service.store.folder.joinpath("uploads").glob("*.json")))
    assert "changed while it was being read" in result.err
