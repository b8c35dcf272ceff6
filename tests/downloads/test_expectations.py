from __future__ import annotations

import pytest
from downloads.test_result_checks import saved

from krea_cli import media
from krea_cli.api.models import SavedFile
from krea_cli.downloads.expectations import Expectation, check_possible, unmet
from krea_cli.errors import DownloadError, UsageError


def parsed(*words, is_blank=None):
    return [Expectation.parse(word, is_blank=is_blank) for word in words]


def film():
    return SavedFile(
        path="out.mp4", url="u", media_type="video/mp4", size_bytes=1, sha256="0"
    )


@pytest.mark.parametrize(
    ("word", "size", "found"),
    [
        ("aspect=16:9", (1024, 1024), "is 1024x1024 (ratio 1.00:1)"),
        ("aspect=16:9", (1376, 768), None),
        ("aspect=2.35:1", (2350, 1000), None),
        ("min-side=1024", (2000, 1023), "is 2000x1023"),
        ("min-side=1024", (2000, 1024), None),
        ("min-side=1", (None, None), "has an unknown size"),
        ("format=PNG", (9, 9), None),
        ("format=jpeg", (9, 9), "is png"),
    ],
)
def test_an_expectation_is_met_or_told(word, size, found):
    """
    One sentence for each, with what is there instead.
    """
    said = unmet(saved(*size), parsed(word))

    assert bool(found) == bool(said)
    for sentence in said:
        assert word in sentence
        assert f"out.png {found}" in sentence


@pytest.mark.parametrize("word", ["aspect=1:1", "min-side=1", "not-blank"])
def test_a_film_is_no_picture(word):
    """
    Nothing that is said of pictures is so of a film, but its kind.
    """
    [sentence] = unmet(film(), parsed(word, "format=mp4"))

    assert "out.mp4 is not an image" in sentence


def test_blank_is_looked_for_in_the_file():
    """
    What cannot be looked at is not known to be something else than blank.
    """

    def broken(path):
        raise DownloadError("The picture cannot be decoded: broken.")

    for is_blank, said in [
        (lambda path: path.name == "out.png", "is a single color."),
        (broken, "cannot be checked: The picture cannot be decoded: broken."),
    ]:
        [sentence] = unmet(saved(9, 9), parsed("not-blank", is_blank=is_blank))
        assert sentence.endswith(said)
    assert [] == unmet(saved(9, 9), parsed("not-blank", is_blank=lambda path: False))


@pytest.mark.parametrize(
    "word",
    [
        "",
        "blank",
        "not-blank=1",
        "aspect",
        "aspect=0:1",
        "aspect=wide",
        "min-side=0",
        "min-side=1k",
        "min-side=-5",
        "format=heic",
        "format=",
        "formt=png",
    ],
)
def test_what_is_no_expectation_is_refused(word):
    """
    With all that there are.
    """
    with pytest.raises(UsageError) as caught:
        parsed(word)

    assert "not-blank" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "saved_as", "kind"),
    [
        (["format=png"], media.WEBP, None),
        (["format=png", "format=jpg"], None, None),
        (["format=png"], None, "video"),
        (["aspect=1:1"], None, "audio"),
        (["not-blank"], media.MP4, None),
    ],
)
def test_what_no_result_can_meet_is_refused(words, saved_as, kind):
    """
    Before it is paid for.
    """
    with pytest.raises(UsageError, match="does not fit"):
        check_possible(parsed(*words), media=saved_as, kind=kind)


def test_what_a_result_may_meet_is_not_refused():
    """
    Also where nothing is known of it.
    """
    check_possible(parsed("format=jpg", "aspect=1:1"), media=media.JPEG, kind="image")
    check_possible(parsed("format=mp4"), media=None, kind="video")
    check_possible(parsed("not-blank", "format=png"), media=None, kind=None)
