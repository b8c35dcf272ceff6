"""
Render the results of jobs.

The bytes depend only on the model, fields, seed and input files.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageFilter, ImageOps
from PIL.Image import Resampling

from krea_cli.media import HEIC, images
from krea_cli.sandbox.job import JobInput, SandboxJob
from krea_cli.sandbox.renderer.audio import wav
from krea_cli.sandbox.renderer.caption import add_caption
from krea_cli.sandbox.renderer.glb import glb
from krea_cli.sandbox.renderer.landscape import choose_palette, landscape
from krea_cli.sandbox.renderer.mp4 import mp4
from krea_cli.sandbox.renderer.watercolor import watercolor
from krea_cli.sandbox.sizes import Size

_FRAMES_PER_SECOND, _LONGEST_FRAME = 12, 1920
# Pixels to draw; larger images are scaled up from there. Paint has less detail than a
# drawing or a photo.
_DRAWN_PIXELS, _PAINTED_PIXELS = 1_100_000, 600_000
_FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
_SQUARE = (1024, 1024)


class Composition:
    """
    Renders the results of a job at the given size.

    `find` returns the path of an input file by its hash.
    """

    def __init__(
        self, job: SandboxJob, size: Size, find: Callable[[str], Path]
    ) -> None:
        self._job, self._size, self._find = job, size, find
        self._prompt = str(job.fields.get("prompt") or "")
        names = [job.model, self._prompt, job.seed]
        digest = hashlib.sha256(json.dumps(names).encode()).digest()
        self._rng = random.Random(int.from_bytes(digest[:8]))  # noqa: S311  (drawing)

    def render(self, part: str) -> bytes:
        """
        Render one part of the result.

        Raises:
            DownloadError: an input image can no longer be decoded.
        """
        if part == "audio":
            return wav(self._rng)
        if part == "video":
            return self._video()
        if part == "image":
            image = self._captioned(self._drawn(self._size))
            return _encoded(image, self._job.image_format)
        square = self._captioned(self._drawn(_SQUARE))
        return _encoded(square, "png") if part == "preview" else glb(_encoded(square))

    def _drawn(self, size: Size) -> Image.Image:
        """
        Edit the first input image and add the others. Without inputs, draw an image.
        """
        pictures, is_photo = self._job.pictures, self._job.enlarges
        pixels = _PAINTED_PIXELS if pictures and not is_photo else _DRAWN_PIXELS
        shrink = min(1.0, (pixels / (size[0] * size[1])) ** 0.5)
        working = max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))
        palette = choose_palette(self._prompt, self._rng)
        if not pictures:
            image = landscape(working, palette, self._rng)
        elif is_photo:
            sharpen = ImageFilter.UnsharpMask(max(working) / 400, 90, 2)
            image = self._opened(pictures[0], working).filter(sharpen)
        else:
            photo = self._opened(pictures[0], working)
            image = watercolor(photo, palette, self._rng)
        side = min(working) // 6
        for index, picture in enumerate(pictures[1:6], start=1):
            left = working[0] - index * (side + side // 8)
            if side >= 12 and left > 0:
                inset = self._opened(picture, (side, side))
                image.paste(
                    ImageOps.expand(inset, side // 12, "white"), (left, side // 8)
                )
        return image.resize(size, Resampling.BICUBIC)

    def _opened(self, picture: JobInput, size: Size) -> Image.Image:
        if picture.sha256 is None or picture.media_type == HEIC.media_type:
            # Substitute a built-in image for inputs that are not fetched or not
            # decoded.
            rng = random.Random(7)  # noqa: S311  (drawing)
            return landscape(size, choose_palette("lake", rng), rng)
        found = images.thumbnail(self._find(picture.sha256), (max(size) * 2,) * 2)
        white = Image.new("RGB", found.size, "white")
        white.paste(found, mask=found.getchannel("A"))
        # Heads are more often above the center than below it.
        return ImageOps.fit(white, size, Resampling.LANCZOS, centering=(0.5, 0.4))

    def _captioned(self, image: Image.Image) -> Image.Image:
        kinds = [each.media_type for each in self._job.pictures]
        # Explain why the image is not an edit of the input.
        note = "(HEIC input: not decoded) " if HEIC.media_type in kinds else ""
        model = self._job.model.partition("/")[2]
        return add_caption(image, note + self._prompt, model)

    def _video(self) -> bytes:
        """
        Return a video of one second that slowly zooms into the image.
        """
        shrink = min(1.0, _LONGEST_FRAME / max(self._size)) / 2
        width, height = (max(1, round(side * shrink)) * 2 for side in self._size)
        still, frames = self._drawn((width, height)), []
        for frame in range(_FRAMES_PER_SECOND):
            x, y = (side * 0.005 * frame for side in still.size)
            view = still.resize(still.size, box=(x, y, width - x, height - y))
            frames.append(_encoded(self._captioned(view)))
        return mp4(frames, still.size, per_second=_FRAMES_PER_SECOND)


def _encoded(image: Image.Image, suffix: str = "jpg") -> bytes:
    file = io.BytesIO()
    image.save(file, _FORMATS[suffix], compress_level=1, quality=90)
    return file.getvalue()
