"""
Draw a contact sheet as PNG pages, with Pillow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from krea_cli.batch.sheet import Cell, Sheet, name_of
from krea_cli.errors import DownloadError
from krea_cli.media import images

MAX_PIXELS = 40_000_000
_SIDE, _GAP, _TEXT = 320, 24, 18
_LINES = 4
_HEAD = 80
# A wider grid does not fit on a screen. Its cells are drawn in rows of four.
_MAX_COLUMNS = 6
_BACK, _INK, _DIM, _BAD, _LINE = "#fafafa", "#1c1c22", "#62626e", "#b3261e", "#d8d8de"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class _Layout:
    """
    The number of cells in a row, and the width and height of a cell in pixels.
    """

    columns: int
    width: int
    height: int

    @property
    def page_width(self) -> int:
        return self.columns * (self.width + _GAP) + _GAP

    @property
    def rows_a_page(self) -> int:
        room = MAX_PIXELS // self.page_width - _HEAD - _GAP
        return max(1, room // (self.height + _GAP))


def pages(sheet: Sheet) -> Iterator[Image.Image]:
    """
    Yield the pages of a sheet, each of at most 40 megapixels.
    """
    cells = list(_in_rows(sheet))
    has_inputs = any(cell.before for row in cells for cell in row if cell)
    width = 2 * _SIDE + _GAP // 2 if has_inputs else _SIDE
    columns = max(map(len, cells), default=1)
    layout = _Layout(columns, width, _SIDE + _TEXT * (_LINES + 1))
    for start in range(0, len(cells), layout.rows_a_page):
        yield _page(sheet, cells[start : start + layout.rows_a_page], layout)


def _in_rows(sheet: Sheet) -> Iterator[list[Cell | None]]:
    """
    Yield the cells in rows, with None for an empty place.
    """
    if sheet.is_grid and len(sheet.columns) <= _MAX_COLUMNS:
        for row in sheet.rows:
            for number in range(max(map(len, row.cells))):
                yield [
                    cells[number] if number < len(cells) else None
                    for cells in row.cells
                ]
        return
    cells = sheet.cells
    for start in range(0, len(cells), 4):
        yield list(cells[start : start + 4])


def _page(
    sheet: Sheet, rows: Sequence[Sequence[Cell | None]], layout: _Layout
) -> Image.Image:
    height = _HEAD + len(rows) * (layout.height + _GAP)
    page = Image.new("RGB", (layout.page_width, height), _BACK)
    draw = ImageDraw.Draw(page)
    draw.text((_GAP, 20), _fitting(draw, sheet.title, 26, page.width), _INK, _font(26))
    draw.text((_GAP, 52), _readable(sheet.summary), _DIM, _font(16))
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if cell is not None:
                x = _GAP + column * (layout.width + _GAP)
                y = _HEAD + row * (layout.height + _GAP)
                _draw_cell(page, draw, cell, (x, y), layout)
    return page


def _draw_cell(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    cell: Cell,
    at: tuple[int, int],
    layout: _Layout,
) -> None:
    x, y = at
    if cell.before is not None:
        _draw_picture(page, draw, cell.before, (x, y), "")
        x += _SIDE + _GAP // 2
    if cell.after is not None:
        _draw_picture(page, draw, cell.after, (x, y), "")
    else:
        _draw_frame(draw, (x, y), cell.error or cell.state, _BAD)
    top = y + _SIDE + 4
    lines = _wrapped(draw, cell.prompt, layout.width)[: _LINES - 1]
    facts = [name_of(cell), *cell.facts]
    if cell.state and cell.after is not None:
        facts.append(cell.state)
    for number, line in enumerate(lines):
        draw.text((at[0], top + number * _TEXT), line, _INK, _font(14))
    text = _fitting(draw, "  ".join(facts), 13, layout.width)
    draw.text((at[0], top + len(lines) * _TEXT), text, _DIM, _font(13))


def _draw_picture(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    path: Path,
    at: tuple[int, int],
    text: str,
) -> None:
    try:
        picture = images.thumbnail(path, (_SIDE, _SIDE))
    except DownloadError:
        _draw_frame(draw, at, text or path.suffix.removeprefix(".").upper(), _DIM)
        return
    left = at[0] + (_SIDE - picture.width) // 2
    top = at[1] + (_SIDE - picture.height) // 2
    page.paste(picture, (left, top), picture)


def _draw_frame(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, color: str
) -> None:
    x, y = at
    draw.rectangle((x, y, x + _SIDE - 1, y + _SIDE - 1), outline=_LINE)
    for number, line in enumerate(_wrapped(draw, text, _SIDE - 20)[:8]):
        draw.text((x + 10, y + 10 + number * _TEXT), line, color, _font(14))


def _wrapped(draw: ImageDraw.ImageDraw, text: str, width: float) -> list[str]:
    font = _font(14)
    lines = [""]
    for word in _readable(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font) <= width:
            lines[-1] = longer
        else:
            lines.append(_fitting(draw, word, 14, width))
    return [line for line in lines if line]


def _fitting(draw: ImageDraw.ImageDraw, text: str, size: int, width: float) -> str:
    font = _font(size)
    text = _readable(text)
    while text and draw.textlength(text, font) > width:
        text = text[:-4].rstrip() + "..." if len(text) > 4 else ""
    return text


def _readable(text: str) -> str:
    """
    Return the text on one line, with "?" for characters that the font lacks.
    """
    plain = " ".join(text.split())
    return "".join(each if each.isascii() or _has(each) else "?" for each in plain)


@lru_cache(maxsize=4096)
def _has(character: str) -> bool:
    font = _font(14)
    if not isinstance(font, ImageFont.FreeTypeFont) or not character.isprintable():
        return False
    missing, drawn = font.getmask("\U0010ffff"), font.getmask(character)
    return bytes(drawn) != bytes(missing) or drawn.size != missing.size


@lru_cache(maxsize=8)
def _font(size: int) -> Font:
    try:
        return ImageFont.load_default(size)
    except (ImportError, OSError):  # Pillow was built without FreeType
        return ImageFont.load_default()
