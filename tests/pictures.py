"""
Render the pictures for README from real runs of krea in its sandbox.

Run `python tests/pictures.py` to write them to tests/data. `test_pictures` compares
their text with the current output.
"""

from __future__ import annotations

import base64
import html
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import terminals
from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.style import Style
from rich.text import Text

HERE = Path(__file__).parent
SIZE = (78, 24)
# Size of a cell in pixels, and the margin.
# A space that browsers never join with the next one.
NO_BREAK = "\N{NO-BREAK SPACE}"
WIDTH, HEIGHT, MARGIN = 8, 18, 16
PAPER, INK = "#16181d", "#d7dae0"
# By ANSI color number: red, green, yellow, cyan.
INKS = {1: "#f2777a", 2: "#99cc99", 3: "#ffcc66", 6: "#66cccc"}
FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_MOVE = re.compile(r"(\n|\r|\x1b\[\??\d*[A-Zchlt])")


def main() -> None:
    """
    Render all pictures again.
    """
    for name, take in PICTURES.items():
        with tempfile.TemporaryDirectory() as folder:
            picture = drawn(take(Path(folder)))
        (HERE / "data" / name).write_text(picture, "utf-8")


def generated(folder: Path) -> list[str]:
    """
    Turn a photo into a watercolor, in the empty `folder`.
    """
    (folder / "photo.jpg").write_bytes((HERE / "data" / "astronaut.jpg").read_bytes())
    command = 'krea generate "a watercolor" -i photo.jpg -o out.png --preview'
    return shown(command, folder, {"KREA_SANDBOX": "1"})


def doubted(folder: Path) -> list[str]:
    """
    Lose the response to a paid request, and follow the hint.
    """
    words = ("sandbox", "serve", "--port", "0", "--fault", "submit:reset-after")
    with subprocess.Popen(
        [sys.executable, "-m", "krea_cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=world(folder / "service"),
        text=True,
    ) as service:
        try:
            url = service.stdout.readline().strip()
            env = {"KREA_API_URL": url, "KREA_API_KEY": "any-token"}
            lines = shown('krea generate "an owl" -o owl.png', folder, env)
            [adopt] = re.findall("krea jobs recover .* --adopt .*", "\n".join(lines))
            return [*lines, "", *shown(adopt, folder, env)]
        finally:
            service.terminate()


PICTURES = {"generate.svg": generated, "doubt.svg": doubted}


def world(folder: Path) -> dict[str, str]:
    places = {
        f"KREA_{name}_DIR": str(folder / name) for name in ("STATE", "CONFIG", "CACHE")
    }
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(HERE.parent),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        **places,
    }


def shown(command: str, folder: Path, env: dict[str, str]) -> list[str]:
    """
    Return the lines that the command shows on a terminal, with their colors.
    """
    python = f'"{sys.executable}" -m krea_cli'
    run = f'cd "$0" && {python}{command.removeprefix("krea")}'
    argv = ["/bin/sh", "-c", run, str(folder)]
    result = terminals.run(
        argv,
        env=world(folder) | env,
        size=SIZE,
        replies={b"decide later: ": b"\n"},
    )
    lines = screen(result.output.decode("utf-8"))
    return [f"\x1b[2m$\x1b[0m \x1b[1m{command}\x1b[0m", *lines]


def screen(output: str) -> list[str]:
    """
    Return the lines left on the screen after all cursor movements and erasures.
    """
    rows, at = [""], 0
    for piece in _MOVE.split(output):
        if piece == "\n":
            at += 1
            rows += [""] * (at == len(rows))
        elif piece.startswith("\x1b[") and piece.endswith("A"):
            at -= int(piece[2:-1] or 1)
        elif piece.endswith("K") and piece.startswith("\x1b["):
            rows[at] = ""
        elif not _MOVE.fullmatch(piece):
            rows[at] += piece
    while rows and not rows[-1]:
        rows.pop()
    return rows


def drawn(lines: list[str]) -> str:
    """
    Render lines as SVG without external fonts. Half blocks become one image.
    """
    texts = [
        part for text in AnsiDecoder().decode("\n".join(lines)) for part in cut(text)
    ]
    blocks = [at for at, text in enumerate(texts) if "▀" in text.plain]
    parts = (
        [embedded([line for line in lines if "▀" in line], top=blocks[0])]
        if blocks
        else []
    )
    for at, text in enumerate(texts):
        parts += [] if at in blocks else spans(text, at)
    width, height = SIZE[0] * WIDTH + 2 * MARGIN, len(texts) * HEIGHT + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">\n'
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>\n'
        f'<g font-family="{FONTS}" font-size="13.3" fill="{INK}" '
        'xml:space="preserve">\n' + "\n".join(parts) + "\n</g>\n</svg>\n"
    )


def cut(text: Text) -> list[Text]:
    """
    Wrap a line as a terminal does. An empty line stays a line.
    """
    return list(text.divide(range(SIZE[0], len(text), SIZE[0])))


def spans(text: Text, row: int) -> list[str]:
    """
    Return a text element for each run of one style, as wide as its cells in any font.

    Spaces at its ends are left out, since browsers drop them but not their width.
    """
    found, column = [], 0
    y = MARGIN + row * HEIGHT + 13
    for piece, style, _ in text.render(Console()):
        if words := piece.strip():
            begin = column + len(piece) - len(piece.lstrip())
            attributes = f'x="{MARGIN + begin * WIDTH}" y="{y}" {looks(style)}'
            found.append(
                f'<text {attributes}textLength="{len(words) * WIDTH}">'
                f"{html.escape(words.replace('  ', NO_BREAK * 2))}</text>"
            )
        column += len(piece)
    return found


def looks(style: Style | None) -> str:
    if style is None:
        return ""
    ink = f'fill="{INKS[style.color.number]}" ' if style.color else ""
    weight = 'font-weight="bold" ' if style.bold else ""
    return ink + weight + ('opacity="0.65" ' if style.dim else "")


def embedded(lines: list[str], *, top: int) -> str:
    """
    Return the half blocks as the image that they form.
    """
    picture = terminals.blocks("\n".join(lines))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return (
        f'<image x="{MARGIN}" y="{MARGIN + top * HEIGHT}" '
        f'width="{picture.width * WIDTH}" height="{picture.height * HEIGHT // 2}" '
        'preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{data}"/>'
    )


if __name__ == "__main__":
    main()
