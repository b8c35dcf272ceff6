"""
How the records of the journal are told.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

import pytest
from output.telling import DONE, FAILED, FILE, CapturedConsole, Terminal

from krea_cli.journal.record import Record
from krea_cli.output.results.records import (
    RecordDetails,
    RecordRow,
    RecordsDeleted,
    UnconfirmedRecord,
)

JOB = "f81d4fa1-7dec-41d0-a765-00a0c91e6bf6"
RECORD = "9f3c2a11-4f5e-4c0e-9a71-5d1e3b2c4a6f"
PROMPT = "a watercolor of the harbour at dawn, with many small boats"
HOSTILE = "\x1b[31m [red]x[/]\t\u202e\n::error::"


def record(**changes):
    known = {
        "record": RECORD,
        "run": "0b1f6a8e",
        "service": "https://api.krea.ai",
        "created_at": 1_790_000_000.0,
        "model": "google/nano-banana-pro",
        "request": {
            "path": "image/google/nano-banana-pro",
            "body": {"prompt": PROMPT, "seed": 7, "image_urls": ["https://a.example"]},
            "webhook": None,
        },
        "request_sha256": "cd" * 32,
        "seed": 7,
        "cost_usd": 0.15,
        "state": "completed",
        "job_id": JOB,
        "files": (FILE,),
        "seconds": 23.4,
        "holder": "",
    }
    return Record(**known | changes)


def asked(prompt):
    return {"path": "x", "body": {"prompt": prompt}, "webhook": None}


LOST = record(job_id=None, state="unknown", files=(), seconds=None)
ROWS = [
    RecordRow(record=record(), status="completed"),
    RecordRow(record=LOST, status="unknown"),
    RecordRow(
        record=record(cost_usd=None, request=asked(HOSTILE), model="m\t" + HOSTILE),
        status="failed",
    ),
]

DETAILS = f"""\
completed  {JOB}
MODEL     google/nano-banana-pro
CREATED   2026-09-21 14:13
TOOK      23 s
PRICE     $0.15 (estimated)
SERVICE   https://api.krea.ai
RECORD    {RECORD}

FIELD       VALUE
prompt      {PROMPT}
seed        7
image_urls  ["https://a.example"]

FILE      owl.png  1024x768, PNG, 1.3 MB
SHA256    {FILE.sha256}
"""
DETAILS_PLAIN = f"""\
record\t{RECORD}
job_id\t{JOB}
status\tcompleted
model\tgoogle/nano-banana-pro
created_at\t2026-09-21T14:13:20Z
cost_usd\t0.15
seed\t7
seconds\t23.4
service\thttps://api.krea.ai
run\t0b1f6a8e
path\timage/google/nano-banana-pro
webhook\t
request_sha256\t{"cd" * 32}
field\tprompt\t{PROMPT}
field\tseed\t7
field\timage_urls\t["https://a.example"]
file\towl.png\t{FILE.sha256}
"""
DOUBT = f"""\
unknown  request {RECORD}
  2026-09-21 14:13:20  google/nano-banana-pro  $0.15
  {PROMPT}
  possible match  {DONE.job_id}  completed  created 2026-11-22 08:31:07
  possible match  {FAILED.job_id}  failed  created at an unknown time
"""
LOST_LINE = f"\tunknown\t2026-09-21T14:13:20Z\tgoogle/nano-banana-pro\t0.15\t{RECORD}\n"
DOUBT_PLAIN = f"""\
{LOST_LINE}\
{DONE.job_id}\tcompleted\t{DONE.created_at}\t\t\t{RECORD}
{FAILED.job_id}\tfailed\t\t\t\t{RECORD}
"""


@pytest.mark.parametrize(
    ("some", "human", "plain"),
    [
        (
            [RecordDetails(record=record(), status="completed")],
            DETAILS,
            DETAILS_PLAIN,
        ),
        (
            [
                UnconfirmedRecord(
                    record=LOST, status="unknown", candidates=[DONE, FAILED]
                )
            ],
            DOUBT,
            DOUBT_PLAIN,
        ),
        ([RecordsDeleted(1)], "1 record deleted\n", "1\n"),
        ([RecordsDeleted(0)], "0 records deleted\n", "0\n"),
    ],
    ids=["details", "doubt", "forgotten one", "forgotten none"],
)
def test_a_person_and_a_pipe_are_told(some, human, plain):
    """
    A view for a person; for a pipe lines by which a script finds everything.
    """
    person, pipe = CapturedConsole(out=Terminal(), color="never"), CapturedConsole()

    person.output.result(some)
    pipe.output.result(some)

    assert human == "\n".join(line.rstrip() for line in person.out.split("\n"))
    assert plain == pipe.out


def test_a_person_sees_the_likeliest_of_many_candidates():
    """
    Those that are made first, and how many others there are; a script gets all.
    """
    jobs = [replace(DONE, job_id=f"job-{n:02}") for n in range(23)]
    found = [UnconfirmedRecord(record=LOST, status="unknown", candidates=jobs)]
    person, pipe = CapturedConsole(out=Terminal(), color="never"), CapturedConsole()

    person.output.result(found)
    pipe.output.result(found)

    assert (True, False) == ("job-19" in person.out, "job-20" in person.out)
    assert "3 more (show all: --json)" in person.out
    assert 24 == len(pipe.out.splitlines())


def test_a_row_has_six_columns_whatever_is_in_it():
    """
    Job, status, time, model, price and record; what is not there is empty.
    """
    telling = CapturedConsole()

    telling.output.result(ROWS)
    lines = [line.split("\t") for line in telling.out.splitlines()]

    assert [6, 6, 6] == [len(line) for line in lines]
    assert [JOB, "", JOB] == [line[0] for line in lines]
    assert ["0.15", "0.15", "0"] == [line[4] for line in lines]
    assert {RECORD} == {line[5] for line in lines}


@pytest.mark.parametrize(
    ("columns", "header"),
    [
        (200, "JOB STATUS CREATED MODEL PRICE FILE PROMPT"),
        (100, "JOB STATUS CREATED MODEL PRICE FILE PROMPT"),
        (80, "JOB STATUS CREATED PRICE FILE PROMPT"),
        (60, "JOB STATUS PRICE FILE PROMPT"),
    ],
)
def test_jobs_list_has_file_price_and_prompt_at_every_width(
    monkeypatch, columns, header
):
    """
    Ids are short, and no line is longer than it may be.
    """
    monkeypatch.setenv("COLUMNS", str(columns))
    telling = CapturedConsole(out=Terminal(), color="never")

    telling.output.result(ROWS[:2])
    lines = telling.out.splitlines()

    assert header == " ".join(lines[0].split())
    assert lines[1].startswith(f"{JOB[:8]}  ")
    assert lines[2].startswith(f"request {RECORD[:8]}  unknown")
    assert max(map(len, lines)) <= columns
    assert "$0.15" in lines[1]
    assert JOB not in telling.out


def test_jobs_list_below_the_width_of_a_table_is_stacked(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    telling = CapturedConsole(out=Terminal(), color="never")

    telling.output.result(ROWS[:2])

    assert max(map(len, telling.out.splitlines())) <= 30
    for word in (JOB[:8], f"request {RECORD[:8]}", "completed", "a waterco"):
        assert word in telling.out


def test_jobs_list_tells_equal_beginnings_of_ids_apart():
    telling = CapturedConsole(out=Terminal(), color="never")
    others = [JOB, f"{JOB[:-1]}0", f"0{JOB[1:]}"]

    telling.output.result(
        [RecordRow(record=record(job_id=each), status="completed") for each in others]
    )

    assert [JOB, f"{JOB[:-1]}0", f"0{JOB[1:8]}"] == [
        line.split()[0] for line in telling.out.splitlines()[1:4]
    ]


def test_jobs_list_ends_with_the_total_of_its_rows():
    """
    Without jobs that are not billed.
    """
    telling = CapturedConsole(out=Terminal(), color="never")
    one = RecordRow(record=record(cost_usd=0.15), status="completed")

    telling.output.result(
        [one, one, replace(one, status="failed"), replace(one, status="submitted")]
    )
    telling.output.result([one, replace(one, record=record(cost_usd=None))])

    totals = re.findall("Shown: .*", telling.out)
    assert [("4", "$0.45"), ("2", "$0.15")] == [
        re.search(r"(\d+) jobs, (\$\d+\.\d+)", line).groups() for line in totals
    ]
    assert ["unknown" in line for line in totals] == [False, True]


def test_jobs_list_shortens_a_file_in_its_middle(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    telling = CapturedConsole(out=Terminal(), color="never")
    [file] = record().files
    files = [replace(file, path=f"out/{'x' * 40}-{at}.png") for at in (1, 2)]

    telling.output.result([RecordRow(record=record(files=files), status="completed")])

    assert re.search(r" x+…x*\S*png \+1  ", telling.out)
    assert "out/" not in telling.out


def test_columns_without_anything_are_no_trouble():
    """
    Records without price and prompt: the columns are left out.
    """
    telling = CapturedConsole(out=Terminal(), color="never")
    bare = record(cost_usd=None, request={"path": "x", "body": {}, "webhook": None})

    telling.output.result([RecordRow(record=bare, status="submitted")])
    telling.output.result([RecordDetails(record=bare, status="submitted")])

    assert "MODEL" in telling.out
    assert "PROMPT" not in telling.out
    assert "FIELD" not in telling.out


@pytest.mark.parametrize(
    "kind",
    [
        RecordRow,
        RecordDetails,
        lambda **row: UnconfirmedRecord(**row, candidates=None),
    ],
)
def test_foreign_words_stay_words(kind):
    """
    Nothing in a prompt, a model or a field acts on a terminal, is markup, or makes a
    line or a column.
    """
    request = {
        "path": HOSTILE,
        "body": {"prompt": HOSTILE, HOSTILE: [HOSTILE]},
        "webhook": HOSTILE,
    }
    some = [kind(record=record(request=request, model=HOSTILE), status="unknown")]
    forms = [
        CapturedConsole(out=Terminal(), color="never"),
        CapturedConsole(),
        CapturedConsole(json=True),
    ]
    for telling in forms:
        telling.output.result(some)

    told = "".join(telling.out for telling in forms)

    assert not set("\x1b\u202e") & set(told)
    assert not [line for line in told.splitlines() if line.startswith("::")]
    assert "[red]x[/]" in forms[0].out


def test_json_has_the_keys_of_the_contract():
    """
    A list has what names a request, `show` all of it, `recover` its candidates; keys
    are only ever added.
    """
    row = RecordRow(record=record(), status="completed").as_json()
    details = RecordDetails(record=record(), status="completed").as_json()
    doubt = UnconfirmedRecord(
        record=LOST, status="unknown", candidates=[DONE]
    ).as_json()
    blind = UnconfirmedRecord(record=LOST, status="unknown", candidates=None).as_json()

    assert {
        "record": RECORD,
        "job_id": JOB,
        "status": "completed",
        "model": "google/nano-banana-pro",
        "created_at": "2026-09-21T14:13:20Z",
        "cost_usd": 0.15,
        "billed": True,
        "seed": 7,
        "prompt": PROMPT,
        "files": row["files"],
    } == row
    assert ["owl.png", FILE.sha256] == [row["files"][0][k] for k in ("path", "sha256")]
    assert [*row, "request", "request_sha256", "run", "service", "seconds"] == list(
        details
    )
    assert record().request == details["request"]
    assert [*row, "candidates"] == list(doubt)
    assert [DONE.as_json()] == doubt["candidates"]
    assert blind["candidates"] is None
    assert json.dumps([row, details, doubt, blind])


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="no time zone to set")
def test_a_person_reads_times_of_their_own(monkeypatch):
    """
    The hour of the user's clock, for the journal's times and for the service's.
    """
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    telling = CapturedConsole(out=Terminal(), color="never")

    telling.output.result(
        [UnconfirmedRecord(record=LOST, status="unknown", candidates=[DONE])]
    )

    assert "2026-09-21 23:13" in telling.out
    assert "created 2026-11-22 17:31" in telling.out
