from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest

from krea_cli.catalog import cache, catalog
from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.openapi import dumps
from krea_cli.catalog.validation import find_violations
from krea_cli.errors import StorageError

LIVE, NAME = "https://api.krea.ai", "models-api.krea.ai.json"
BUNDLED = Catalog.bundled()
DOCUMENT = json.loads(Path(catalog.__file__).with_name("models.json").read_bytes())


def small(**changes):
    """
    A catalog of one model, by which it is known again.
    """
    path = "image/krea/krea-2/large"
    models = {path: DOCUMENT["models"][path]}
    return {**DOCUMENT, "date": "2027-01-01", "models": models, **changes}


def hostile(**keywords):
    """
    A catalog of one model, whose prompt has these keywords.
    """
    document = deepcopy(small())
    [model] = document["models"].values()
    model["schema"]["properties"]["prompt"] |= keywords
    return dumps(document).encode()


def put(folder, content):
    folder.joinpath(NAME).write_bytes(content)


@pytest.mark.parametrize("date", ["2027-01-01", BUNDLED.date])
def test_what_was_kept_is_in_force(tmp_path, date):
    """
    A refresh counts until krea comes with something newer.
    """
    folder = tmp_path / "home" / "cache"

    cache.store(folder, LIVE, dumps(small(date=date)))
    found = cache.load_newest(folder, LIVE)

    assert (date, 1) == (found.date, len(found.models))


def test_without_a_refresh_the_bundled_one_is_used(tmp_path):
    """
    Nothing is made in the cache folder by looking into it.
    """
    found = cache.load_newest(tmp_path / "cache", LIVE)

    assert (BUNDLED.date, 119) == (found.date, len(found.models))
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        dumps(small()).encode()[:-4],
        dumps(small(date="2026-10-08")).encode(),
        dumps(small(format=0)).encode(),
        json.dumps(small(date=None)).encode(),
        json.dumps(small(date=20270101)).encode(),
        json.dumps(small(models=[])).encode(),
        json.dumps(small(models={"image/a/b": {}})).encode(),
        json.dumps(small(models={"image/a/b": None})).encode(),
        json.dumps({"format": 1, "date": "2027-01-01"}).encode(),
        hostile(type=[1, [2]]),
        hostile(enum=[]),
        hostile(minLength=10**12),
        hostile(maximum=10**400),
        hostile(default=float("inf")),
        hostile(required=[{}]),
        dumps(small()).replace("[[0.06,", "[[true,").encode(),
        dumps(small()).replace("[[0.06,", f"[[{10**400},").encode(),
    ],
)
def test_what_cannot_be_used_is_passed_over(tmp_path, content):
    """
    A damaged file, an older one, or one of another format changes nothing.
    """
    put(tmp_path, content)

    assert 119 == len(cache.load_newest(tmp_path, LIVE).models)


def test_load_newest_with_a_slow_pattern_checks_it_in_time(tmp_path):
    put(tmp_path, hostile(pattern="^" + "[a-z]*" * 12 + "[0-9]$"))
    [model] = cache.load_newest(tmp_path, LIVE).models

    field = model.fields["prompt"]
    assert "pattern" in field
    assert find_violations(field, "a" * 2_000)


@pytest.mark.parametrize(
    "other",
    ["http://127.0.0.1:8787", "https://api.krea.ai:8443", "https://api.krea.ai.evil"],
)
def test_what_one_service_says_counts_at_no_other(tmp_path, other):
    """
    Its prices would lift the limit of --max-cost elsewhere.
    """
    cache.store(tmp_path, other, dumps(small()))

    assert 1 == len(cache.load_newest(tmp_path, other).models)
    assert 119 == len(cache.load_newest(tmp_path, LIVE).models)


def test_a_folder_in_its_place_is_passed_over(tmp_path):
    """
    Whatever stands there, krea works.
    """
    (tmp_path / NAME).mkdir()

    assert 119 == len(cache.load_newest(tmp_path, LIVE).models)


def test_one_that_cannot_be_written_leaves_the_former(tmp_path):
    """
    The file is whole or untouched, and nothing is left beside it.
    """
    cache.store(tmp_path, LIVE, dumps(small()))
    before = (tmp_path / NAME).read_bytes()

    with pytest.raises(UnicodeEncodeError):
        cache.store(tmp_path, LIVE, "{" * 100_000 + "é")

    assert before == (tmp_path / NAME).read_bytes()
    assert [NAME] == [path.name for path in tmp_path.iterdir()]


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    """
    A refresh that cannot be kept is a storage error that says what to set.
    """
    folder = tmp_path / "cache"
    folder.write_text("")

    with pytest.raises(StorageError, match="Cannot save") as caught:
        cache.store(folder, LIVE, dumps(small()))

    assert "KREA_CACHE_DIR" in caught.value.hint
