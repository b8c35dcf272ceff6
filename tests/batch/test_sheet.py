"""
Contact sheets: what is on them, and that a browser shows it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser

import pytest
from batch.lines import SERVICE, file, line, wanted
from PIL import Image, ImageDraw

from krea_cli.batch import sheet_png
from krea_cli.batch.lock import Lock
from krea_cli.batch.plan import Planner
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.batch.sheet import sheet_of
from krea_cli.batch.sheet_html import render
from krea_cli.batch.thumbnails import small_webp
from krea_cli.errors import DownloadError, InputError

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def draw(path, number=0, size=(80, 60)):
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    # As smooth as a photo, which is faster to encode than noise.
    noise = Image.effect_noise((max(1, width // 4), max(1, height // 4)), 90)
    picture = noise.resize(size, Image.Resampling.BILINEAR).convert("RGB")
    canvas = ImageDraw.Draw(picture)
    color = (number * 6 % 256, 90, 200)
    canvas.ellipse((width // 8, height // 8, width // 2, height // 2), fill=color)
    picture.save(path, compress_level=1)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if data.strip() and self.tags[-1] != "style":
            self.texts.append(data.strip())

    def all(self, name):
        return [value for attribute, value in self.attributes if attribute == name]


def item(output, row="", column="", prompt="an owl", images=(), **values):
    made = wanted(output, f"{prompt} {output}", **values)
    changed = replace(
        made.item, row=row, column=column, prompt=prompt, images=tuple(images)
    )
    return replace(made, item=changed)


@pytest.fixture
def sheet(tmp_path):
    def make(items, lines=(), title="pictures.toml"):
        disk = ResultsOnDisk(tmp_path)
        planner = Planner(lock=Lock.of(lines, SERVICE), disk=disk, source=title)
        return sheet_of(planner.plan(items), disk, title)

    return make


def done(folder, each, number=1):
    data = (folder / each.item.output).read_bytes()
    return line(
        each.item.output,
        identity=each.identity,
        job=f"job-{number}-and-more",
        record=f"r{number}",
        files=[file(each.item.output, hashlib.sha256(data).hexdigest())],
    )


@pytest.fixture
def forty(make_forty):
    return make_forty()


@pytest.fixture
def make_forty(tmp_path, sheet):
    """
    Ten photos in four versions; one failed, one is missing.
    """
    return partial(_forty, tmp_path, sheet)


def _forty(tmp_path, sheet, size=(80, 60)):
    items, lines = [], []
    for row in range(10):
        draw(tmp_path / f"photos/p {row}.jpg", row, size)
        for column in range(4):
            output = f"out/ä {row}-{column}.png"
            each = item(
                output,
                f"p {row}.jpg",
                f"seed {column}",
                "an <owl> & 🦉 with a long prompt that needs more than a line",
                [f"photos/p {row}.jpg"],
            )
            items.append(each)
            number = row * 4 + column
            if number == 5:
                failed = line(
                    output, "failed", identity=each.identity, job="j", record="r"
                )
                lines.append(failed)
            elif number != 7:
                draw(tmp_path / output, number, size)
                lines.append(done(tmp_path, each, number))
    return sheet(items, lines)


def test_sheet_has_rows_of_inputs_and_columns_of_the_matrix(forty):
    assert ("seed 0", "seed 1", "seed 2", "seed 3") == forty.columns
    assert [f"p {row}.jpg" for row in range(10)] == [row.label for row in forty.rows]
    assert "38 of 40 results" == forty.summary
    [cell] = forty.rows[1].cells[1]
    assert ("failed", None) == (cell.state, cell.after)
    assert "p 1.jpg" == cell.before.name
    assert ("$0.15", "job job-0-an") == forty.rows[0].cells[0][0].facts


def test_html_is_a_page_without_scripts(forty, tmp_path):
    text = render(forty, tmp_path, small_webp)

    page = Page(text)
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    [policy] = [each for each in page.all("content") if "default-src" in each]
    assert (
        "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'" == policy
    )
    assert all(source.startswith("data:image/webp") for source in page.all("src"))
    assert 38 == len(page.all("href"))
    assert "out/%C3%A4%200-0.png" == page.all("href")[0]
    assert "seed 3" in page.texts
    assert "failed" in page.texts
    assert "to make" in page.texts
    assert any("an <owl> & 🦉" in words for words in page.texts)


def test_html_is_made_with_smaller_pictures_until_it_fits(forty, tmp_path):
    sides = []

    def thumbnail(path, side):
        sides.append(side)
        return bytes(60_000 if side > 200 else 1000)

    render(forty, tmp_path, thumbnail)

    assert [320, 240, 160] == sorted(set(sides), reverse=True)


def test_html_escapes_whatever_is_in_names_and_prompts(sheet, tmp_path):
    evil = '"><script>alert(1)</script>\x1b'
    each = item("a.png", evil, prompt=evil)
    draw(tmp_path / "a.png")

    text = render(sheet([each], [done(tmp_path, each)], evil), tmp_path, small_webp)

    page = Page(text)
    assert "script" not in page.tags
    assert "<script>" not in text
    assert "\x1b" not in text


def test_html_of_cells_without_picture(sheet, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"x")
    clip = item("clip.mp4")
    broken = replace(item("b.png"), unusable=InputError("b.jpg is empty."))

    page = Page(
        render(sheet([clip, broken], [done(tmp_path, clip)]), tmp_path, small_webp)
    )

    assert "MP4" in page.texts
    assert "b.jpg is empty." in page.texts
    assert ["clip.mp4"] == page.all("href")


def test_png_pages_are_of_at_most_forty_megapixels(forty, monkeypatch):
    monkeypatch.setattr(sheet_png, "MAX_PIXELS", 6_000_000)

    pages = list(sheet_png.pages(forty))

    assert len(pages) > 1
    assert all(page.width * page.height <= 6_000_000 for page in pages)
    assert 1 == len({page.width for page in pages})
    assert len(set(pages[0].convert("L").tobytes()[::97])) > 20


def test_png_without_matrix_has_four_beside_each_other(sheet, tmp_path):
    items = [item(f"{number}.png") for number in range(6)]

    [page] = sheet_png.pages(sheet(items))

    assert 4 * (320 + 24) + 24 == page.width


def test_thumbnail_of_no_picture_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")

    with pytest.raises(DownloadError):
        small_webp(tmp_path / "a.png", 100)


def shot(page, mode):
    """
    Return a picture of the page as a browser shows it.
    """
    picture = page.with_name(f"{mode}.png")
    dark = ["--blink-settings=preferredColorScheme=0"] if mode == "dark" else []
    result = subprocess.run(
        [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            # Nothing but the page.
            "--no-first-run",
            "--disable-extensions",
            "--disable-background-networking",
            "--disable-component-update",
            "--hide-scrollbars",
            "--enable-logging=stderr",
            f"--user-data-dir={page.with_name('profile')}",
            "--window-size=1600,1600",
            f"--screenshot={picture}",
            *dark,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert picture.exists(), result.stderr
    assert not re.search("Refused to|Content Security Policy", result.stderr)
    with Image.open(picture) as opened:
        return opened.convert("RGB")


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_html_is_shown_by_a_browser_light_and_dark(make_forty, tmp_path):
    forty = make_forty(size=(512, 384))
    path = tmp_path / "sheet.html"
    path.write_text(render(forty, tmp_path, small_webp), encoding="utf-8")
    assert path.stat().st_size < 2_000_000

    for mode in ("light", "dark"):
        picture = shot(path, mode)

        corner = picture.convert("L").getpixel((2, 2))
        colors = picture.resize((200, 200)).getcolors(60_000)
        assert (corner > 200) == (mode == "light")
        assert len(colors) > 1000
        assert any(blue - red > 60 for _, (red, _, blue) in colors)
