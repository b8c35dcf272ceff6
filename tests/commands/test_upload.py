from __future__ import annotations

import json
import threading

from service import SandboxHandler, answer


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
    content = photo.read_bytes()
    files = [photo.with_name(f"{number}.jpg") for number in range(12)]
    for number, file in enumerate(files):
        file.write_bytes(with_number(content, number))
    last, lock = files[-1], threading.Lock()

    def changing(handler):
        with lock:
            last.write_bytes(with_number(content, 99))
        SandboxHandler.handle_route(handler, "POST", "/assets")

    # The last upload begins when others have ended.
    service.faults["POST /assets"] = [changing] * 12

    result = logged_in("upload", *files)

    assert 2 == result.code
    assert 11 == len(result.out.splitlines())
    assert 11 == len(list(service.store.folder.joinpath("uploads").glob("*.json")))
    assert "changed while it was being read" in result.err


def with_number(jpeg, number):
    """
    A JPEG with other bytes, of the same length, somewhere in its picture.
    """
    content = bytearray(jpeg)
    content[len(content) // 2] ^= number
    return bytes(content)


def four_that_meet(service, photo):
    """
    Return four files, each of whose uploads waits for the other three.
    """
    files = [photo.with_name(f"{number}.jpg") for number in range(4)]
    for number, file in enumerate(files):
        file.write_bytes(with_number(photo.read_bytes(), number))
    meeting = threading.Barrier(4)

    def wait(handler):
        meeting.wait(5)
        SandboxHandler.handle_route(handler, "POST", "/assets")

    service.faults["POST /assets"] = [wait] * 4
    return files


def test_upload_of_several_files_runs_at_once(logged_in, service, photo):
    """
    Each of four uploads waits for the other three; a file that is named twice is
    uploaded once.
    """
    files = four_that_meet(service, photo)

    result = logged_in("upload", *files, files[0])
    urls = [line.split("\t")[0] for line in result.out.splitlines()]

    assert 0 == result.code
    assert (5, 4) == (len(urls), len(set(urls)))
    assert urls[0] == urls[-1]
    assert 4 == len(service.requests("POST /assets"))


def test_generate_uploads_its_inputs_at_once(logged_in, service, photo):
    """
    All of them before the request is sent.
    """
    files = four_that_meet(service, photo)
    inputs = [word for file in files for word in ("-i", file)]

    result = logged_in(
        "generate", "a cat", "-m", "google/nano-banana-pro", *inputs, "--no-wait"
    )

    assert (0, 4, 1) == (
        result.code,
        len(service.requests("POST /assets")),
        service.bills,
    )
