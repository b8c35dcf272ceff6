"""
Render a contact sheet as one HTML page without scripts, with embedded thumbnails.

The page has few kinds of elements, so it needs no template engine: `_element` escapes
every text and attribute with `html.escape`.
"""

from __future__ import annotations

import html
import os
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from krea_cli.batch.sheet import Cell, Sheet, SheetRow, name_of
from krea_cli.errors import DownloadError

# Keeps a page with 40 results and their inputs well below 2 MB.
MAX_BYTES = 1_400_000
SIDES = (320, 240, 160, 96)
_POLICY = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --line: #d8d8de; --back: #fafafa; --card: #fff;
  --text: #1c1c22; --dim: #62626e; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --line: #3a3a42; --back: #141418;
  --card: #1e1e24; --text: #ececf1; --dim: #a2a2ae; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem; background: var(--back); color: var(--text);
  font: 14px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere; }
header p { color: var(--dim); margin: .2rem 0 1.2rem; }
.cards { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); }
table { border-collapse: separate; border-spacing: .6rem; margin: 0 -.6rem; }
th { text-align: left; vertical-align: top; font-weight: 600; max-width: 14rem;
  overflow-wrap: anywhere; }
th[scope=row] { min-width: 6rem; max-width: 9rem; }
tbody td { vertical-align: top; min-width: 16rem; max-width: 26rem; }
figure { margin: 0 0 .6rem; padding: .7rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .6rem; }
.pair { display: flex; gap: .5rem; align-items: flex-start; }
.pair > * { flex: 1 1 0; min-width: 0; }
img { width: 100%; height: auto; border-radius: .3rem; display: block; }
.none { aspect-ratio: 4 / 3; display: grid; place-items: center; text-align: center;
  border: 1px dashed var(--line); border-radius: .3rem; color: var(--dim);
  padding: .5rem; overflow-wrap: anywhere; }
.bad { color: var(--bad); border-color: var(--bad); }
figcaption { margin-top: .5rem; overflow-wrap: anywhere; }
figcaption p { margin: .15rem 0; white-space: pre-line; }
.facts { color: var(--dim); font-size: .85rem; }
a { color: inherit; }
"""
_BAD = {"failed", "cancelled", "unconfirmed", "unusable input"}

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

# Returns a picture as WebP bytes, at most this many pixels wide and high.
Thumbnail = Callable[[Path, int], bytes]


class _Markup(str):
    """
    Text that is already HTML.
    """

    __slots__ = ()


def render(sheet: Sheet, folder: Path, thumbnail: Thumbnail) -> str:
    """
    Return the HTML page for a file in `folder`. Links to results are relative to that
    folder.

    The page uses the largest of `SIDES` for which all thumbnails fit into `MAX_BYTES`,
    or else the smallest.
    """
    for side in SIDES:
        pictures = _Pictures(folder, thumbnail, side)
        page = _page(sheet, pictures)
        if pictures.size <= MAX_BYTES:
            break
    return page


class _Pictures:
    """
    The thumbnails of a page, each made once. `size` is their total size in the page, in
    bytes.
    """

    def __init__(self, folder: Path, thumbnail: Thumbnail, side: int) -> None:
        self.size = 0
        self._folder = folder
        self._thumbnail = thumbnail
        self._side = side
        self._made: dict[Path, str] = {}

    def picture(self, path: Path, text: str) -> _Markup:
        """
        Return a thumbnail of the file, or its extension in a box if it cannot be
        decoded.
        """
        if path not in self._made:
            try:
                data = self._thumbnail(path, self._side)
                self._made[path] = f"data:image/webp;base64,{b64encode(data).decode()}"
            except DownloadError:
                self._made[path] = ""
        # The page repeats the data of a picture in each cell that shows it.
        self.size += len(self._made[path])
        if not self._made[path]:
            kind = path.suffix.removeprefix(".").upper() or "file"
            return _element("div", kind, class_="none")
        return _element("img", src=self._made[path], alt=text, loading="lazy")

    def link(self, path: Path, inner: _Markup) -> _Markup:
        relative = os.path.relpath(path, self._folder).replace(os.sep, "/")
        return _element("a", inner, href=quote(relative))


def _page(sheet: Sheet, pictures: _Pictures) -> str:
    body = _grid(sheet, pictures) if sheet.is_grid else _cards(sheet, pictures)
    head = _element(
        "head",
        _Markup('<meta charset="utf-8">'),
        _void("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        _void("meta", name="viewport", content="width=device-width"),
        _void("meta", name="referrer", content="no-referrer"),
        _element("title", sheet.title),
        _element("style", _Markup(_STYLE)),
    )
    top = _element("header", _element("h1", sheet.title), _element("p", sheet.summary))
    return f"<!doctype html>\n{_element('html', head, _element('body', top, body))}\n"


def _cards(sheet: Sheet, pictures: _Pictures) -> _Markup:
    figures = [
        _figure(cell, pictures, row.label) for row in sheet.rows for cell in _all(row)
    ]
    return _element("div", *figures, class_="cards")


def _all(row: SheetRow) -> list[Cell]:
    return [cell for cells in row.cells for cell in cells]


def _grid(sheet: Sheet, pictures: _Pictures) -> _Markup:
    headings = [_element("th", column, scope="col") for column in sheet.columns]
    rows = [
        _element(
            "tr",
            _element("th", row.label, scope="row"),
            *(
                _element("td", *(_figure(cell, pictures, "") for cell in cells))
                for cells in row.cells
            ),
        )
        for row in sheet.rows
    ]
    corner = _element("td")
    return _element(
        "table",
        _element("thead", _element("tr", corner, *headings)),
        _element("tbody", *rows),
    )


def _figure(cell: Cell, pictures: _Pictures, label: str) -> _Markup:
    shown = []
    if cell.before is not None:
        shown.append(_element("div", pictures.picture(cell.before, "before")))
    if cell.after is not None:
        picture = pictures.picture(cell.after, cell.prompt or name_of(cell))
        shown.append(_element("div", pictures.link(cell.after, picture)))
    else:
        mood = " bad" if cell.state in _BAD or cell.error else ""
        text = cell.error or cell.state
        shown.append(_element("div", text, class_=f"none{mood}"))
    facts = [name_of(cell), *cell.facts]
    if cell.state and cell.after is not None:
        facts.append(cell.state)
    caption = _element(
        "figcaption",
        *([_element("p", _element("b", label))] if label else []),
        *([_element("p", cell.prompt)] if cell.prompt else []),
        _element("p", " · ".join(facts), class_="facts"),
    )
    return _element("figure", _element("div", *shown, class_="pair"), caption)


def _element(name: str, /, *children: str, **attributes: str) -> _Markup:
    """
    Return an element with its texts and attributes escaped. `_Markup` is not escaped
    again.
    """
    inner = "".join(
        each if isinstance(each, _Markup) else html.escape(_plain(each))
        for each in children
    )
    end = "" if name == "img" else f"{inner}</{name}>"
    return _Markup(f"<{name}{_attributes(attributes)}>{end}")


def _void(name: str, /, **attributes: str) -> _Markup:
    return _Markup(f"<{name}{_attributes(attributes)}>")


def _attributes(attributes: dict[str, str]) -> str:
    return "".join(
        f' {name.removesuffix("_").replace("_", "-")}="{html.escape(_plain(value))}"'
        for name, value in attributes.items()
    )


def _plain(text: str) -> str:
    """
    Return the text without characters that HTML forbids or that reverse its direction.
    """
    return _UNPRINTABLE.sub("", text)
