"""
The paths that `krea batch` shows: as they are seen from the current folder, wherever
the source and its lock lie.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from krea_cli.files import atomic_file

TABLE = "name,prompt\na,an owl\nb,a cat\n"
OUTPUT = ("-o", "{name}.png")


@pytest.fixture
def table(krea):
    path = Path("mnt/t.csv")
    path.parent.mkdir()
    path.write_text(TABLE)
    return path


def outputs(result):
    return [line.split("\t")[1] for line in result.out.splitlines()]


def test_batch_of_the_current_folder_shows_outputs_without_its_name(
    logged_in, service, photo, monkeypatch
):
    Path("lead").mkdir()
    shutil.move(photo, "lead/photo.jpg")
    batch = ("batch", ".", "a watercolor", "-o", "out/{stem}.png")
    monkeypatch.chdir("lead")

    planned = logged_in(*batch, "--dry-run")
    made = logged_in(*batch)

    assert ["out/photo.png"] == outputs(planned)
    assert "out/photo.png\n" == made.out
    assert "saved out/photo.png" in made.err
    assert "lead/" not in planned.out + made.out + made.err


def test_batch_of_a_table_elsewhere_prints_paths_that_work_here(
    logged_in, service, table
):
    made = logged_in("batch", table, *OUTPUT)
    Path("a.png").rename("c.png")
    again = logged_in("batch", table, *OUTPUT)
    table.write_text(TABLE.replace("b,", "d,"))
    copied = logged_in("batch", table, *OUTPUT)

    assert {"a.png", "b.png"} == set(made.out.splitlines())
    assert "a.png\n" == again.out
    assert "copied d.png from b.png" in copied.err
    assert "d.png\n" == copied.out
    assert ".." not in made.err + again.err + copied.err


@pytest.mark.parametrize("name", ["b.png", "./b.png", "b.*", "../b.png"])
def test_batch_only_takes_what_is_shown_and_what_the_lock_has(
    logged_in, service, table, name
):
    made = logged_in("batch", table, *OUTPUT, "--only", name)
    again = logged_in("batch", table, *OUTPUT, "--again", name)

    assert "b.png\n" == made.out
    assert {"a.png", "b.png"} == set(again.out.splitlines())
    assert 3 == service.bills


def test_batch_json_names_outputs_from_here(logged_in, service, table):
    planned = logged_in("batch", table, *OUTPUT, "--dry-run", "--json")
    made = logged_in("batch", table, *OUTPUT, "--json")

    for result in (planned, made):
        found = [json.loads(line)["output"] for line in result.out.splitlines()]
        assert {"a.png", "b.png"} == set(found)


def test_batch_names_a_manifest_and_its_table_from_here(logged_in, service, table):
    Path("mnt/p.toml").write_text(
        '[[pictures]]\neach = "t.csv"\npromt = "x"\noutput = "{name}.png"\n'
    )
    table.write_text("name,prompt\na,an owl,b\n")

    result = logged_in("batch", "mnt/p.toml")

    assert "mnt/p.toml, line 3: " in result.err
    assert "mnt/t.csv, row 2: " in result.err


def test_batch_names_a_lock_that_cannot_be_read_from_here(logged_in, service, table):
    Path("locks/x.lock").mkdir(parents=True)

    result = logged_in("batch", table, *OUTPUT, "--lock", "locks/x.lock")

    assert "locks/x.lock: " in result.err


@pytest.mark.posix
def test_batch_names_a_folder_that_cannot_be_written_to_from_here(
    logged_in, service, table, monkeypatch
):
    def no_space(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic_file, "_open_new", no_space)
    Path("locks").mkdir()

    lock = ("--lock", "locks/x.lock")
    result = logged_in("batch", table, "-o", "out/{name}.png", *lock)

    assert (7, 0) == (result.code, service.bills)
    assert str(Path.cwd()) not in result.err


def test_batch_names_a_folder_as_output_as_it_was_given(logged_in, service, table):
    result = logged_in("batch", table, "-o", "out/")

    assert "'out/' is a folder" in result.err
    assert "-o 'out/{name}.png'" in result.err
