"""
The token in the words of others: whole, in parts, and in other spellings.
"""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krea_cli.runtime.redaction import forms, redact_bytes, redact_parts

TOKEN = "5c1f2b7e-77aa:canary/T0ken+9d8c"
ASCII = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E))


def b64(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "spelled",
    [
        TOKEN,
        TOKEN[:-1],
        f"Bearer {TOKEN[:17]}",
        TOKEN[5:13],
        TOKEN[-8:].upper(),
        b64(TOKEN),
        b64(f"Bearer {TOKEN}"),
        b64(f"u:{TOKEN}"),
        b64(f"us:{TOKEN[:-3]}"),
        base64.urlsafe_b64encode(f"Bearer {TOKEN}".encode()).decode(),
        TOKEN.encode().hex(),
        TOKEN.encode().hex().upper()[2:-2],
        TOKEN.replace("/", r"\/"),
        TOKEN.replace(":", "%3A")[:20],
        "".join(rf"\u{ord(char):04x}" for char in TOKEN[:9]),
        "".join(rf"\\x{ord(char):02x}" for char in TOKEN[:9]),
    ],
)
def test_no_part_of_a_token_is_left(spelled):
    """
    Cut, in base64 at each of its three alignments, in hex, or escaped.
    """
    clean = redact_parts(TOKEN, f"token <{spelled}> rejected\ud800 é")

    assert clean.startswith("token <")
    assert clean.endswith("> rejected\ud800 é")
    assert "***" in clean
    assert len(clean) < 40


@pytest.mark.parametrize(
    "text",
    ["", "canary", "Invalid token", TOKEN[3:10], "77AA 5c1f2b7 T0ken+9", b64("hello")],
)
def test_other_words_stay(text):
    """
    Fewer than eight characters of the token are nobody's secret.
    """
    assert text == redact_parts(TOKEN, text)


@settings(max_examples=40)
@given(
    ASCII.filter(lambda text: len(text) >= 8),
    st.text(max_size=20),
    st.text(max_size=20),
    st.data(),
)
def test_every_run_of_eight_is_found(token, before, after, data):
    """
    Wherever it begins, between any words.
    """
    first = data.draw(st.integers(0, len(token) - 8))
    part = token[first : first + 8]
    for spelled in (part, part.encode().hex(), b64(f"xy{token}")):
        if "\\" not in token and "%" not in token + before:
            assert spelled not in redact_parts(token, f"{before}{spelled}{after}")


@settings(max_examples=40)
@given(ASCII.filter(lambda text: len(text) >= 8), st.integers(0, 2))
def test_an_answer_without_a_token_is_still_json(token, depth):
    """
    Also where the token has quotes and backslashes, and in JSON within JSON.
    """
    content = json.dumps({"error": f"line\n{token}", "b": b64(f"Bearer {token}")})
    for _ in range(depth):
        content = json.dumps([content])

    clean = redact_bytes(token, content.encode())

    for _ in range(depth):
        [clean] = json.loads(clean)
    said = json.loads(clean)
    assert "***" in said["error"]
    assert token not in said["error"]
    assert b64(f"Bearer {token}") != said["b"]


def test_forms_have_each_alignment_and_hex():
    """
    What streams and requests are searched for.
    """
    for text in (TOKEN, f"Bearer {TOKEN}", f"u:{TOKEN}"):
        assert any(form in b64(text) for form in forms(TOKEN)[1:])
    assert TOKEN.encode().hex() in forms(TOKEN)


@pytest.mark.parametrize("text", [r"\\" * 2**17, TOKEN[:7] * 40_000, "a b " * 2**16])
def test_a_large_answer_is_searched_quickly(text):
    """
    A quarter of the largest answer takes a fraction of a second, also a hostile one.
    """
    began = time.process_time()

    redact_bytes(TOKEN, text.encode())
    redact_parts(TOKEN, text)

    assert time.process_time() - began < 0.4
