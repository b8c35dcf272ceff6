"""
What --prune may delete, and what it never does.
"""

from __future__ import annotations

import os

import pytest
from batch.lines import file, line, sha256

from krea_cli.batch.lock import merged
from krea_cli.batch.prune import OF_ANOTHER, delete, prunable_files, without_files


@pytest.fixture
def saved(tmp_path):
    def make(name, text="result"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return file(name, sha256(text))

    return make


def faults(lines, folder, wanted=()):
    return {
        each.file.path: each.fault
        for each in prunable_files(lines, folder, wanted=wanted)
    }


def test_candidates_are_the_files_that_are_there(saved, tmp_path):
    lines = [line("out/a.png", files=[saved("out/a.png"), file("out/a-2.png")])]

    assert {"out/a.png": None} == faults(lines, tmp_path)


def test_delete_removes_an_unchanged_result(saved, tmp_path):
    result = saved("out/a.png")

    assert delete(result, tmp_path) is None

    assert not (tmp_path / "out/a.png").exists()


def test_changed_result_stays(saved, tmp_path):
    result = saved("a.png")
    saved("a.png", "by hand")

    assert {"a.png": "it has changed since it was saved"} == faults(
        [line("a.png", files=[result])], tmp_path
    )
    assert "it has changed since it was saved" == delete(result, tmp_path)
    assert (tmp_path / "a.png").exists()


def test_result_that_another_item_has_stays(saved, tmp_path):
    lines = [line("A.png", files=[saved("A.png")])]

    assert {"A.png": OF_ANOTHER} == faults(lines, tmp_path, ["a.png"])


def test_result_that_an_older_line_knows_too_can_go(saved, tmp_path):
    lines = [
        line("a.png", files=[file("a.png", "old")]),
        line("a.png", files=[saved("a.png")], job="job-2", record="r2"),
    ]

    assert {"a.png": None} == faults(lines, tmp_path)
    assert {"a.png": None} == faults(lines[::-1], tmp_path)


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "out/../../x"])
def test_file_outside_of_the_folder_stays(saved, tmp_path, name):
    secret = saved("secret.txt")
    folder = tmp_path / "project"
    folder.mkdir()
    found = file(name, secret.sha256)

    assert "it is outside of the folder" == delete(found, folder)
    assert (tmp_path / "secret.txt").exists()


def test_file_behind_a_link_stays(saved, tmp_path):
    saved("else/a.png")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path / "else")
    (folder / "b.png").symlink_to(tmp_path / "else/a.png")

    assert "a link leads to it" == delete(file("out/a.png", sha256("result")), folder)
    assert "it is a link" == delete(file("b.png", sha256("result")), folder)
    assert (tmp_path / "else/a.png").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_file_that_is_not_regular_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()

    assert "it is not a regular file" == delete(file("pipe.png"), tmp_path)
    assert "it is not a regular file" == delete(file("folder.png"), tmp_path)


@pytest.mark.parametrize(
    "at", ["2026-12-01T00:00:00Z", "2026-11-28T10:00:00Z", "2026-11-27T00:00:00Z"]
)
def test_line_without_files_wins_over_the_line_with_them(saved, at):
    before = line("a.png", files=[saved("a.png")])

    after = without_files(before, at)

    assert [after] == merged([before, after, before])
    assert before.usd == after.usd
