"""
Folders, globs and all else that stands for a batch on the command line.
"""

from __future__ import annotations

import os

import pytest

from krea_cli.batch.sources import (
    from_cwd,
    locate,
    lock_path,
    with_file_names,
)
from krea_cli.errors import UsageError

NAMES = ["a b.jpg", "Ünï.PNG", "🦉.webp", "x.HEIC"]


def test_folder_has_an_item_for_each_image(expand):
    for name in [*NAMES, "notes.txt", ".hidden.jpg", "clip.mp4", "x.jpg/y.png"]:
        expand.write(f"photos/{name}", "x")

    items = expand("photos", prompt="a watercolour", output="out/{stem}.png")

    assert [
        ("photos/a b.jpg", "out/a b.png"),
        ("photos/x.HEIC", "out/x.png"),
        ("photos/Ünï.PNG", "out/Ünï.png"),
        ("photos/🦉.webp", "out/🦉.png"),
    ] == [(item.images[0], item.output) for item in items]
    assert {"a watercolour"} == {item.prompt for item in items}


def test_folder_leaves_out_results_that_lie_in_it(expand):
    for name in ("a.jpg", "a-w.png", "a-w-w.png", "b-old.png"):
        expand.write(f"photos/{name}", "x")
    expand.made = ("photos/b-old.png",)

    items = expand("photos", output="photos/{stem}-w.png")

    assert ["photos/a-w.png"] == [item.output for item in items]


def test_folder_without_images_is_an_error(expand):
    (expand.folder / "photos").mkdir()

    with pytest.raises(UsageError, match="has no image files"):
        expand("photos", output="out/{stem}.png")


def test_glob_matches_in_a_fixed_order_without_hidden_files(expand):
    for name in ("b.jpg", "a.jpg", "deep/c.jpg", ".d.jpg"):
        expand.write(f"photos/{name}", "x")

    items = expand("photos/**/*.jpg", output="out/{path}.png")

    assert ["out/photos/a.jpg.png", "out/photos/b.jpg.png"] == [
        item.output for item in items
    ][:2]
    assert "out/photos/deep/c.jpg.png" == items[2].output
    assert 3 == len(items)


def test_glob_characters_in_a_file_name_are_a_name(expand):
    expand.write("photos/[1].jpg", "x")

    [item] = expand.manifest(
        "[[pictures]]\neach = 'photos/[1].jpg'\noutput = 'out/{stem}.png'\n"
    )

    assert "out/[1].png" == item.output


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("none.toml", "none.toml not found.", "Name a .toml manifest"),
        ("rows.cvs", "rows.cvs not found.", "Did you mean 'rows.csv'?"),
        ("book.xlsx", "Cannot read .xlsx files.", "CSV UTF-8"),
        ("photo.jpg", "photo.jpg is one file", "krea generate PROMPT -i photo.jpg"),
        ("batch.yaml", "Cannot read batch.yaml as a batch.", "Name a .toml manifest"),
    ],
)
def test_source_of_no_kind_is_refused(tmp_path, name, message, hint):
    for each in ("rows.csv", "book.xlsx", "photo.jpg", "batch.yaml"):
        (tmp_path / each).touch()

    with pytest.raises(UsageError) as caught:
        locate(name, tmp_path)

    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("source", "sandbox", "expected"),
    [
        ("a.toml", False, "a.toml.lock"),
        ("a.csv", False, "a.csv.lock"),
        ("a.toml", True, "a.toml.sandbox.lock"),
        ("photos", False, "out/x/photos.lock"),
        ("photos", True, "out/x/photos.sandbox.lock"),
    ],
)
def test_lock_path_lies_beside_the_source_or_the_outputs(
    tmp_path, source, sandbox, expected
):
    (tmp_path / "a.toml").touch()
    (tmp_path / "a.csv").touch()
    (tmp_path / "photos").mkdir()

    found = lock_path(
        locate(source, tmp_path),
        None,
        "out/x/{stem}.png",
        cwd=tmp_path,
        sandbox=sandbox,
    )

    assert tmp_path / expected == found


@pytest.mark.parametrize("source", ["-", "*.jpg"])
def test_lock_path_of_no_file_must_be_given(tmp_path, source):
    found = locate(source, tmp_path)

    with pytest.raises(UsageError, match="--lock is needed"):
        lock_path(found, None, "o.png", cwd=tmp_path, sandbox=False)

    given = lock_path(found, "x.lock", "o.png", cwd=tmp_path, sandbox=False)
    apart = lock_path(found, "x.lock", "o.png", cwd=tmp_path, sandbox=True)

    assert (tmp_path / "x.lock", tmp_path / "x.sandbox.lock") == (given, apart)


def test_from_cwd_is_seen_from_the_folder_of_the_source(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.csv").touch()
    source = locate("jobs/a.csv", tmp_path)

    assert "../out/{name}.png" == from_cwd("out/{name}.png", source, tmp_path)
    assert "../out/" == from_cwd("out/", source, tmp_path)
    assert "/x/{name}.png" == from_cwd("/x/{name}.png", source, tmp_path)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("out", "out/{stem}.png"),
        ("out/", "out/{stem}.png"),
        (".", "{stem}.png"),
        ("out/x.png", "out/x.png"),
        ("out/{stem}", "out/{stem}"),
        ("", ""),
    ],
)
def test_output_of_a_folder_may_be_a_folder(tmp_path, output, expected):
    (tmp_path / "photos").mkdir()
    (tmp_path / "rows.csv").touch()
    folder, table = (locate(name, tmp_path) for name in ("photos", "rows.csv"))

    assert expected == with_file_names(output, folder, "png")
    assert output == with_file_names(output, table, "png")


@pytest.mark.parametrize(
    ("pattern", "lock"),
    [
        ("photos/*.jpg", "out/photos.lock"),
        ("a/b c/*.png", "out/b c.lock"),
        ("*.jpg", None),
        ("../*.jpg", None),
        ("photos/**/*.jpg", None),
        ("p*/a.jpg", None),
    ],
)
def test_lock_of_a_glob_is_called_like_its_only_folder(tmp_path, pattern, lock):
    def found():
        source = locate(pattern, tmp_path)
        return lock_path(source, None, "out/{stem}.png", cwd=tmp_path, sandbox=False)

    if lock is None:
        with pytest.raises(UsageError, match="--lock is needed"):
            found()
    else:
        assert tmp_path / lock == found()


@pytest.mark.posix
@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "pictures.toml"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_source_that_is_not_a_regular_file_is_an_error_at_once(expand, name, kind):
    path = expand.folder / name
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")

    with pytest.raises(UsageError, match=rf"Cannot read {name}: not a regular file\."):
        expand(name, output="{name}.png")
