"""
How far a batch is, in a log and on a terminal.
"""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from output.telling import CapturedConsole, Terminal
from rich.console import Console

from krea_cli.api.models import Job
from krea_cli.errors import ServerError
from krea_cli.output.batch_progress import BatchCounts, BatchWork
from krea_cli.output.human.batch_bar import BatchBar

MODELS = {f"out/{number}.png": "flux" for number in range(10)}
WORK = BatchWork(models=MODELS, estimate_usd=1.5, usual_seconds=lambda _: 20.0)


def job(number, status, cost=0.15):
    return Job(job_id=f"job-{number}", status=status, cost_usd=cost)


@pytest.fixture
def counts(time):
    return BatchCounts(WORK, lambda: time.elapsed)


def submit(target, number, status="queued"):
    target.seen(f"out/{number}.png", job(number, status), is_paid=True)


def end(target, number, status="completed"):
    found = job(number, status)
    target.seen(f"out/{number}.png", found, is_paid=False)
    target.ended(f"out/{number}.png", found, is_paid=True)


def test_counts_of_a_batch_add_up_to_the_total(counts):
    for number in range(4):
        submit(counts, number)
    for number in range(3):
        counts.seen(f"out/{number}.png", job(number, "processing"), is_paid=False)
    end(counts, 0)
    end(counts, 1, "failed")

    assert ["2/10 done", "1 running", "7 waiting"] == counts.numbers


def test_money_of_a_batch_leaves_out_failed_jobs_and_those_of_earlier_runs(counts):
    submit(counts, 0)
    submit(counts, 1)
    counts.seen("out/2.png", job(2, "processing"), is_paid=False)
    end(counts, 1, "failed")

    assert "$0.15 of $1.50" == counts.money
    free = replace(WORK, estimate_usd=0.0)
    unknown = replace(WORK, estimate_usd=None)
    assert "" == BatchCounts(free, lambda: 0).money
    assert "$0.00 so far" == BatchCounts(unknown, lambda: 0).money


def test_time_left_comes_from_usual_times_and_jobs_at_once(counts, time):
    submit(counts, 0)
    before = counts.time_left
    for number in range(2):
        submit(counts, number, "processing")
    time.elapsed += 10

    # Two jobs with 10 s each, and eight of 20 s, two at once.
    assert ("", 90.0) == (before, counts.seconds_left)
    assert "about 2 min left" == counts.time_left


def test_time_left_uses_times_of_this_run_once_it_has_some(counts, time):
    for number in range(3):
        submit(counts, number, "processing")
    time.elapsed += 50
    for number in range(3):
        end(counts, number)

    assert 50 * 7 / 3 == pytest.approx(counts.seconds_left)


def test_time_left_of_the_last_job_never_falls_below_nothing(counts, time):
    for number in range(10):
        submit(counts, number, "processing")
    time.elapsed += 60

    assert "" == counts.time_left


def test_log_of_a_batch_has_a_line_for_each_item_and_totals_each_thirty_seconds():
    telling = CapturedConsole()
    with telling.output.batch_progress(WORK) as progress:
        progress.seen("out/0.png", job(0, "processing"), is_paid=True)
        telling.seconds = 29
        progress.ended("out/0.png", "saved out/0.png", job(0, "completed"))
        telling.seconds = 30
        progress.seen("out/1.png", job(1, "processing"), is_paid=True)
        progress.seen("out/2.png", job(2, "processing"), is_paid=True)
        telling.seconds = 61
        progress.missed("out/2.png", ServerError("no\nanswer."))

    left = "7 waiting  $0.45 of $1.50  about 1 min left; cannot check: no answer"
    assert [
        "saved out/0.png",
        "1/10 done, 1 running, 8 waiting  $0.30 of $1.50  about 3 min left",
        f"1/10 done, 2 running, {left}",
    ] == telling.err.replace(" \N{MIDDLE DOT}", ",").splitlines()


@pytest.mark.parametrize("flags", [{"quiet": True}, {"json": True}])
def test_progress_of_a_batch_is_silent_if_asked(flags):
    telling = CapturedConsole(err=Terminal(), **flags)
    with telling.output.batch_progress(WORK) as progress:
        progress.seen("out/0.png", job(0, "processing"), is_paid=True)
        progress.ended("out/0.png", "saved out/0.png", job(0, "completed"))

    assert ("", False) == (telling.err, progress.shows_lines)


def drawn(counts, width, height=20, encoding="utf-8"):
    """
    The lines of the bar on a terminal of this size.
    """
    file = io.TextIOWrapper(io.BytesIO(), encoding)
    console = Console(file=file, width=width, height=height, force_terminal=True)
    bar = BatchBar(console, counts, lambda _: None)
    bar.delayed("Krea is busy. Retrying in 3 s.")
    options = console.options
    lines = console.render_lines(bar._live.renderable, options, pad=False)
    return ["".join(segment.text for segment in line).rstrip() for line in lines]


def test_bar_of_a_batch_shows_up_to_eight_running_items(counts):
    for number in range(10):
        submit(counts, number, "processing" if number else "queued")

    *rows, delay, bar = drawn(counts, 120)

    assert [f"  out/{number}.png  processing  0 s" for number in range(1, 9)] == rows
    assert "Krea is busy. Retrying in 3 s." == delay
    assert bar.endswith(
        "0/10 done \N{MIDDLE DOT} 9 running \N{MIDDLE DOT} 1 waiting  $1.50 of $1.50  "
        "about 20 s left"
    )
    assert 5 == len(drawn(counts, 120, height=6))


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_bar_of_a_batch_fits_into_any_width(counts, width, encoding):
    submit(counts, 0, "processing")
    counts.missed("out/0.png", ServerError("no answer " * 9))

    lines = drawn(counts, width, encoding=encoding)

    assert all(len(line) < width + 1 for line in lines)
    assert "0/10" in lines[-1]
    assert lines[0].startswith("  out/0.png")


def test_bar_of_a_batch_shortens_a_path_at_its_beginning(time):
    name = "a-long-folder/another/picture-1.png"
    work = BatchWork({name: None}, 1.0, lambda _: 1.0)
    counts = BatchCounts(work, lambda: time.elapsed)
    counts.seen(name, job(0, "processing"), is_paid=True)

    assert "  …nother/picture-1.png  processing  0 s" == drawn(counts, 40)[0]


def test_lines_of_saved_files_stand_above_the_bar():
    telling = CapturedConsole(err=Terminal(), env={"COLUMNS": "80"})
    with telling.output.batch_progress(WORK) as progress:
        progress.seen("out/0.png", job(0, "processing"), is_paid=True)
        progress.ended("out/0.png", "saved out/0.png", job(0, "completed"))

    assert "saved out/0.png" in telling.err
    assert "done" in telling.err
