"""
Check results against --expect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from krea_cli.api.models import SavedFile
from krea_cli.downloads.result_checks import TOLERANCE, ratio_of
from krea_cli.errors import DownloadError, UsageError
from krea_cli.media import OUTPUT_TYPES, MediaType, of_extension, of_type

_EXAMPLES = "aspect=16:9, min-side=1024, format=png, not-blank"
_NUMBER = re.compile("[0-9]{1,6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """
    One value of --expect. `text` is the user's input; exactly one other field is set.
    `is_blank` returns True for a picture of a single color.
    """

    text: str
    aspect: float | None = None
    min_side: int | None = None
    media: MediaType | None = None
    is_blank: Callable[[Path], bool] | None = None

    @classmethod
    def parse(cls, text: str, *, is_blank: Callable[[Path], bool]) -> Expectation:
        """
        Read a value of --expect.

        Raises:
            UsageError: the value is not valid.
        """
        name, _, value = text.partition("=")
        if text == "not-blank":
            return cls(text=text, is_blank=is_blank)
        if name == "aspect" and (ratio := ratio_of(value)):
            return cls(text=text, aspect=ratio)
        if name == "min-side" and _NUMBER.fullmatch(value) and int(value):
            return cls(text=text, min_side=int(value))
        if name == "format" and (media := of_extension(value)) in OUTPUT_TYPES:
            return cls(text=text, media=media)
        raise UsageError(
            f"Unknown --expect value '{text}'.",
            hint=f"Examples: {_EXAMPLES}",
        )

    def mismatch(self, file: SavedFile) -> str | None:
        """
        Return how a file differs from the expectation, or None if it meets it.
        """
        if self.media:
            found = of_type(file.media_type)
            return f"is {found.extension}" if found and found != self.media else None
        if not file.media_type.startswith("image/"):
            return "is not an image"
        if self.is_blank:
            try:
                return "is a single color" if self.is_blank(Path(file.path)) else None
            except DownloadError as exc:
                return f"cannot be checked: {exc.message.rstrip('.')}"
        return self._size_mismatch(file.width, file.height)

    def _size_mismatch(self, width: int | None, height: int | None) -> str | None:
        if not (width and height):
            return "has an unknown size"
        is_small = self.min_side and min(width, height) < self.min_side
        is_off = self.aspect and abs(width / height / self.aspect - 1) > TOLERANCE
        if is_off:
            return f"is {width}x{height} (ratio {width / height:.2f}:1)"
        return f"is {width}x{height}" if is_small else None


def check_possible(
    expectations: Sequence[Expectation], *, media: MediaType | None, kind: str | None
) -> None:
    """
    Check that a result can meet all expectations at once. `media` is the type of the
    target file and `kind` the kind of results of the model, or None if not known.

    Raises:
        UsageError: no result can meet them.
    """
    kind = kind or (media.kind if media else None)
    for each in expectations:
        if each.media and media and media != each.media:
            raise UsageError(
                f"--expect {each.text} does not fit a {media.extension} file."
            )
        media = each.media or media
        if kind and kind != (each.media.kind if each.media else "image"):
            raise UsageError(
                f"--expect {each.text} does not fit a result of type {kind}."
            )


def unmet(file: SavedFile, expectations: Sequence[Expectation]) -> list[str]:
    """
    Return a sentence for each expectation that the file does not meet.
    """
    return [
        f"--expect {each.text}: {file.path} {found}."
        for each in expectations
        if (found := each.mismatch(file))
    ]
