"""
Where images came from, as the journal keeps it.
"""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from media.metadata import marked


@pytest.fixture
def recorded(logged_in):
    """
    Sends a request, and gives what is kept of it.
    """

    def record(*words):
        made = logged_in("generate", "a cat", "--no-wait", *words)
        shown = logged_in("jobs", "show", "@last", "--json")
        assert (0, 0) == (made.code, shown.code)
        return json.loads(shown.out)["request"]

    return record


@pytest.mark.parametrize("way", [(), ("--inline",), ("--keep-metadata", "--fit")])
def test_a_file_is_known_by_what_the_user_has(recorded, tmp_path, way):
    """
    Its absolute path and the hash of its own bytes, however it was sent.
    """
    photo = tmp_path / "work" / "photo.jpg"
    photo.write_bytes(marked.jpeg())

    kept = recorded("-i", "photo.jpg", *way)

    digest = hashlib.sha256(marked.jpeg()).hexdigest()
    origin = {"at": ["image_urls", 0], "path": str(photo), "sha256": digest}
    assert [origin] == kept["inputs"]
    assert ["--inline" in way, "--fit" in way, "--keep-metadata" in way] == [
        kept[name] for name in ("inline", "fit", "keep_metadata")
    ]
    assert [] == kept["not_kept"]


def test_what_has_no_file_says_so(recorded, logged_in, photo):
    """
    Standard input and a data URI, without their bytes; a URL is its own origin, unless
    it must not be kept.
    """
    logged_in.stdin = photo.read_bytes()
    data = "data:image/jpeg;base64," + base64.b64encode(photo.read_bytes()).decode()
    words = ["-", data, "https://s.krea.ai/x.png", "https://s.krea.ai/x.png?canary=1"]

    kept = recorded(*[word for each in words for word in ("-i", each)])

    digest = hashlib.sha256(photo.read_bytes()).hexdigest()
    assert [
        ("-", digest),
        ("data:", digest),
        ("https://s.krea.ai/x.png", None),
        (None, None),
    ] == [(each["path"], each["sha256"]) for each in kept["inputs"]]
    assert "canary" not in json.dumps(kept)
