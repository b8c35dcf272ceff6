from __future__ import annotations

import pytest
from media.samples import unread

from krea_cli import media
from krea_cli.inputs.local_file import RemoteFile
from krea_cli.requests.request import Request

PHOTO = unread("photo.jpg", media.JPEG)
REMOTE = RemoteFile("https://a.test/x.jpg")


@pytest.fixture
def request_of(catalog):
    def make(**fields):
        return Request(model=catalog["image/google/nano-banana-pro"], fields=fields)

    return make


def test_a_body_has_urls_where_images_are(request_of):
    """
    However deep they stand; all else is as it was given, and the fields stay as they
    are for the next body.
    """
    fields = {
        "prompt": "a cat",
        "image_urls": [PHOTO, REMOTE],
        "styles": [{"url": PHOTO, "strength": 1}],
        "mask": REMOTE,
        "none": None,
    }
    request = request_of(**fields)

    assert {
        "prompt": "a cat",
        "image_urls": ["<photo.jpg>", "<https://a.test/x.jpg>"],
        "styles": [{"url": "<photo.jpg>", "strength": 1}],
        "mask": "<https://a.test/x.jpg>",
        "none": None,
    } == request.body(lambda image: f"<{image.name}>")
    assert fields == request.fields
    assert (PHOTO, REMOTE, PHOTO, REMOTE) == request.images


def test_the_first_image_is_what_the_model_works_on(catalog):
    """
    Its ratio, its name and its looks count, also when a style was given before it.
    """
    styles = [{"url": REMOTE, "strength": 1}]
    request = Request(
        model=catalog["image/z-image/z-image"],
        fields={"style_images": styles, "image_url": PHOTO},
    )

    assert (PHOTO, REMOTE) == request.images
    assert "photo.jpg" == request.source


@pytest.mark.parametrize(
    ("seed", "kept"),
    [(7, 7), (0, 0), (-1, -1), (7.5, None), ("7", None), (None, None), (2**63, None)],
)
def test_a_seed_is_a_number_that_can_be_kept(request_of, seed, kept):
    """
    For names of files and for the journal.
    """
    assert kept == request_of(seed=seed).seed


def test_without_a_seed_there_is_none(request_of):
    """
    The service then takes one of its own.
    """
    assert request_of(prompt="x").seed is None
