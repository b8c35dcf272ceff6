"""
Mistakes in the source of `krea batch`: all of them in one pass, each of them once.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from krea_cli.batch.item_requests import RequestBuilder

TABLE = "prompt\nan owl\na cat\n"
UNKNOWN = '[[pictures]]\nprompt = "an owl"\nmodel = "krea/nope"\noutput = "o.png"\n'
CIRCLE = """
prompt = "an owl"
output = "a.png"
image = "b.png"
[[pictures]]
prompt = "an owl"
output = "b.png"
image = "a.png"
"""


def mistakes(krea, manifest, *options, table=TABLE):
    """
    The lines about what is wrong with a manifest, with a table beside it.
    """
    Path("t.csv").write_text(table)
    Path("p.toml").write_text(manifest)
    result = krea("batch", "p.toml", "--dry-run", *options)
    assert (2, "") == (result.code, result.out)
    lines = re.findall(
        r"^(?:  |error: )(p\.toml, .*|t\.csv, .*)", result.err, re.MULTILINE
    )
    hints = re.findall(r"^hint: .*", result.err, re.MULTILINE)
    return lines + hints


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (
            'each = "t.csv"\noutput = "x.png"\naspect_ratio = "17:3"',
            ["t.csv, row 2 (and 1 more): aspect_ratio", "t.csv, row 3: Two items"],
        ),
        ('each = "no.csv"\nprompt = "{a}"\noutput = "{b}.png"', ["line 6: Cannot"]),
        ('each = 5\nprompt = "{a}"\noutput = "{b}.png"', ["line 6: each must"]),
        ('promt = "an owl"\noutput = "a.png"', ["line 6: Unknown key 'promt'"]),
        (
            'model = "krea/none"\npromt = "an owl"\noutput = "a.png"',
            ["Unknown model 'krea/none'", "Unknown key 'promt'"],
        ),
        ('prompt = "an owl"\noutput = 5', ["line 7: output must be text"]),
        ('prompt = "an owl"\nouput = "a.png"', ["line 7: Unknown key 'ouput'"]),
        (
            'prompt = "an owl"\nseed = "y"\noutput = "{seed}.png"',
            ["line 7: seed must be a whole number"],
        ),
        (
            'prompt = "an owl"\nmodel = 5\naspect_ratio = "1:7"\noutput = "a.png"',
            ["line 7: model must be text"],
        ),
        (
            'each = "t.csv"\nprompt = 5\noutput = "{index}.png"',
            ["line 7: prompt must be text"],
        ),
        (
            'model = "krea/none"\nprompt = "an owl"',
            ["line 5: An output name is needed", "line 6: Unknown model"],
        ),
        (
            CIRCLE,
            ["The items need each other"],
        ),
    ],
)
def test_batch_reports_mistakes_together_and_each_once(krea, group, expected):
    found = mistakes(krea, f"{UNKNOWN}[[pictures]]\n{group}\n")

    others = [line for line in found if "Unknown model 'krea/nope'" not in line]
    assert len(found) == len(others) + 1
    assert len(expected) == len(others), others
    for text in expected:
        assert any(text in line for line in others), others


def test_batch_reports_each_mistake_of_a_row(krea):
    found = mistakes(
        krea,
        '[[pictures]]\neach = "t.csv"\noutput = "{index}.png"\n',
        table="prompt,count,aspect_ratio\nan owl,many,17:3\n",
    )

    assert 2 == len(found)
    assert "aspect_ratio: must be" in found[0] + found[1]
    assert "count must be" in found[0] + found[1]


def test_batch_reads_no_file_outside_that_a_table_names(krea, monkeypatch):
    read = []

    def note(_, text, path):
        read.append((text, path))
        raise AssertionError

    monkeypatch.setattr(RequestBuilder, "_read", note)
    found = mistakes(
        krea,
        '[[pictures]]\neach = "t.csv"\noutput = "{index}.png"\n' + UNKNOWN,
        table="prompt,image\nan owl,../secret.png\n",
    )

    assert [] == read
    assert any("'../secret.png' is outside" in line for line in found)
    assert 2 == len(found)


@pytest.mark.parametrize(("names", "code"), [(("a", "b"), 9), (("b",), 2)])
def test_batch_dry_run_ends_like_the_run_if_inputs_are_missing(
    logged_in, service, photo, names, code
):
    Path("a.jpg").write_bytes(Path(photo).read_bytes())
    rows = "".join(f"{name},{name}.jpg\n" for name in names)
    Path("t.csv").write_text(f"name,image\n{rows}")
    batch = ("batch", "t.csv", "a watercolor", "-o", "{name}.png")

    planned = logged_in(*batch, "--dry-run")
    check = logged_in(*batch, "--check")
    made = logged_in(*batch)

    assert (code, 12, code) == (planned.code, check.code, made.code)
    assert "x\tb.png\tFile b.jpg does not exist." in planned.out
    assert re.search(
        "^(hint|error): .*b\\.jpg does not exist", planned.err, re.MULTILINE
    )
    assert re.search("^hint: .*b\\.jpg does not exist", check.err, re.MULTILINE)


def test_batch_of_a_table_with_a_field_that_the_model_lacks_says_it_once(krea):
    Path("t.csv").write_text("name,prompt,seed\na,an owl,3\n")

    result = krea("batch", "t.csv", "-o", "{name}.png", "--dry-run")

    assert 2 == result.code
    assert result.err.splitlines() == [
        "error: t.csv, row 2: seed: is not a field of google/nano-banana-pro.",
        "hint: Choose a model that has this field with -m, or remove the column.",
    ]


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ("", "Add aspect_ratio = ... below [[pictures]] or [defaults]."),
        ('[pictures.params]\naspectratio = "1:1"', "Add aspect_ratio = ... below"),
    ],
)
def test_batch_says_where_a_missing_field_goes(krea, values, hint):
    Path("p.toml").write_text(
        '[[pictures]]\nprompt = "an owl"\nmodel = "krea-2/large"\noutput = "a.png"\n'
        + values
    )

    result = krea("batch", "p.toml", "--dry-run")

    assert 2 == result.code
    assert hint in result.err


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x*.jpg", "No file matches 'x*.jpg'."),
        ("-", "Standard input is empty."),
    ],
)
@pytest.mark.parametrize("lock", [(), ("--lock", "x.lock")])
def test_batch_of_nothing_names_the_empty_source(krea, source, message, lock):
    result = krea("batch", source, "an owl", "-o", "{index}.png", *lock)

    assert 2 == result.code
    assert message in result.err
    assert "--lock is needed" not in result.err


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("topaz/astra", "1 to make. The price of topaz/astra is unknown.\n"),
        (
            "google/nano-banana-pro",
            "2 to make. Estimate: more than $0.15, as the price of topaz/astra is",
        ),
    ],
)
def test_batch_dry_run_says_which_price_is_unknown(krea, model, words):
    video = '[[pictures]]\nmodel = "topaz/astra"\nimage = "https://x.test/a.mp4"\n'
    video += 'output = "a.mp4"\nparams = { target_width = 640, target_height = 360 }\n'
    other = f'[[pictures]]\nprompt = "an owl"\nmodel = "{model}"\noutput = "b.png"\n'
    Path("p.toml").write_text(video + other * (model != "topaz/astra"))

    result = krea("batch", "p.toml", "--dry-run")

    assert words in result.err
