from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest

from krea_cli.catalog import catalog, refresh
from krea_cli.catalog.catalog import Catalog
from krea_cli.errors import ExitCode, InvalidResponseError

BUNDLED = Catalog.bundled()
DOCUMENT = json.loads(Path(catalog.__file__).with_name("models.json").read_bytes())
PRO = "image/google/nano-banana-pro"
FLUX = "image/bfl/flux-1-dev"


@pytest.fixture
def document():
    return deepcopy(DOCUMENT)


def compared(document):
    return [
        (each.what, each.model.path, each.added, each.removed, each.changed)
        for each in refresh.compare_catalogs(BUNDLED, Catalog(document))
    ]


def spec(paths):
    schema = {
        "type": "object",
        "properties": {"prompt": {"type": "string"}},
        "additionalProperties": False,
    }
    body = {"content": {"application/json": {"schema": schema}}}
    return {"paths": {f"/generate/{p}": {"post": {"requestBody": body}} for p in paths}}


def test_same_catalog_has_no_changes(document):
    """
    A date alone, a name or another order is no change.
    """
    document["date"] = "2027-01-01"
    document["models"] = dict(reversed(document["models"].items()))
    document["models"][PRO]["name"] = "Nano Banana Professional"
    document["models"][PRO]["prices"]["date"] = "2027-01-01"
    document["models"][PRO]["prices"]["points"].reverse()

    assert [] == compared(document)


def test_models_that_came_and_went(document):
    """
    Each is one change, those that came first.
    """
    document["models"]["image/acme/cat"] = document["models"].pop(PRO)

    assert [
        ("added", "image/acme/cat", (), (), ()),
        ("removed", PRO, (), (), ()),
    ] == compared(document)


def test_fields_that_changed_are_named(document):
    """
    What came, what went, and what takes other values or became required.
    """
    schema = document["models"][PRO]["schema"]
    fields = schema["properties"]
    fields["mood"] = {"type": "string"}
    del fields["height"]
    fields["resolution"]["enum"].append("8K")
    schema["required"].append("aspect_ratio")

    assert [
        ("fields", PRO, ("mood",), ("height",), ("aspect_ratio", "resolution"))
    ] == compared(document)


def test_default_of_a_seed_is_no_change(document):
    """
    The service draws it anew for each document, so it would be news each time.
    """
    document["models"][FLUX]["schema"]["properties"]["seed"]["default"] = 7

    assert [] == compared(document)


@pytest.mark.parametrize(
    "prices",
    [
        None,
        {"points": [[0.15, {"resolution": "1K"}]], "date": "2026-09-20"},
        {"points": [[0.2, {}]], "date": "2026-09-20"},
    ],
)
def test_other_prices_are_a_change(document, prices):
    """
    Also when a price is no longer known.
    """
    del document["models"][PRO]["prices"]
    if prices:
        document["models"][PRO]["prices"] = prices

    assert [("price", PRO, (), (), ())] == compared(document)


def test_deprecation_is_a_change(document):
    """
    A model that is on its way out is told once, when it becomes so.
    """
    document["models"][PRO]["deprecated"] = True

    assert [("deprecated", PRO, (), (), ())] == compared(document)
    assert [] == list(refresh.compare_catalogs(*[Catalog(document)] * 2))


@pytest.mark.parametrize(
    ("today", "date"), [("2026-11-22", "2026-11-22"), ("1970-01-01", BUNDLED.date)]
)
def test_what_is_fetched_is_never_older_than_what_krea_came_with(today, date):
    """
    Else a refresh on a machine whose clock is behind would have no effect.
    """
    paths = [model.path for model in BUNDLED.models]

    found = refresh.build_replacement(spec(paths), BUNDLED, today=today)

    assert date == found.document["date"]


@pytest.mark.parametrize("count", [1, 59])
def test_half_a_list_is_refused(count):
    """
    A list that lost most of the models is a fault of the service, not news.
    """
    paths = [model.path for model in BUNDLED.models][:count]

    with pytest.raises(
        InvalidResponseError, match=f"only {count} of the 119 known"
    ) as caught:
        refresh.build_replacement(spec(paths), BUNDLED, today="2026-11-22")

    assert ExitCode.SERVICE == caught.value.exit_code


def test_more_than_half_a_list_is_news():
    """
    Models do go.
    """
    paths = [model.path for model in BUNDLED.models][:60]

    found = refresh.build_replacement(spec(paths), BUNDLED, today="2026-11-22")

    assert 60 == len(found.document["models"])


@pytest.mark.parametrize("document", [{}, {"paths": {}}, {"paths": {"/jobs": {}}}])
def test_other_documents_are_refused(document):
    """
    What is no list of models takes the place of none.
    """
    with pytest.raises(InvalidResponseError, match="no models"):
        refresh.build_replacement(document, BUNDLED, today="2026-11-22")
