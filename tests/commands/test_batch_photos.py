"""
A folder of photos as people have them, in one command.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from media.metadata.marked import box, heic
from PIL import Image

BROKEN, EMPTY = "broken.jpeg", "leer.png"
PHOTOS = {
    "one.jpg": "JPEG",
    "TWO.JPG": "JPEG",
    "three.JPEG": "JPEG",
    "four.png": "PNG",
    "FIVE.PNG": "PNG",
    "six.webp": "WEBP",
    "seven.WebP": "WEBP",
    "am Strand.jpg": "JPEG",
    "Grüße aus Köln.jpg": "JPEG",
    "東京 🗼.png": "PNG",
    "no-alpha.png": "PNG",
    "eleven.heic": "HEIC",
    "twelve (copy).HEIC": "HEIC",
}


def save(path, kind, shade):
    picture = Image.new("RGB", (96, 64), (shade, 120, 200))
    if kind == "HEIC":
        # Bytes after its end make it another photo.
        path.write_bytes(heic() + box(b"free", bytes([shade])))
        return
    picture.save(path, kind)


@pytest.mark.long
def test_batch_of_fifteen_photos_reports_two_and_makes_thirteen(logged_in, service):
    folder = Path("photos")
    folder.mkdir()
    for shade, (name, kind) in enumerate(PHOTOS.items()):
        save(folder / name, kind, shade * 10)
    (folder / BROKEN).write_bytes(b"\xff\xd8\xff\xe0 junk")
    (folder / EMPTY).write_bytes(b"")

    result = logged_in("batch", "photos", "a watercolor", "-o", "out/{stem}.png")

    assert 9 == result.code, result.err
    assert 13 == len(result.out.splitlines()) == len(list(Path("out").glob("*.png")))
    for name in (BROKEN, EMPTY):
        assert name in result.err[: result.err.index("out/one.png")]
