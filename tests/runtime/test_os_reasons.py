"""
Tests of the reasons for what the operating system refuses.
"""

import os

import pytest

from krea_cli.runtime.os_reasons import reason_of


@pytest.mark.posix
@pytest.mark.parametrize(
    ("name", "kind"), [("", FileExistsError), ("below", NotADirectoryError)]
)
def test_reason_of_a_file_in_place_of_a_folder_speaks_of_it(tmp_path, name, kind):
    place = tmp_path / "taken"
    place.write_bytes(b"")

    with pytest.raises(kind) as caught:
        (place / name).mkdir()

    assert "folder" in reason_of(caught.value)


def test_reason_of_another_error_is_that_of_the_system():
    assert os.strerror(13) == reason_of(PermissionError(13, os.strerror(13)))
