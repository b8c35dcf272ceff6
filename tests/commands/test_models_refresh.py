from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
from service import answer, html, reset

from krea_cli.catalog.catalog import Catalog

ROUTE = "GET /openapi.json"
CATALOG = Catalog.bundled()
PRO = "image/google/nano-banana-pro"


@pytest.fixture
def spec():
    """
    An OpenAPI document that says what krea knows.
    """
    return {"paths": {f"/generate/{m.path}": operation(m) for m in CATALOG.models}}


def operation(model):
    points = [
        {"amount": p.amount, "dimensions": dict(p.dimensions)} for p in model.prices
    ]
    body = {"content": {"application/json": {"schema": deepcopy(model.schema)}}}
    return {
        "post": {
            "summary": model.name,
            "requestBody": body,
            "deprecated": model.deprecated,
            "x-krea-pricing": {
                "currency": "USD",
                "unit": "request",
                "price_points": points,
                "incomplete": model.prices_incomplete,
            },
        }
    }


@pytest.fixture
def online(krea, service):
    """
    The program with the address of a service, and without a token.
    """
    krea.env["KREA_API_URL"] = service.url
    return krea


@pytest.fixture
def refresh(online, service):
    """
    `krea models refresh`, answered with a document.
    """

    def run(spec, *flags):
        service.faults[ROUTE] = [answer(200, spec)]
        return online("models", "refresh", *flags)

    return run


def cached(krea):
    [found] = Path(krea.env["KREA_CACHE_DIR"]).glob("models-*.json")
    return found


def test_refresh_needs_no_token_and_sends_none(refresh, service, spec):
    """
    One request without Authorization; nothing changed is said, on standard error.
    """
    result = refresh(spec)
    [request] = service.seen

    assert (0, "") == (result.code, result.out)
    assert (
        "119 models as of 2026-10-09 (your list was from 2026-10-09): no changes.\n"
        == result.err
    )
    assert "Authorization" not in request.headers


def test_refresh_sends_no_token_that_is_there(online, refresh, service, spec):
    """
    What needs none gets none.
    """
    online.env["KREA_API_KEY"] = "5c1f2b7e:canary"
    refresh(spec)

    assert ["GET"] == [request.method for request in service.seen]
    assert "Authorization" not in service.seen[0].headers


@pytest.fixture
def news(spec):
    """
    A document with a model more, one less, and one of other fields and price.
    """
    paths = spec["paths"]
    paths["/generate/image/acme/cat-1"] = paths[f"/generate/{PRO}"]
    del paths["/generate/image/google/imagen-3"]
    large = paths["/generate/image/krea/krea-2/large"]["post"]
    fields = large["requestBody"]["content"]["application/json"]["schema"]["properties"]
    fields["mood"] = fields.pop("movement")
    large["x-krea-pricing"]["price_points"] = [{"amount": 0.5, "dimensions": {}}]
    return spec


def test_refresh_tells_each_change(refresh, time, news):
    """
    A line for what was added, removed, changed in fields and in price.
    """
    time.elapsed = 90 * 86400
    result = refresh(news)

    assert [
        "added\timage/acme/cat-1",
        "removed\timage/google/imagen-3",
        "fields\timage/krea/krea-2/large\t+mood -movement",
        "price\timage/krea/krea-2/large\t$0.06 to $0.07 -> $0.50",
    ] == result.out.splitlines()
    assert (
        "119 models as of 2026-12-20 (your list was from 2026-10-09): "
        "1 added, 1 removed, 1 with changed fields, 1 with a changed price.\n"
    ) == result.err


def test_refresh_as_json_is_an_object_for_each_change(refresh, news):
    """
    And nothing else.
    """
    result = refresh(news, "--json")
    found = {row["change"]: row for row in map(json.loads, result.out.splitlines())}

    assert (0, "") == (result.code, result.err)

    assert {"added", "removed", "fields", "price"} == set(found)
    assert {"added": ["mood"], "removed": ["movement"], "changed": []} == (
        found["fields"]["fields"]
    )
    assert [0.06, 0.065, 0.07] == [
        point["usd"] for point in found["price"]["price_usd"]["before"]["points"]
    ]
    assert "image/acme/cat-1" == found["added"]["path"]
    assert found["added"]["price_usd"]["before"] is None
    assert found["removed"]["price_usd"]["after"] is None


def test_refresh_for_a_person_is_a_table(online, refresh, news):
    """
    With the same, by the ids.
    """
    online.is_terminal = True
    result = refresh(news, "--color", "never")

    assert "added    acme/cat-1" in result.out
    assert "+mood -movement" in result.out


def test_what_was_fetched_is_in_force(online, refresh, news):
    """
    A model that krea did not come with can be asked for; at another service and in the
    sandbox it does not exist, nor does a second refresh find anything new.
    """
    refresh(news)
    second = refresh(news)
    request = online("generate", "a cat", "-m", "acme/cat-1", "--dry-run")
    live = online("models", "show", "cat-1", "--api-url", "https://api.krea.ai")
    gone = online("models", "show", "imagen-3")
    sandbox = online(
        "models", "show", "imagen-3", "--sandbox", env={"KREA_API_URL": ""}
    )

    assert "no change" in second.err
    assert (0, 2, 2, 0) == (request.code, live.code, gone.code, sandbox.code)


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (html(), 6, "got an HTML page"),
        (html(404), 2, "rejected the request (404)"),
        (answer(200, content=b'{"paths": {'), 6, "unreadable data"),
        (answer(200, {}), 6, "no models"),
        (answer(200, {"paths": {"/generate/image/a/b": {"post": {"x": 1}}}}), 6, "a/b"),
        (answer(401, {"message": "Unauthorized"}), 6, "denied access to its list"),
        (answer(200, content=b" " * (9 * 2**20)), 6, "more than 8 MiB"),
        (reset, 6, "was lost"),
    ],
    ids=["page", "404", "cut", "empty", "form", "401", "huge", "reset"],
)
def test_broken_document_leaves_the_good_one(
    online, refresh, service, spec, fault, code, said
):
    """
    One clear error, and what was fetched before stays in force.
    """
    refresh(spec)
    before = cached(online).read_bytes()
    service.faults[ROUTE] = [fault] * 9
    result = online("models", "refresh")

    assert (code, "") == (result.code, result.out)
    [error] = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert said in error
    assert before == cached(online).read_bytes()


def test_half_a_list_leaves_the_good_one(online, refresh, spec):
    """
    A service that lost its models does not take them from krea.
    """
    refresh(spec)
    before = cached(online).read_bytes()
    few = dict(list(spec["paths"].items())[:20])
    result = refresh({"paths": few})

    assert (6, "") == (result.code, result.out)
    assert "only 20 of the 119 known" in result.err
    assert before == cached(online).read_bytes()


def test_foreign_text_is_no_markup_and_moves_no_cursor(online, refresh, spec):
    """
    What a list of models says is shown as it is, never obeyed.
    """
    spec["paths"][f"/generate/{PRO}"]["post"]["summary"] = "[red]Cat\x1b[2J\u202e\n"
    refresh(spec)
    online.is_terminal = True
    shown = [online("models", *words) for words in (("list", "[red]"), ("show", PRO))]

    for result in shown:
        assert "[red]Cat\\x1b[2J" in result.out
        assert "\x1b[2J" not in result.out
        assert "\u202e" not in result.out


def test_refresh_of_the_sandbox_is_refused(krea):
    """
    It has no other models than those that krea came with.
    """
    result = krea("models", "refresh", "--sandbox")

    assert (2, "") == (result.code, result.out)
    assert "The sandbox uses the built-in list of models." in result.err
    assert not Path(krea.env["KREA_CACHE_DIR"]).exists()
