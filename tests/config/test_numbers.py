from __future__ import annotations

import pytest

from krea_cli.config.numbers import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("1000000", 1_000_000),
        ("100b", 100),
        ("1k", 1000),
        ("500MB", 500_000_000),
        ("500 mb", 500_000_000),
        ("1.5g", 1_500_000_000),
        ("1KiB", 1024),
        ("2GiB", 2**31),
        ("0.5Mi", 2**19),
    ],
)
def test_a_size_is_so_many_bytes(text, size):
    """
    In thousands, or with an i in multiples of 1024.
    """
    assert size == parse_size(text)


@pytest.mark.parametrize(
    "text", ["", "0", "0.4", "-1", "1x", "MB", "1 TB", "1e9", "1,000", "9" * 400, "nan"]
)
def test_anything_else_is_refused_with_what_is_allowed(text):
    """
    Nothing is guessed.
    """
    with pytest.raises(ValueError, match="500MB"):
        parse_size(text)
