"""
Where results go and where inputs come from, by every way in which a user names it.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from conftest import png
from service import file

RESULT = "GET /results/"
POST = "POST /generate"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(params=["out", "out.png"])
def device(krea, request):
    link = Path(request.param)
    link.symlink_to("/dev/null")
    return link.absolute()


@pytest.fixture
def made(logged_in, time):
    job_id = logged_in("generate", "an owl", "--no-wait").out.strip()
    time.elapsed += 60
    return job_id


@pytest.mark.parametrize("words", [(), ("--force",)])
def test_a_link_to_a_device_is_found_before_anything_is_paid(
    logged_in, service, device, words
):
    """
    It would be replaced by a picture; --force is not the way out.
    """
    result = logged_in("generate", "an owl", "-o", device, *words)

    assert (7, "") == (result.code, result.out)
    assert f"{device} leads to a device" in result.err
    assert ": -o -" in result.err
    assert "--force" not in result.err
    assert device.is_symlink()
    assert [] == service.requests(POST)


@pytest.mark.parametrize("command", ["wait", "download"])
@pytest.mark.parametrize("words", [(), ("--force",)])
def test_a_link_to_a_device_is_not_replaced_by_a_result(
    logged_in, service, made, device, command, words
):
    """
    The same for jobs that are paid for.
    """
    result = logged_in(command, made, "-o", device, *words)

    assert 7 == result.code
    assert ": -o -" in result.err
    assert device.is_symlink()
    assert [] == service.requests(RESULT)


def test_a_setting_without_an_extension_is_a_folder(logged_in, home):
    """
    In the file and in the variable, also at home.
    """
    kept = logged_in("config", "set", "output", "~/Pics")
    first = logged_in("generate", "an owl")
    second = logged_in("generate", "an owl", env={"KREA_OUTPUT": "Pics"})

    assert [0, 0, 0] == [kept.code, first.code, second.code]
    assert home / "Pics" == Path(first.out.strip()).parent
    assert "Pics" == str(Path(second.out.strip()).parent)
    assert not Path("~").exists()


def test_a_name_without_an_extension_gets_one(logged_in):
    """
    And the user is told so, with the way to a folder.
    """
    result = logged_in("generate", "an owl", "-o", "owl")

    assert (0, "owl.png\n") == (result.code, result.out)
    assert "owl has no extension" in result.err
    assert "-o owl/" in result.err


def test_a_name_that_will_get_its_extension_may_be_taken(logged_in, service):
    """
    Found before anything is paid, as every other name.
    """
    Path("owl.png").write_bytes(b"theirs")

    result = logged_in("generate", "an owl", "-o", "owl")

    assert 7 == result.code
    assert "owl.png already exists" in result.err
    assert [] == service.requests(POST)


@pytest.mark.posix  # for the quotes of its shells
def test_a_missing_folder_at_home_is_named_whole(logged_in, home):
    """
    A hint to make a folder named ~ would be followed.
    """
    result = logged_in("generate", "an owl", "--output=~/new/a.png")

    assert 7 == result.code
    assert f"mkdir -p {home}/new" in result.err


def test_every_file_of_a_request_may_be_at_home(logged_in, service, home, photo):
    """
    Prompt, fields, images and sidecar.
    """
    (home / "a b.jpg").write_bytes(photo.read_bytes())
    (home / "prompt.txt").write_text("two owls")
    (home / "fields.json").write_text('{"prompt": "an owl"}')
    uri = f"file://{home}/a%20b.jpg"

    result = logged_in(
        *("generate", "--prompt-file", "~/prompt.txt", "--params", "~/fields.json"),
        *("-i", "~/a b.jpg", "-i", uri, "-o", "~/out.png", "--sidecar"),
    )
    fields = [f"image_urls=@{name}" for name in ("~/a b.jpg", uri)]
    by_field = logged_in("generate", "an owl", "-p", fields[0], "-p", fields[1])
    again = logged_in("replay", "~/out.png.json", "-o", "~/again.png")
    uploaded = logged_in("upload", "~/a b.jpg", uri)

    assert [0] * 4 == [x.code for x in (result, again, uploaded, by_field)]
    assert (home / "again.png").exists()
    assert not Path("~").exists()


@pytest.mark.posix
@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("generate", "an owl", "-i", "FIFO"), "-i -"),
        (("generate", "an owl", "-p", "image_urls=@FIFO"), "-p FIELD=@-"),
        (("upload", "FIFO"), "krea upload -"),
    ],
)
def test_a_pipe_is_refused_with_its_way_in(logged_in, service, words, hint):
    """
    As that of a shell's <(...), which can be read only once.
    """
    os.mkfifo("FIFO")

    result = logged_in(*words)

    assert 2 == result.code
    assert f"Pass it on standard input: {hint}\n" in result.err
    assert [] == service.requests(POST)


def test_a_result_that_nobody_here_can_save_is_told_with_its_url(logged_in, service):
    """
    Whole, and without a command that would do the same again.
    """
    service.faults[RESULT] = [file(b"8BPS\0\1" + bytes(99))]

    result = logged_in("generate", "an owl", "--json")

    assert 7 == result.code
    error = json.loads(result.err.splitlines()[-1])["error"]
    [url] = json.loads(result.out)["urls"]
    assert f"Download it with a browser: {url}" == error["hint"]


@pytest.mark.parametrize("encoding", ["aws-chunked", "identity,identity", "gzip"])
def test_a_result_with_a_content_encoding_is_saved(logged_in, service, encoding):
    """
    Whether it is one or not.
    """
    content = gzip.compress(png()) if encoding == "gzip" else png()
    service.faults[RESULT] = [file(content, **{"Content-Encoding": encoding})]

    result = logged_in("generate", "an owl", "-o", "a.png")

    assert 0 == result.code
    assert png() == Path("a.png").read_bytes()


def test_a_compressed_result_is_counted_as_it_is_saved(logged_in, service):
    """
    However small it is on its way.
    """
    content = gzip.compress(png() + bytes(2**20))
    service.faults[RESULT] = [file(content, **{"Content-Encoding": "gzip"})]

    result = logged_in("generate", "an owl", "-o", "a.png", "--max-size", "100kB")

    assert 7 == result.code
    assert "larger than 100,000 bytes" in result.err
    assert [] == list(Path().iterdir())


def test_a_name_that_is_taken_gets_no_extension(logged_in):
    """
    It means what has it, such as a link to a picture.
    """
    Path("owl").symlink_to("real.png")

    refused = logged_in("generate", "an owl", "-o", "owl")
    forced = logged_in("generate", "an owl", "-o", "owl", "--force")

    assert [7, 0] == [refused.code, forced.code]
    assert not Path("owl.png").exists()


def test_a_file_uri_in_a_field_is_uploaded(logged_in, service):
    """
    Nobody but krea can read it, so it never stands in a request.
    """
    Path("a b.png").write_bytes(png())
    uri = f"file://{Path.cwd()}/a%20b.png"

    made = logged_in("generate", "an owl", "-p", f"image_urls={uri}", "-o", "o.png")
    missing = logged_in("generate", "an owl", "-p", "image_urls=file:///none.png")

    assert [0, 2] == [made.code, missing.code]
    [job] = service.store.jobs()
    assert "file:" not in str(job)
