from __future__ import annotations

import random
import re

import pytest

from krea_cli.catalog.pattern import compile_pattern

PIECES = ["a", "b", "[ab]", "[^a]", ".", "(a|b)", "(?:ab)", "\\d", "^", "$", "(a|)"]
REPEATS = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,1}", "{2,}"]


def test_search_finds_what_python_finds():
    rng = random.Random(7)
    compared = 0
    for _ in range(250):
        source = "".join(
            piece + ("" if piece in "^$" else rng.choice(REPEATS))
            for piece in rng.choices(PIECES, k=rng.randint(1, 4))
        )
        if rng.random() < 0.3:
            source = f"({source}){rng.choice(REPEATS)}|b$"
        pattern = compile_pattern(source)
        assert pattern is not None, source
        # To Python $ is also before a last line break.
        ours = re.compile(source.replace("$", r"\Z"), re.ASCII)
        for _ in range(12):
            text = "".join(rng.choices("ab1\n", k=rng.randint(0, 6)))
            assert bool(ours.search(text)) == pattern.search(text), (source, text)
            compared += 1

    assert 3_000 == compared


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        (r"^\d+x\d+$", "640x480", "640 x 480"),
        (r"^(1K|2K)$", "2K", "99K"),
        (r"^#[0-9a-fA-F]{6}$", "#00ffAA", "#00ffA"),
        (r"^[a-z0-9]+(?:-[a-z0-9]+)*$", "an-owl", "an--owl"),
        (r"^https?:\/\/", "http://a", "ftp://a"),
        (r"^[\w.-]+@[\w-]+\.[a-z]{2,}$", "a.b@c.de", "a.b@c.d"),
        (r"\u0041", "A", "a"),
    ],
)
def test_search_tells_good_from_bad(source, good, bad):
    pattern = compile_pattern(source)

    assert [True, False] == [pattern.search(good), pattern.search(bad)]


@pytest.mark.parametrize(
    "source",
    [
        *[r"(?=a)b", r"(a)\1", r"\bword", r"\p{L}", "a**", "(a", "a)", "[]"],
        *["a{3,1}", "(a{99}){99}", "(" * 60 + ")" * 60, "a" * 2000, r"[[a]]"],
        "(?<name>a)",
    ],
)
def test_compile_of_what_is_not_evaluated_returns_none(source):
    assert compile_pattern(source) is None


def test_search_takes_no_longer_for_a_pattern_that_stalls_python():
    pattern = compile_pattern("^(a+)+(a|aa)*$")

    assert not pattern.search("a" * 5_000 + "b")
