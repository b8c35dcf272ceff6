from __future__ import annotations

import json

import pytest

from krea_cli.catalog.catalog import Catalog

CATALOG = Catalog.bundled()


def lines(result):
    assert (0, "") == (result.code, result.err), result
    return [line.split("\t") for line in result.out.splitlines()]


def objects(result):
    assert (0, "") == (result.code, result.err), result
    return [json.loads(line) for line in result.out.splitlines()]


def test_list_has_a_line_for_each_model(krea):
    """
    Id, name, inputs, price and kind, in the order of the service; nothing else.
    """
    rows = lines(krea("models", "list"))

    assert [model.id for model in CATALOG.models] == [row[0] for row in rows]
    assert {5} == set(map(len, rows))
    assert [
        "google/nano-banana-pro",
        "Nano Banana Pro",
        "any number of images",
        "$0.15 to $0.30",
        "image",
    ] in rows
    assert [
        "kling/kling-1",
        "Kling 1.0 (deprecated)",
        "up to 1 image",
        "price unknown",
        "video",
    ] in rows
    assert ["topaz/astra", "Topaz Astra", "1 video", "price unknown", "enhance"] in rows
    assert [
        "recraft/recraft-v4.1-flash",
        "Recraft V4.1 Flash",
        "",
        "price unknown",
        "image",
    ] in rows
    assert [
        "xai/grok-imagine-2",
        "Grok Imagine 2.0",
        "up to 3 images",
        "from $0.042",
        "image",
    ] in rows


def test_list_on_a_terminal_has_kinds_and_short_prices_at_every_width(
    krea, monkeypatch
):
    krea.is_terminal = True
    for width in (60, 80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        shown = krea("models", "list", "--color", "never").out
        rows = [line.split("  ") for line in shown.splitlines()]
        cells = {row[0]: [c.strip() for c in row if c.strip()] for row in rows}

        assert "KIND" == cells["MODEL"][1]
        assert "enhance" == cells["topaz/hyperion"][1]
        # $0.0404 to $0.0494 and more: no request costs less than it says.
        assert "from $0.041" == cells["luma/uni-1"][-1]
        assert "unknown" == cells["topaz/hyperion"][-1]
        assert max(map(len, shown.splitlines())) <= width
    assert "$0.15 to $0.30" == cells["google/nano-banana-pro"][-1]


def test_list_sorted_by_price_begins_with_the_cheapest(krea):
    found = objects(krea("models", "list", "--sort", "price", "--json"))
    lowest = [(model["price_usd"] or {"min": None})["min"] for model in found]
    known = [price for price in lowest if price is not None]

    assert sorted(known) == lowest[: len(known)]
    assert "z-image/z-image" == found[0]["id"]


def test_list_sorted_by_name_is_in_order_of_the_ids(krea):
    ids = [row[0] for row in lines(krea("models", "list", "--sort", "name"))]

    assert sorted(model.id for model in CATALOG.models) == ids


def test_show_has_no_limits_that_only_machines_have(krea):
    """
    Nor the address of a file, which nobody types.
    """
    krea.is_terminal = True
    shown = krea("models", "show", "seedance-2-5", "--color", "never").out
    assert "9007199254740991" not in shown

    shown = krea("models", "show", "uni-1", "--color", "never").out
    assert "strength (a number" in shown
    assert "url" not in shown.lower()


def test_a_narrow_terminal_tells_what_is_deprecated(krea, monkeypatch):
    """
    Where there is no room for names, the mark stands behind the id.
    """
    monkeypatch.setenv("COLUMNS", "60")
    krea.is_terminal = True

    shown = krea("models", "list", "--color", "never").out

    assert "Kling" not in shown
    assert "kling/kling-1.5 (deprecated)  " in shown
    assert max(map(len, shown.splitlines())) <= 60


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["banana"], 5),
        (["BANANA pro"], 1),
        (["vendor/none"], 0),
        (["--kind", "3d"], 10),
        (["--kind", "enhance", "--takes-image"], 9),
        (["--takes-image"], 94),
        (["krea/", "--kind", "image"], 3),
    ],
)
def test_list_is_filtered(krea, words, count):
    """
    By a word in the id or the name, by kind, and by what -i can give; all must fit.
    """
    result = krea("models", "list", *words)

    assert count == len(result.out.splitlines())
    assert 0 == result.code


def test_nothing_found_is_said_and_no_error(krea):
    """
    Standard output is empty, so that a script counts none.
    """
    result = krea("models", "list", "zebra")

    assert (0, "", "No matching models.\n") == (result.code, result.out, result.err)


def test_unknown_kind_is_refused_with_the_known(krea):
    """
    A mistyped filter is no empty list.
    """
    result = krea("models", "list", "--kind", "pictures")

    assert 2 == result.code
    assert "'image', 'video', 'enhance', '3d', 'audio'" in result.err


def test_list_as_json_has_the_keys_of_the_contract(krea):
    """
    One object a line; a price that is not known is null.
    """
    found = {row["id"]: row for row in objects(krea("models", "list", "--json"))}

    assert {
        "id": "xai/grok-imagine-2-edit",
        "path": "image/xai/grok-imagine-2-edit",
        "name": "Grok Imagine 2.0 (edit)",
        "kind": "image",
        "inputs": [
            {
                "field": "image_urls",
                "media": "image",
                "min": 1,
                "max": 3,
                "required": True,
                "flag": "-i",
            }
        ],
        "price_usd": {
            "min": 0.042,
            "max": 0.063,
            "date": "2026-09-20",
            "incomplete": True,
        },
        "deprecated": False,
    } == found["xai/grok-imagine-2-edit"]
    assert found["openai/gpt-image-2"]["price_usd"] is None
    assert found["google/imagen-4"]["deprecated"]


def test_show_tells_all_of_a_model(krea):
    """
    A line for each thing, by which a script can find it.
    """
    rows = lines(krea("models", "show", "nano_banana-PRO"))

    assert ["id", "google/nano-banana-pro"] in rows
    assert ["kind", "image"] in rows
    assert ["input", "image_urls", "any number of images", "-i"] in rows
    assert ["field", "prompt", "required", "text of at least 3 characters"] in rows
    assert ["field", "resolution", '"1K"', '"1K", "2K" or "4K"'] in rows
    assert ["price", "$0.30", "resolution 4K", "2026-09-20"] in rows
    assert "example" == rows[-1][0]
    assert "-m google/nano-banana-pro -i photo.jpg -o out.png" in rows[-1][1]


def test_show_says_what_krea_fills_in_and_what_is_not_known(krea):
    """
    A required field that the image answers is automatic; a price that is not published
    is unknown; an item of a list is described.
    """
    rows = lines(krea("models", "show", "grok-imagine-2"))
    fields = {row[1]: row[2:] for row in rows if row[0] == "field"}

    assert "automatic" == fields["aspect_ratio"][0]
    assert "{strength: a number from -2 to 2, url?: a URL" in fields["style_images"][1]
    assert ["price", "price unknown", "otherwise", "2026-09-20"] in rows
    assert ["price", "price unknown", "", ""] in lines(krea("models", "show", "veo-3"))
    assert ["deprecated", "true"] in lines(krea("models", "show", "imagen-4-fast"))


@pytest.mark.posix  # for the quotes of its shells
def test_show_as_json_has_it_all(krea):
    """
    One object with the schema of each field, every price point and the example.
    """
    [found] = objects(krea("models", "show", "topaz/standard-enhance", "--json"))
    fields = {field["name"]: field for field in found["fields"]}

    assert [
        "id",
        "path",
        "name",
        "kind",
        "result_kind",
        "deprecated",
        "inputs",
        "fields",
        "aliases",
        "unchecked",
        "price_usd",
        "example",
    ] == list(found)
    assert {
        "name": "width",
        "required": True,
        "automatic": True,
        "allowed": "a number from 1 to 32000",
        "schema": {"type": "number", "minimum": 1, "maximum": 32000},
    } == fields["width"]
    assert {
        "date": "2026-10",
        "incomplete": False,
        "points": [{"usd": 0.1, "when": {}}],
    } == found["price_usd"]
    assert "-p 'model=Standard V2' -o out.png" in found["example"]


def test_show_of_no_model_names_the_nearest(krea):
    """
    A mistyped model is exit 2 with the right name.
    """
    result = krea("models", "show", "nano-bananna-pro")

    assert (2, "") == (result.code, result.out)
    assert "google/nano-banana-pro" in result.err


@pytest.mark.parametrize("words", [("list",), ("show", "nano-banana-pro")])
def test_nothing_is_asked_of_the_service(krea, service, words):
    """
    Both are offline, and need no token.
    """
    krea.env["KREA_API_URL"] = service.url

    assert 0 == krea("models", *words).code
    assert [] == service.seen


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "words", [("list",), ("show", "hyperion"), ("show", "grok-imagine-2")]
)
def test_person_gets_lines_that_fit(krea, monkeypatch, width, words):
    """
    Tables are no wider than the terminal, with ids and names of fields whole; only the
    example may be longer, to be copied.
    """
    monkeypatch.setenv("COLUMNS", str(width))
    krea.is_terminal = True
    result = krea("models", *words, "--color", "never")
    shown = result.out.splitlines()

    assert 0 == result.code
    assert not [
        line
        for line in shown
        if len(line) > width and not line.startswith("krea generate")
    ]
    if words == ("list",):
        firsts = {line.split()[0] for line in shown}
        assert {model.id for model in CATALOG.models} <= firsts
        assert "119 models" in result.out
    elif words[1] == "hyperion":
        assert "frame_interpolation_duplicate_sensitivity " in result.out
        assert '"prores-422-proxy",' in result.out
