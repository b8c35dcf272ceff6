"""
From a job to the bytes of its result.

The same model, fields, seed and input files give the same bytes; nothing else goes in.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageOps
from PIL.Image import Resampling

from krea_cli.media import HEIC
from krea_cli.sandbox.job import Input, SandboxJob
from krea_cli.sandbox.renderer import audio, pictures, scenes, solid, styles
from krea_cli.sandbox.renderer import glb as mesh
from krea_cli.sandbox.renderer import mp4 as movie
from krea_cli.sandbox.renderer.caption import caption
from krea_cli.sandbox.sizes import Size, output_size

FRAMES_PER_SECOND = 12

# Larger pictures are edited at about this many pixels and enlarged then.
_WORKING_PIXELS = 1_600_000
_LONGEST_FRAME = 1920
_FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
# What a model works on comes before what it takes a style or a character from.
_MAIN_FIELDS = ("image_url", "image_urls", "start_image", "init_image_url")
_PLACEHOLDER = (1200, 900)


def render(job: SandboxJob, part: str, find: Callable[[str], Path]) -> bytes:
    """
    The result *part* of the job; *find* says where the file with a sha256 is.

    Raises:
        UnreadableError: an input picture that was readable is so no longer.
    """
    return _Composition(job, find).render(part)


class _Composition:
    def __init__(self, job: SandboxJob, find: Callable[[str], Path]) -> None:
        self._job = job
        self._find = find
        self._prompt = str(job.fields.get("prompt") or "")
        self._pictures = _main_first(
            [each for each in job.inputs if each.media_type.startswith("image/")]
        )
        is_heic = any(each.media_type == HEIC.media_type for each in self._pictures)
        # Who looks for an edit of the picture must see why it is none.
        self._stand_in = "(HEIC input: not decoded) " if is_heic else ""

    def render(self, part: str) -> bytes:
        if part == "audio":
            return audio.wav(self._random())
        if part == "video":
            return self._film()
        if part == "model":
            return mesh.glb(_encoded(self._edited((768, 768)), "jpg"))
        if part == "preview":
            cube = solid.cube(self._edited((768, 768)), 1024)
            return _encoded(self._marked(cube), "png")
        size = output_size(
            self._job.fields,
            self._given(),
            enlarges=self._job.model.startswith("enhance/"),
        )
        return _encoded(self._marked(self._edited(size)), self._job.image_format)

    def _random(self) -> random.Random:
        """
        From model, prompt and seed: the tune, the style, the palette.
        """
        names = [self._job.model, self._prompt, self._job.seed]
        digest = hashlib.sha256(json.dumps(names).encode()).digest()
        return random.Random(int.from_bytes(digest[:8]))  # noqa: S311  (drawing)

    def _given(self) -> Size | None:
        if not self._pictures:
            return None
        first = self._pictures[0]
        if first.sha256 is None:
            return _PLACEHOLDER
        return pictures.size(self._find(first.sha256), first.media_type)

    def _edited(self, size: Size) -> Image.Image:
        """
        The first input picture in the style of the prompt, the others as insets; an
        abstract picture without input.
        """
        shrink = min(1.0, (_WORKING_PIXELS / (size[0] * size[1])) ** 0.5)
        working = max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))
        rng = self._random()
        if not self._pictures:
            image = scenes.scene(working, rng)
            named = styles.named(self._prompt)
            image = named(image, rng) if named else image
        elif self._job.model.startswith("enhance/"):
            image = self._opened(self._pictures[0], working)
            image = image.filter(ImageFilter.UnsharpMask(max(working) / 400, 90, 2))
        else:
            image = self._opened(self._pictures[0], working)
            image = styles.chosen(self._prompt, rng)(image, rng)
        self._inset(image)
        return image if image.size == size else image.resize(size, Resampling.BICUBIC)

    def _opened(self, picture: Input, size: Size) -> Image.Image:
        if picture.sha256 is None:
            return scenes.placeholder(size)
        path = self._find(picture.sha256)
        image = pictures.load(path, picture.media_type, longest=2 * max(size))
        # Heads are more often above the middle than below it.
        return ImageOps.fit(image, size, Resampling.LANCZOS, centering=(0.5, 0.4))

    def _inset(self, image: Image.Image) -> None:
        """
        Paste the second and later pictures small into the upper right corner.
        """
        side = min(image.size) // 6
        gap = max(1, side // 8)
        if side < 12:
            return
        most = (image.width - gap) // (side + gap)
        for index, picture in enumerate(self._pictures[1 : min(5, most) + 1], start=1):
            small = self._opened(picture, (side, side))
            framed = ImageOps.expand(small, max(1, side // 32), "white")
            mask = Image.new("L", framed.size)
            box = (0, 0, framed.width - 1, framed.height - 1)
            ImageDraw.Draw(mask).rounded_rectangle(box, side // 9, fill=255)
            image.paste(framed, (image.width - index * (framed.width + gap), gap), mask)

    def _marked(self, image: Image.Image) -> Image.Image:
        vendor_and_model = self._job.model.partition("/")[2]
        return caption(image, self._stand_in + self._prompt, vendor_and_model)

    def _film(self) -> bytes:
        """
        One second of a slow zoom into the picture.
        """
        width, height = output_size(self._job.fields, self._given(), enlarges=False)
        shrink = min(1.0, _LONGEST_FRAME / max(width, height))
        size = (
            max(2, round(width * shrink / 2) * 2),
            max(2, round(height * shrink / 2) * 2),
        )
        still = self._edited(size)
        frames = []
        for frame in range(FRAMES_PER_SECOND):
            crop = 0.06 * frame / FRAMES_PER_SECOND
            box = (
                size[0] * crop,
                size[1] * crop,
                size[0] * (1 - crop),
                size[1] * (1 - crop),
            )
            view = still.resize(size, Resampling.BILINEAR, box)
            frames.append(_encoded(self._marked(view), "jpg"))
        return movie.mp4(frames, size, per_second=FRAMES_PER_SECOND)


def _main_first(inputs: Sequence[Input]) -> list[Input]:
    return sorted(
        inputs, key=lambda each: re.split(r"[.\[]", each.field)[0] not in _MAIN_FIELDS
    )


def _encoded(image: Image.Image, suffix: str) -> bytes:
    file = io.BytesIO()
    if suffix == "png":
        image.save(file, "PNG", compress_level=4)
    else:
        image.save(file, _FORMATS[suffix], quality=90)
    return file.getvalue()
