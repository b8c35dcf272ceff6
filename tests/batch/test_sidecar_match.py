"""
Results that only their sidecars know.
"""

from __future__ import annotations

import json

import pytest
from batch.lines import sha256

from krea_cli.batch.item_requests import RequestBuilder
from krea_cli.batch.problems import Problems
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.batch.sidecar_match import SidecarMatcher
from krea_cli.inputs.resolver import InputResolver

MODEL = "image/google/nano-banana-pro"
ITEM = """
[[pictures]]
prompt = "an owl"
image = "a.png"
output = "owl.png"
"""


def sidecar(photo, **changes):
    return {
        "krea": "1.0.0",
        "job_id": "job-1",
        "service": "https://api.krea.ai",
        "path": MODEL,
        "body": {"prompt": "an owl", "image_urls": ["https://cdn.test/1"]},
        "inputs": [{"at": ["image_urls", 0], "path": "x/b.png", "sha256": photo}],
        "not_kept": [],
        "inline": False,
        "fit": False,
        "keep_metadata": False,
        "cost_usd": 0.15,
        "created_at": "2026-11-28T18:24:23.402555Z",
        "file": {
            "sha256": sha256("result"),
            "media_type": "image/png",
            "size_bytes": 6,
            "width": 1,
            "height": 1,
            "converted_from": None,
        },
        **changes,
    }


@pytest.fixture
def match(expand, catalog, photo, monkeypatch):
    """
    The line for an item of a manifest, with these changes of its sidecar.
    """
    monkeypatch.chdir(expand.folder)
    picture = expand.write("a.png", (expand.folder / photo).read_bytes())
    digest = ResultsOnDisk(expand.folder).sha256(picture.name)
    expand.write("owl.png", "result")

    def make(manifest=ITEM, data=None, **changes):
        found = json.dumps(data or sidecar(digest, **changes))
        expand.write("owl.png.json", found)
        reader = InputResolver(lambda: None, allows_loopback=False)
        builder = RequestBuilder(
            folder=expand.folder,
            find_model=lambda name: catalog.find(name or "google/nano-banana-pro"),
            read=reader.read,
            warn=lambda _: None,
        )
        planned = builder.plan(expand.manifest(manifest), Problems())
        reader.close()
        matcher = SidecarMatcher(
            disk=ResultsOnDisk(expand.folder),
            source="pictures.toml",
            service="https://api.krea.ai",
        )
        return matcher(planned[-1])

    return make


def test_sidecar_of_the_same_request_gives_a_line_for_the_lock(match):
    found = match()

    assert ("completed", "job-1", 0.15) == (found.state, found.job, found.usd)
    assert "2026-11-28T18:24:23Z" == found.at
    assert ["owl.png"] == [file.path for file in found.files]


@pytest.mark.parametrize(
    "changes",
    [
        {"service": "sandbox"},
        {"path": "image/google/nano-banana"},
        {"body": {"prompt": "a cat", "image_urls": ["https://cdn.test/1"]}},
        {"body": {"prompt": "an owl", "image_urls": ["x"], "resolution": "1K"}},
        {"inputs": []},
        {"inputs": [{"at": ["image_urls", 0], "path": "a.png", "sha256": "0"}]},
        {"inputs": [{"at": ["image_urls", 1], "path": "a.png", "sha256": "0"}]},
        {"not_kept": [["image_urls", 0]], "inputs": []},
        {"file": {"sha256": sha256("another")}},
        {"job_id": None, "cost_usd": "much"},
    ],
)
def test_sidecar_of_anything_else_gives_no_line(match, changes):
    assert match(**changes) is None


@pytest.mark.parametrize("text", [[], {}, "x", {"file": 3}])
def test_sidecar_that_is_none_gives_no_line(match, text):
    assert match(data=text or [0]) is None


def test_sidecar_of_a_request_for_the_output_of_another_item_fits(match, expand):
    first = '[[pictures]]\nprompt = "a photo"\noutput = "a.png"\n'

    assert match(first + ITEM).job == "job-1"
    expand.write("a.png", "another")
    assert match(first + ITEM) is None
