"""
Reading forms in chunks.
"""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox.asking import BOUNDARY, form_part

from krea_cli.sandbox.multipart import MultipartError, MultipartParser

END = f"--{BOUNDARY}--\r\n".encode()


def read(body, size):
    chunks = (body[i : i + size] for i in range(0, len(body), size))
    return [
        (part.name, b"".join(part.chunks)) for part in MultipartParser(chunks, BOUNDARY)
    ]


@given(
    contents=st.lists(
        st.binary(max_size=60)
        | st.sampled_from([b"\r\n--", b"\r\n--a-boundar", b"--a-boundary", b"\r\n" * 9])
    ),
    size=st.integers(1, 50),
)
def test_parts_come_back_whatever_the_chunks_are(contents, size):
    """
    Wherever the body is cut, each part has exactly its bytes, though they look like
    the beginning of a boundary.
    """
    parts = [(f"part{i}", content) for i, content in enumerate(contents)]
    body = b"".join(form_part(*part) for part in parts) + END

    assert parts == read(body, size)


def test_part_that_nobody_reads_is_skipped():
    """
    Going on to the next part passes over the rest of this one.
    """
    body = form_part("first", b"x" * 500) + form_part("second", b"y") + END
    chunks = (body[i : i + 7] for i in range(0, len(body), 7))

    assert ["first", "second"] == [
        part.name for part in MultipartParser(chunks, BOUNDARY)
    ]


def test_text_around_the_form_is_ignored():
    """
    A preamble and an epilogue are allowed, and blanks after a boundary.
    """
    part = form_part("a", b"1").replace(b"boundary\r\n", b"boundary \t\r\n", 1)

    assert [("a", b"1")] == read(b"preamble\r\n" + part + END + b"epilogue", 5)


@pytest.mark.parametrize("cut", [3, 20, 60, 90, 100])
def test_body_that_ends_early_is_an_error(cut):
    """
    Without the last boundary, nobody takes the part for whole.
    """
    body = form_part("file", b"x" * 30, filename="a") + END

    with pytest.raises(MultipartError, match="too early"):
        read(body[:-cut], 16)


@pytest.mark.parametrize(
    "body",
    [
        f"--{BOUNDARY}text\r\n\r\n".encode() + END,
        f"--{BOUNDARY}\r\n".encode() + b"x" * 20_000,
        f"--{BOUNDARY}\r\n\r\ncontent\r\n".encode() + END,
    ],
)
def test_malformed_part_is_an_error(body):
    """
    Text after a boundary, endless headers and no headers are refused.
    """
    with pytest.raises(MultipartError):
        read(body, 512)


def test_memory_does_not_grow_with_the_file():
    """
    A part of 40 MB needs a few chunks of memory.
    """
    chunk = bytes(65536)

    def body():
        yield form_part("file", b"", filename="a")[:-2]
        for _ in range(640):
            yield chunk
        yield b"\r\n" + END

    tracemalloc.start()
    length = sum(
        len(piece)
        for part in MultipartParser(body(), BOUNDARY)
        for piece in part.chunks
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 640 * 65536 == length
    assert peak < 2**20
