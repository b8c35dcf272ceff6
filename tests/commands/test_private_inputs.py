"""
What the service receives of local files: pictures, and nothing about who made them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from media.metadata import marked
from media.metadata.marked import MARKED, PICTURES, WORD, opened
from media.samples import encoded
from PIL import Image


@pytest.fixture
def received(service):
    """
    Every file that the service was given, whatever way it came.
    """

    def read():
        return [
            path.read_bytes() for path in (service.store.folder / "inputs").iterdir()
        ]

    return read


@pytest.mark.parametrize("each", MARKED, ids=lambda each: each.name)
def test_an_upload_says_nothing_of_its_maker(logged_in, received, tmp_path, each):
    """
    No word of EXIF, place, XMP, IPTC, comments or previews arrives.
    """
    path = tmp_path / "photo"
    path.write_bytes(each.content)

    result = logged_in("upload", path)

    [content] = received()
    assert (0, "") == (result.code, result.err)
    assert WORD not in content
    if each in PICTURES:
        before, after = opened(each.content), opened(content)
        assert before.tobytes() == after.tobytes()
        assert before.getexif()[0x0112] == after.getexif()[0x0112]


@pytest.mark.parametrize(
    "way",
    [
        *("file", "-", "data", "field", "inline"),
        *("text", "json", "params", "replay", "inline text"),
    ],
)
def test_no_way_in_forgets_it(logged_in, received, tmp_path, way):
    """
    A file, standard input, a data URI, a file in a field, and within the request; a
    data URI as the text of a field, in JSON, and in the body of a sidecar.
    """
    path = tmp_path / "photo.png"
    path.write_bytes(marked.png())
    logged_in.stdin = marked.png()
    data = "data:," + "".join(f"%{byte:02x}" for byte in marked.png())
    (tmp_path / "params.json").write_text(json.dumps({"image_urls": [data]}))
    logged_in("generate", "a cat", "--no-preview", "--sidecar", "-o", "made.png")
    sidecar = json.loads(Path("made.png.json").read_text())
    sidecar["body"]["image_urls"] = [data]
    Path("made.png.json").write_text(json.dumps(sidecar))
    words = {
        "file": ("-i", path),
        "-": ("-i", "-"),
        "data": ("-i", data),
        "field": ("-p", f"image_urls=@{path}"),
        "inline": ("-i", path, "--inline"),
        "text": ("-p", f"image_urls={data}"),
        "json": ("-p", f"image_urls:={json.dumps([f' {data}'])}"),
        "params": ("--params", tmp_path / "params.json"),
        "inline text": ("-p", f"image_urls={data}", "--inline"),
    }
    command = ("replay", "made.png.json") if way == "replay" else ("generate", "a cat")

    result = logged_in(*command, *words.get(way, ()), "--no-wait")

    [content] = received()
    assert 0 == result.code
    assert WORD not in content
    assert opened(marked.png()).tobytes() == opened(content).tobytes()


@pytest.mark.parametrize(
    "words", [("upload",), ("generate", "a cat", "--no-wait", "-i")]
)
def test_metadata_is_sent_on_request(logged_in, received, tmp_path, words):
    """
    To the letter.
    """
    path = tmp_path / "photo.jpg"
    path.write_bytes(marked.jpeg())

    logged_in(*words, path, "--keep-metadata")

    assert [marked.jpeg()] == received()


def test_an_upload_is_remembered_by_what_was_sent(logged_in, service, tmp_path):
    """
    The same picture with other metadata is the same upload; with --keep-metadata it is
    another, as the one before does not have it.
    """
    for name, orientation in [("a.jpg", 3), ("b.jpg", 3), ("c.jpg", 8)]:
        content = marked.jpeg(orientation)
        extra = marked.segment(0xFE, name.encode())
        (tmp_path / name).write_bytes(content[:2] + extra + content[2:])

    def uploads(*words):
        logged_in("generate", "a cat", "--no-wait", "-i", *words)
        return len(service.requests("POST /assets"))

    assert 1 == uploads(tmp_path / "a.jpg")
    assert 1 == uploads(tmp_path / "b.jpg")
    assert 2 == uploads(tmp_path / "c.jpg")
    assert 3 == uploads(tmp_path / "a.jpg", "--keep-metadata")


@pytest.mark.parametrize(
    "words", [("upload",), ("generate", "a cat", "--no-wait", "-i")]
)
def test_too_large_is_refused_before_anything_is_sent(
    logged_in, service, tmp_path, words
):
    """
    With the size, and the option that helps.
    """
    path = tmp_path / "wide.png"
    path.write_bytes(encoded("PNG", Image.new("L", (20_000, 100))))

    result = logged_in(*words, path, "--json")

    error = json.loads(result.err)["error"]
    assert (2, []) == (result.code, service.seen)
    assert "20000x100" in error["message"]
    assert "--fit" in error["hint"]


@pytest.mark.parametrize(
    "words", [("upload",), ("generate", "a cat", "--no-wait", "-i")]
)
def test_fit_scales_down_and_says_so(logged_in, received, tmp_path, words):
    """
    The same kind of file, the same way up, without metadata, as large as is taken.
    """
    path = tmp_path / "wide.jpg"
    drawn = Image.new("L", (20_000, 100))
    path.write_bytes(encoded("JPEG", drawn, exif=marked.exif(8), comment=WORD))

    result = logged_in(*words, path, "--fit")

    [content] = received()
    with opened(content) as made:
        assert ("JPEG", (16_384, 81)) == (made.format, made.size)
        assert {0x0112: 8} == dict(made.getexif())
    assert 0 == result.code
    assert f"{path} is scaled down to 16384x81, " in result.err
    assert WORD not in content


def test_fit_may_keep_the_metadata(logged_in, received, tmp_path):
    """
    What is in EXIF stays there.
    """
    path = tmp_path / "wide.jpg"
    drawn = Image.new("L", (20_000, 100))
    path.write_bytes(encoded("JPEG", drawn, exif=marked.exif()))

    logged_in("upload", path, "--fit", "--keep-metadata")

    [content] = received()
    assert (16_384, True) == (opened(content).width, WORD in content)
