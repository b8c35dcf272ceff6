from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krea_cli.output.escape import (
    collapse_whitespace,
    escape_control_chars,
    safe_json,
    single_line,
)

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
# Text in which what is unsafe is not rare.
TEXT = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Zs"]),
    )
)


def acts(character):
    """
    Whether a terminal or its bidirectional algorithm would obey it, or hide it.
    """
    return (
        unicodedata.category(character) in ("Cc", "Cs")
        or unicodedata.bidirectional(character) in BIDI
        or character in "\u061c\u200e\u200f"
        or character in "\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2028\u2029"
        or character in "\u3164\ufeff\uffa0"
        or "\u2060" <= character <= "\u206f"
        or "\U000e0001" <= character <= "\U000e007f"
    )


@given(TEXT)
def test_safe_text_does_not_act(text):
    """
    No control character but newline and tab, no bidirectional control, no lone
    surrogate is left.
    """
    assert not [c for c in escape_control_chars(text) if acts(c) and c not in "\n\t"]


def test_no_character_that_acts_is_forgotten():
    """
    The whole of Unicode's first plane, where they all are.
    """
    text = "".join(map(chr, range(0x10000)))

    assert not [c for c in escape_control_chars(text) if acts(c) and c not in "\n\t"]


@given(TEXT)
def test_safe_text_stays_as_it_is(text):
    """
    Made safe twice is made safe once; what was harmless is untouched.
    """
    assert escape_control_chars(text) == escape_control_chars(
        escape_control_chars(text)
    )
    if not any(acts(c) and c not in "\n\t" for c in text):
        assert text == escape_control_chars(text)


@given(TEXT, st.integers(1, 60))
def test_a_limit_is_kept(text, limit):
    """
    Cut to so many characters, and marked as cut.
    """
    cut = escape_control_chars(text, limit)

    assert len(cut) <= limit
    assert cut == escape_control_chars(text) or cut.endswith("…")


@given(TEXT)
def test_unbroken_text_is_one_line_and_keeps_its_blanks(text):
    """
    No line break is left, and nothing else goes that `safe` lets stand.
    """
    assert "\n" not in single_line(text)
    assert len(escape_control_chars(text)) == len(single_line(text))
    assert single_line(text) == single_line(single_line(text))


@given(TEXT)
def test_one_line_has_single_blanks(text):
    """
    All white space between words is one blank, and none is around them.
    """
    line = collapse_whitespace(text)

    assert line == " ".join(line.split())
    assert line == collapse_whitespace(line)


def test_what_is_unsafe_is_shown():
    """
    Nothing is dropped: an escape says what stood there.
    """
    assert r"a\x1b[31mb\x9b\x202e" == escape_control_chars("a\x1b[31mb\x9b\u202e")


INVISIBLE = "\xad\u200b\u2060\u2063\u3164\ufeff\U000e0041"


@pytest.mark.parametrize("character", INVISIBLE)
def test_escape_of_an_invisible_character_shows_it(character):
    escaped = escape_control_chars(f"kr{character}ea")

    assert f"kr\\x{ord(character):02x}ea" == escaped
    text = json.dumps(f"kr{character}ea", ensure_ascii=False)
    assert safe_json(text).isascii()
    assert f"kr{character}ea" == json.loads(safe_json(text))


def test_escape_keeps_joined_emoji_and_persian_words():
    for text in ("\U0001f469\u200d\U0001f680", "\u0645\u06cc\u200c\u062e"):
        assert text == escape_control_chars(text)
