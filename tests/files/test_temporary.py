from __future__ import annotations

import os
import stat
import tempfile

import pytest

from krea_cli.errors import StorageError
from krea_cli.files import temporary
from krea_cli.files.temporary import MARKER, TemporaryFolder

OLD = (0, 0)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """
    The system's folder for temporary files.
    """
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def parent(place):
    return place / f"krea-cli-{os.getuid()}"


def left_by_a_killed_run(parent, name="run-old", *, is_old=True):
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "result").write_bytes(b"private")
    (folder / MARKER).touch()
    if is_old:
        os.utime(folder / MARKER, OLD)
    return folder


@pytest.mark.posix
def test_a_folder_is_private_and_leaves_nothing(place, parent):
    """
    Also when another run still has one beside it.
    """
    with TemporaryFolder() as first:
        with TemporaryFolder() as second:
            (second.path / "file").write_bytes(b"private")
            for folder in (parent, first.path, second.path):
                assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
                assert parent in (folder, folder.parent)

        assert [first.path] == list(parent.iterdir())
    first.close()

    assert [] == list(place.iterdir())


@pytest.mark.posix
def test_a_killed_run_is_cleaned_up_after_a_day(parent):
    """
    By the next run that needs a folder.
    """
    old = left_by_a_killed_run(parent)

    with TemporaryFolder() as folder:
        assert [folder.path] == list(parent.iterdir())
    assert not old.exists()


def test_nothing_else_is_removed(parent):
    """
    Not a run of today, not one that still goes on, and nothing without a marker.
    """
    left_by_a_killed_run(parent, "today", is_old=False)
    (left_by_a_killed_run(parent, "theirs") / MARKER).unlink()
    held = left_by_a_killed_run(parent, "held") / MARKER
    elsewhere = left_by_a_killed_run(parent.parent, "elsewhere")
    (parent / "link").symlink_to(elsewhere)
    linked = left_by_a_killed_run(parent, "linked marker")
    (linked / MARKER).unlink()
    (linked / MARKER).symlink_to(elsewhere / MARKER)
    (parent / "file").touch()
    before = set(parent.iterdir())

    with held.open() as file:
        temporary.try_lock(file.fileno())
        TemporaryFolder().close()

    assert before == set(parent.iterdir())
    assert (elsewhere / "result").exists()


def test_a_run_holds_its_own_folder(parent):
    """
    However old it is.
    """
    with TemporaryFolder() as first:
        os.utime(first.path / MARKER, OLD)
        TemporaryFolder().close()

        assert first.path.exists()


@pytest.mark.posix
@pytest.mark.parametrize("kind", ["link", "file", "another's"])
def test_a_place_of_somebody_else_is_not_used(parent, tmp_path, monkeypatch, kind):
    """
    Who made it could read and replace what is in there.
    """
    if kind == "link":
        (tmp_path / "theirs").mkdir()
        parent.symlink_to(tmp_path / "theirs")
    elif kind == "file":
        parent.touch()
    else:
        uid = os.getuid() + 1
        monkeypatch.setattr(temporary.os, "getuid", lambda: uid)
        (parent.parent / f"krea-cli-{uid}").mkdir()

    with pytest.raises(StorageError, match="not your folder") as caught:
        TemporaryFolder()

    assert "TMPDIR" in caught.value.hint
    assert kind != "link" or [] == list((tmp_path / "theirs").iterdir())


@pytest.mark.posix
def test_a_place_that_others_can_enter_is_closed(parent):
    """
    It is the user's own, made with another mode.
    """
    parent.mkdir(mode=0o777)
    parent.chmod(0o777)
    (parent / "file").touch()

    TemporaryFolder().close()

    assert 0o700 == stat.S_IMODE(parent.stat().st_mode)


@pytest.mark.posix
def test_a_place_without_locks_is_used_all_the_same(parent, monkeypatch):
    """
    And nothing there is taken for stale.
    """

    def flock(descriptor, operation):
        raise OSError

    monkeypatch.setattr(temporary.fcntl, "flock", flock)
    old = left_by_a_killed_run(parent)

    TemporaryFolder().close()

    assert [old] == list(parent.iterdir())
