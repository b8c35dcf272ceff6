from __future__ import annotations

import pytest

from krea_cli.cli.command_tree import COMMANDS
from krea_cli.config.settings import KEYS
from krea_cli.runtime.nearest_words import nearest_words


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("genrate", COMMANDS, "generate"),
        ("statsu", COMMANDS, "status"),
        ("wiat", COMMANDS, "wait"),
        ("down", COMMANDS, "download"),
        ("modle", KEYS, "model"),
        ("API-URL", KEYS, "api_url"),
        ("max", KEYS, "max_cost"),
        ("aspect", ["aspect-ratio", "expect"], "aspect-ratio"),
        ("4kk", ["1K", "2K", "4K"], "4K"),
        ("4", ["1K", "2K", "4K"], "4K"),
        ("16x9", ["4:3", "16:9", "9:16"], "16:9"),
        ("1080", ["720p", "1080p"], "1080p"),
    ],
)
def test_nearest_words_of_a_slip_finds_the_word(word, known, found):
    assert [found] == nearest_words(word, known)


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("balance", COMMANDS),
        ("upgrade", COMMANDS),
        ("frobnicate", COMMANDS),
        ("sa", COMMANDS),
        ("s", COMMANDS),
        ("", COMMANDS),
        ("foo", KEYS),
        ("node", KEYS),
        ("foo", ["color", "fit", "force"]),
        ("size", ["max-size"]),
        # A number is never another one.
        ("9K", ["1K", "2K", "4K"]),
        ("9:1", ["1:1", "9:16", "4:3"]),
        ("17:9", ["16:9", "1:1"]),
        # The beginning of several.
        ("image", ["image_url", "image_style_references"]),
    ],
)
def test_nearest_words_of_another_word_finds_nothing(word, known):
    assert [] == nearest_words(word, known)


def test_nearest_words_finds_no_more_than_asked():
    known = ["image_url", "image_urls", "image_style_references"]

    assert known[:2] == nearest_words("image_url", known, limit=2)
    assert ["image_url"] == nearest_words("imag_url", known)
