from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

import pytest
from conftest import png

from krea_cli.errors import InputError
from krea_cli.inputs import local_file
from krea_cli.inputs.input_files import check_file
from krea_cli.inputs.local_file import inline


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png())
    return check_file(path)


@pytest.fixture
def opened(monkeypatch):
    """
    The files that are opened from now on.
    """
    paths, open_ = [], Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, *args: paths.append(path) or open_(path, *args)
    )
    return paths


def test_inline_file_is_read_once_however_often_it_is_sent(photo, opened):
    leave = inline(lambda _: None)
    sent = {b"".join(leave(photo).data_uri()) for _ in range(3)}

    encoded = base64.b64encode(png())
    assert {b"data:image/png;base64," + encoded} == sent
    assert hashlib.sha256(png()).hexdigest() == photo.sha256
    assert [photo.path] == opened


def test_inline_file_that_is_large_is_not_kept(photo, opened, monkeypatch):
    monkeypatch.setattr(local_file, "_KEPT_BYTES", 10)
    leave = inline(lambda _: None)
    for _ in range(2):
        assert photo.data_uri_bytes == len(b"".join(leave(photo).data_uri()))

    assert 2 == len(opened)


def test_inline_file_that_changed_after_its_check_is_refused(photo):
    content = bytearray(png())
    content[len(content) // 2] ^= 1
    photo.path.write_bytes(content)
    os.utime(photo.path, ns=(0, 0))

    with pytest.raises(InputError, match="changed while"):
        inline(lambda _: None)(photo)
