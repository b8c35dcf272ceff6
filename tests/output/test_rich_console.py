"""
What every view promises, whatever terminal it is drawn on.
"""

from __future__ import annotations

import re

import pytest
from output.telling import DONE, FAILED, CapturedConsole, Terminal
from output.test_check_results import FOUND
from output.test_job_records import LOST, RECORD, ROWS, record
from output.test_results import CASES

from krea_cli.api.models import Job
from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.schema_text import describe_schema
from krea_cli.errors import UnconfirmedSubmissionError
from krea_cli.output.results.dry_run import DryRun
from krea_cli.output.results.jobs import JobSaved, JobStatus, Topic
from krea_cli.output.results.models import FieldDetails, ModelDetails, ModelRow
from krea_cli.output.results.records import RecordDetails, UnconfirmedRecord


def details(model):
    fields = tuple(
        FieldDetails(
            name=name,
            schema=schema,
            allowed=describe_schema(schema),
            is_required=name in model.required,
            is_automatic=False,
        )
        for name, schema in model.fields.items()
    )
    return ModelDetails(model=model, fields=fields, example=f"krea generate {COMMAND}")


COMMAND = "krea jobs recover 3e8c5515 --adopt 67c0d33f-0000-0000-0000-000000000000"
MAKE = "mkdir -p '/home/somebody/with blanks/in the name/of a folder'"
NAME = "-o '/home/somebody/with blanks/in the name/of a folder/'"
MODELS = Catalog.bundled()
TEXT = "What succeeded is on standard output in any case, if there is one.\n  0  all"
VIEWS = [
    # What would be sent is JSON, whose lines are as they are.
    *(some for some, _, _ in CASES if not isinstance(some[0], DryRun)),
    [Topic("wit", TEXT)],
    [JobStatus(Job(job_id=DONE.job_id, status="queued"))],
    ROWS,
    FOUND,
    [RecordDetails(record=record(), status="completed")],
    [UnconfirmedRecord(record=LOST, status="unknown", candidates=[DONE, FAILED])],
    [UnconfirmedRecord(record=LOST, status="unknown", candidates=[])],
    [ModelRow(model) for model in MODELS.models],
    *([details(MODELS.find(name))] for name in ("nano-banana-pro", "krea-2/large")),
]
ERROR = UnconfirmedSubmissionError(
    "Krea may have accepted this request. If it did, it will be billed.",
    details=["Possible match: 67c0d33f-0000-0000-0000-000000000000 (processing)."],
    hint=f"If it is yours: {COMMAND}\nMake it: {MAKE}\nOr let krea make it: {NAME}\n"
    "If not: close it with --forget, and go on.",
)
# Readable on white and on black; blue vanishes on one, white on the other.
RESET, BOLD, DIM, RED, GREEN, YELLOW, CYAN = "0", "1", "2", "31", "32", "33", "36"


def drawn(monkeypatch, *, columns, encoding="utf-8", **flags):
    """
    All views, an error and the wait on a terminal.
    """
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal()
    terminal.encoding = encoding
    telling = CapturedConsole(out=terminal, err=terminal, **flags)
    for some in VIEWS:
        telling.output.result(some)
    telling.output.error(ERROR)
    with telling.output.progress() as progress:
        progress.usually(24.0)
        progress.seen(Job(job_id=DONE.job_id, status="queued"))
        progress.missed(DONE, ERROR)
    return terminal.getvalue()


@pytest.mark.parametrize("columns", [40, 41, 57, 64, 80, 120, 200])
def test_lines_fit(monkeypatch, columns):
    """
    No line is longer than the terminal is wide, but for what is copied: ids, paths and
    URLs, which have no blanks, commands, and sums.
    """
    shown = drawn(monkeypatch, columns=columns, color="never")
    lines = re.sub(r"\x1b\[\??[\d;]*[A-Za-z]", "\r", shown).splitlines()

    wide = [line.strip() for line in lines if len(line.rstrip()) > columns]
    assert [] == [
        line
        for line in wide
        if " " in line and not re.match(r"(hint: )?(krea|mv|mkdir|-o) ", line)
    ]
    assert [] == [each for each in (COMMAND, MAKE, NAME) if each not in shown]
    assert RECORD in shown


def test_only_colours_that_can_be_read(monkeypatch):
    """
    On a light terminal and on a dark one, by the theme of the user.
    """
    shown = drawn(monkeypatch, columns=80, color="always")
    codes = {
        code
        for codes in re.findall(r"\x1b\[([\d;]*)m", shown)
        for code in codes.split(";")
    }

    assert {RESET, BOLD, DIM, RED, GREEN, YELLOW, CYAN} == codes


def test_without_colour_nothing_is_styled(monkeypatch):
    """
    Nor bold nor dim, by NO_COLOR.
    """
    shown = drawn(monkeypatch, columns=80, env={"NO_COLOR": "1"})

    assert not re.search(r"\x1b\[[\d;]*m", shown)


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_what_cannot_be_encoded_is_not_drawn(monkeypatch, columns, encoding):
    """
    Rules, marks and the ends of what is cut have other forms there.
    """
    shown = drawn(monkeypatch, columns=columns, encoding=encoding, color="never")

    assert shown.isascii()
    assert "~" in shown
    assert "-- saved --" in shown


def test_a_path_stands_alone(monkeypatch):
    """
    In the panel nothing stands beside it, and it is whole, however long it is.
    """
    monkeypatch.setenv("COLUMNS", "40")
    telling = CapturedConsole(out=Terminal(), color="never")
    path = "/a/folder with blanks/" + 40 * "x" + "/owl.png"
    file = DONE.files[0].__class__(
        path=path, url="u", media_type="image/png", size_bytes=1, sha256="0"
    )

    telling.output.result([JobSaved(DONE.__class__(**_done(), files=(file,)))])

    assert path in telling.out.splitlines()
    assert max(map(len, telling.out.replace(path, "").splitlines())) <= 40


def _done():
    return {"job_id": DONE.job_id, "status": "completed", "model": DONE.model}


def test_what_has_no_room_beside_is_below(monkeypatch):
    """
    Where id and status have no line together, each job has some.
    """
    monkeypatch.setenv("COLUMNS", "40")
    telling = CapturedConsole(out=Terminal(), color="never")

    telling.output.result([JobStatus(DONE)])

    assert (
        f"{DONE.job_id}\n  completed  google/nano-banana-pro\n  2026-11-22 08:31\n"
    ) == telling.out


def test_a_dumb_terminal_has_a_width_too(monkeypatch):
    """
    What is told is wrapped for it as for any other, without colours.
    """
    monkeypatch.setenv("TERM", "dumb")
    shown = drawn(monkeypatch, columns=40, env={"TERM": "dumb"})

    assert "\x1b" not in shown
    assert "── saved ──" in shown
    assert "error: Krea may have accepted this\n       request." in shown


def test_a_question_is_wrapped(monkeypatch):
    """
    What is typed stands behind it.
    """
    monkeypatch.setenv("COLUMNS", "40")
    telling = CapturedConsole(err=Terminal(), color="never")

    telling.output.ask("Which job is yours? Type 1, or press Enter to decide later: ")

    assert (
        "Which job is yours? Type 1, or press\nEnter to decide later: " == telling.err
    )
