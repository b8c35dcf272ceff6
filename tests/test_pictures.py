"""
The pictures in README are of today.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import pictures
import pytest

DATA = Path(__file__).parent / "data"
STATES = {"queued", "scheduled", "processing", "sampling", "completed"}


def words(svg):
    """
    What can be read in it, but for what differs from one run to the next: ids, times,
    how far a job is, and where lines end.
    """
    told = html.unescape(" ".join(re.findall("<text [^>]*>([^<]*)</text>", svg)))
    found = [word for word in told.split() if not re.search(r"\d|─", word)]
    return [word for word in found if word.strip("(),") not in STATES]


@pytest.mark.long
@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_picture_shows_what_krea_says(name, tmp_path):
    """
    Word for word, in a run of the program on a terminal.
    """
    today = pictures.drawn(pictures.PICTURES[name](tmp_path))
    shown = (DATA / name).read_text("utf-8")

    assert words(today) == words(shown)
    assert len(words(shown)) > 10


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_picture_asks_nobody(name):
    """
    Whoever looks at it fetches nothing from elsewhere.
    """
    shown = (DATA / name).read_text("utf-8")
    links = re.findall(r"""(?:href|src|url\()=?["']?([^"')]*)""", shown)

    assert not [link for link in links if not link.startswith("data:image/png;")]
    assert "@import" not in shown
