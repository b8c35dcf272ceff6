"""
Compare the results of a job with its request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from krea_cli.api.models import Job, SavedFile
from krea_cli.media import of_type

if TYPE_CHECKING:
    from krea_cli.catalog.model import Model

# Allowed relative difference in size: services round to whole blocks.
TOLERANCE = 0.02

_MAKES = {
    "image": "images",
    "video": "videos",
    "audio": "audio files",
    "3d": "3D models",
}
_RATIO = re.compile(r"(\d{1,5}(?:\.\d{1,5})?):(\d{1,5}(?:\.\d{1,5})?)", re.ASCII)
_RESOLUTION = re.compile("([1-9])k", re.IGNORECASE)


def wrong_kinds(job: Job, models: Iterable[Model]) -> list[str]:
    """
    Return a sentence for each file of a kind that the job's model does not make; []
    if the model is not known.
    """
    found = [model for model in models if model.id == job.model]
    made = {model.result_kind for model in found if model.result_kind}
    makes = " and ".join(sorted(_MAKES.get(kind, kind) for kind in made))
    return [
        f"Model {job.model} makes {makes}, but job {job.job_id} returned "
        f"{media.extension.upper()}: {file.path}"
        for file in job.files
        if (media := of_type(file.media_type)) and made and media.kind not in made
    ]


def ratio_of(text: object) -> float | None:
    """
    Return width divided by height for a ratio such as 16:9 or 2.35:1, or None for other
    text.
    """
    found = _RATIO.fullmatch(str(text))
    if not found or not float(found[1]) or not float(found[2]):
        return None
    return float(found[1]) / float(found[2])


def differences(
    files: Iterable[SavedFile], body: Mapping[str, Any], *, max_side: int | None
) -> list[str]:
    """
    Return a sentence for each picture whose size, ratio or resolution differs from the
    `body` of its request.

    `max_side` is the number of pixels to which the service scales down larger sides,
    or None if it does not.
    """
    sides = {name: body[name] for name in ("width", "height") if _is_size(body, name)}
    shape = {name: body.get(name) for name in ("aspect_ratio", "resolution")}
    # Given a size and a shape, a service may ignore one. A factor changes the size.
    is_certain = not (sides and any(shape.values())) and not body.get(
        "image_scaling_factor"
    )
    return [
        f"{_name(file)} is {file.width}x{file.height}, but {requested} was requested."
        for file in files
        if is_certain and file.width and file.height
        for requested in (
            *_other_sides(file, sides, max_side),
            *_other_shape(file.width, file.height, shape),
        )
    ]


def _is_size(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    return isinstance(value, int | float) and value >= 1


def _other_sides(
    file: SavedFile, sides: Mapping[str, float], max_side: int | None
) -> Iterator[str]:
    actual = {"width": file.width or 0, "height": file.height or 0}
    is_shrunk = max(actual.values()) == max_side and all(
        actual[name] <= requested for name, requested in sides.items()
    )
    # At least a pixel, as services round.
    is_other = any(
        abs(actual[name] - requested) > max(TOLERANCE * requested, 1)
        for name, requested in sides.items()
    )
    if is_other and not is_shrunk:
        if len(sides) > 1:
            yield f"{sides['width']:g}x{sides['height']:g}"
        else:
            yield "".join(f"{name} {side:g}" for name, side in sides.items())


def _other_shape(width: int, height: int, shape: Mapping[str, Any]) -> Iterator[str]:
    ratio = ratio_of(shape["aspect_ratio"])
    if ratio and abs(width / height / ratio - 1) > TOLERANCE:
        yield f"aspect ratio {shape['aspect_ratio']}"
    if _is_other_resolution(width, height, str(shape["resolution"])):
        yield f"resolution {shape['resolution']}"


def _is_other_resolution(width: int, height: int, resolution: str) -> bool:
    """
    Return True if the size contradicts a resolution such as 2K in all of its common
    meanings: 2048 pixels on the longer side, on the shorter side, or the pixel count of
    such a square; in film, 2K is 1920x1080 and 4K is 3840x2160.
    """
    found = _RESOLUTION.fullmatch(resolution)
    if not found:
        return False
    count = int(found[1])
    longer, shorter = max(width, height), min(width, height)
    is_low = longer < 960 * count * (1 - TOLERANCE)
    has_few = longer * shorter < 960 * 540 * count**2 * (1 - TOLERANCE)
    return (is_low and has_few) or shorter > 1080 * count * (1 + TOLERANCE)


def _name(file: SavedFile) -> str:
    return "The result" if file.path == "-" else file.path
