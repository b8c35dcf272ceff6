from __future__ import annotations

import pytest
from output.telling import CapturedConsole, Terminal

from krea_cli.errors import ConnectionFailedError
from krea_cli.output.results.checks import fault, ok, warning

COMMAND = "mv /home/me/.local/state/krea-cli/journal.db /home/me/journal.db.broken"
FOUND = [
    ok("token", "from KREA_API_KEY"),
    warning("path", "there are several programs called krea: /a/krea and /b/krea"),
    fault("service", ConnectionFailedError("It cannot be reached.", hint=COMMAND)),
]
WIDE = f"""\
✓ ok       token         from KREA_API_KEY
! warning  path          there are several programs called krea: /a/krea and
                         /b/krea
✗ problem  service       It cannot be reached.
  hint: {COMMAND}
"""
NARROW = f"""\
✓ ok  token
  from KREA_API_KEY
! warning  path
  there are several programs called
  krea: /a/krea and /b/krea
✗ problem  service
  It cannot be reached.
  hint: {COMMAND}
"""


def shown(monkeypatch, width, encoding="utf-8", **flags):
    monkeypatch.setenv("COLUMNS", str(width))
    terminal = Terminal()
    terminal.encoding = encoding
    telling = CapturedConsole(out=terminal, **flags)
    for each in FOUND:
        telling.output.result([each])
    return telling.out


@pytest.mark.parametrize("width", [40, 63, 64, 80, 120, 200])
def test_it_can_be_read_at_any_width(monkeypatch, width):
    """
    No line is broken by the terminal but the commands, which are to be copied whole.
    """
    lines = shown(monkeypatch, width, color="never").splitlines()

    assert f"  hint: {COMMAND}" in lines
    assert width >= max(len(line) for line in lines if "hint" not in line)
    words = " ".join(" ".join(lines).split())
    assert "there are several programs called krea: /a/krea and /b/krea" in words


@pytest.mark.parametrize(("width", "expected"), [(76, WIDE), (40, NARROW)])
def test_lines_are_aligned(monkeypatch, width, expected):
    """
    Side by side where there is room; mark, word and colour say the same.
    """
    told = shown(monkeypatch, width, color="never")

    assert expected == "".join(f"{line.rstrip()}\n" for line in told.splitlines())


def test_colour_and_marks_are_extra(monkeypatch):
    """
    Where the marks cannot be shown, the words are; colour comes where it may.
    """
    plain = shown(monkeypatch, 80, encoding="ascii", color="never")

    assert plain.isascii()
    assert ["ok", "warning", "problem"] == [
        line.split()[0] for line in plain.splitlines() if line[0] != " "
    ]
    assert "\x1b[1;31m" in shown(monkeypatch, 80, color="always")
