from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krea_cli.api.models import Asset, Job, JobError, is_job_id

LEAVES = st.sampled_from(
    [None, True, 0, -1, 1e300, "", "words", "\ud800", "\x1b[2J", "../x", [], {}, [[]]]
)
FIELDS = st.sampled_from(
    ["job_id", "status", "created_at", "completed_at", "result", "error"]
)
NAMES = st.sampled_from(["urls", "url", "type", "error", "code", "message"])
INNER = LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(NAMES, LEAVES)
VALUES = INNER | st.lists(INNER, max_size=3) | st.dictionaries(NAMES, INNER)


def job(**fields):
    return Job.from_json(
        {
            "job_id": "3f1c2f66-0000-4000-8000-000000000000",
            "status": "completed",
            "created_at": "2026-11-22T00:00:00Z",
            "completed_at": None,
            "result": None,
            **fields,
        }
    )


def test_a_job_is_read_as_it_was_sent():
    """
    Id, status, times and URLs; what the API does not say is None.
    """
    read = job(result={"urls": ["https://gen.krea.ai/a.png"]})

    assert "3f1c2f66-0000-4000-8000-000000000000" == read.job_id
    assert ("completed", "2026-11-22T00:00:00Z") == (read.status, read.created_at)
    assert ("https://gen.krea.ai/a.png",) == read.urls
    assert (None, None, None, None) == (
        read.model,
        read.seed,
        read.error,
        read.cost_usd,
    )


def test_only_an_id_and_a_status_are_needed():
    """
    Every other field may be missing.
    """
    assert "queued" == Job.from_json({"job_id": "j1", "status": "queued"}).status


@pytest.mark.parametrize(
    ("sent", "status", "is_final", "is_known"),
    [
        ("completed", "completed", True, True),
        (" Failed\n", "failed", True, True),
        ("CANCELED", "cancelled", True, True),
        ("cancelled", "cancelled", True, True),
        ("intermediate-complete", "intermediate-complete", False, True),
        ("backlogged", "backlogged", False, True),
        ("aborted", "aborted", False, False),
        ("", "", False, False),
        ("😴", "😴", False, False),
    ],
)
def test_a_status_is_read_in_any_case(sent, status, is_final, is_known):
    """
    Both spellings of cancelled are one; a new word is kept and not taken for an end.
    """
    read = job(status=sent)

    assert (status, is_final, is_known) == (read.status, read.is_final, read.is_known)


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        (["https://a", "https://b"], ("https://a", "https://b")),
        ([{"type": "image", "url": "https://a"}], ("https://a",)),
        (
            [
                {"type": "preview", "url": "https://p"},
                {"type": "model", "url": "https://m"},
            ],
            ("https://m",),
        ),
        ([{"type": "preview", "url": "https://p"}], ("https://p",)),
        ({"front": "https://a", "back": "https://b"}, ("https://a", "https://b")),
        ({"image": ["https://a", "https://b"], "mask": []}, ("https://a", "https://b")),
        ({"a": "https://a", "b": [{"url": "https://b"}]}, ("https://a", "https://b")),
        ([], ()),
        ([""], ()),
        ({}, ()),
        (None, ()),
        ("https://a", ()),
        ([None, 5, {"url": None}, {"type": "model"}, ["https://a"]], ()),
    ],
)
def test_urls_have_three_shapes(urls, expected):
    """
    A list, a list of objects whose previews do not count beside a model, an object of
    names; what is none of these is no URL.
    """
    assert expected == job(result={"urls": urls}).urls


@pytest.mark.parametrize("result", [None, {}, [], "done", {"urls": None}])
def test_no_result_is_no_urls(result):
    """
    Missing, null and empty are one.
    """
    assert () == job(result=result).urls


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"error": "It broke"}, JobError(code="", message="It broke")),
        (
            {"error": {"code": "nsfw", "message": "Refused"}},
            JobError(code="nsfw", message="Refused"),
        ),
        ({"error": {"code": "nsfw"}}, JobError(code="nsfw", message="nsfw")),
        ({"result": {"error": "Inside"}}, JobError(code="", message="Inside")),
        ({"error": {}}, None),
        ({"error": ""}, None),
        ({"error": {"code": 5, "message": ["x"]}}, None),
        ({"error": None}, None),
    ],
)
def test_an_error_is_text_or_an_object(fields, error):
    """
    Also inside the result; without words it is none.
    """
    assert error == job(status="failed", **fields).error


@pytest.mark.parametrize(
    "job_id",
    [
        "../../etc/passwd",
        "a/b",
        "a?b=c",
        "a%2fb",
        "a\r\nX-Evil: 1",
        "a\n",
        "a b",
        "ü",
        "",
        ".",
        "x" * 10_000,
        None,
        5,
        ["j1"],
    ],
)
def test_an_id_that_could_mean_another_place_is_refused(job_id):
    """
    It goes into a URL and into file names.
    """
    with pytest.raises(ValueError, match="job_id"):
        job(job_id=job_id)


@pytest.mark.parametrize("status", [None, 5, ["queued"], {}, True])
def test_a_status_that_is_no_text_is_refused(status):
    """
    Nothing is guessed from it.
    """
    with pytest.raises(ValueError, match="status"):
        job(status=status)


def test_ids_as_the_service_makes_them():
    """
    UUIDs, and what tests and old services have.
    """
    assert is_job_id("3f1c2f66-0000-4000-8000-000000000000")
    assert is_job_id("job_1")


@settings(max_examples=80)
@given(st.dictionaries(FIELDS, VALUES), VALUES)
def test_any_body_is_a_job_or_one_error(changed, urls):
    """
    Whatever is in the fields: a job that can be told, or ValueError.
    """
    body = {"job_id": "j1", "status": "completed", "result": {"urls": urls}, **changed}
    try:
        read = Job.from_json(body)
    except ValueError:
        read = job()

    assert is_job_id(read.job_id)
    assert all(isinstance(url, str) and url for url in read.urls)
    assert list(read.urls) == json.loads(json.dumps(read.as_json()))["urls"]


def test_an_asset_is_its_url():
    """
    The id is of no use without it.
    """
    read = Asset.from_json({"id": "a1", "image_url": "https://app-uploads.krea.ai/a"})

    assert ("a1", "https://app-uploads.krea.ai/a") == (read.id, read.url)


@pytest.mark.parametrize("url", [None, "", 5, ["https://a"], "https://a\n", "\ud800"])
def test_an_asset_without_a_usable_url_is_refused(url):
    """
    It would be sent in a paid request.
    """
    with pytest.raises(ValueError, match="image_url"):
        Asset.from_json({"id": "a1", "image_url": url})


def test_what_the_service_says_is_cut():
    """
    No status, code or message fills a screen or a log; its URLs stay whole.
    """
    words = "x" * 100_000
    urls = ["https://gen.krea.ai/" + words]

    read = Job.from_json(
        {
            "job_id": "j1",
            "status": words,
            "created_at": words,
            "error": {"code": words, "message": words},
            "result": {"urls": urls},
        }
    )

    assert (60, 100, 2000) == (
        len(read.status),
        len(read.error.code),
        len(read.error.message),
    )
    assert (100, "…") == (len(read.created_at), read.error.message[-1])
    assert urls == list(read.urls)
