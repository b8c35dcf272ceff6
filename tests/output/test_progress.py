from __future__ import annotations

import re
from dataclasses import replace

from output.telling import DONE, ID, OTHER, CapturedConsole, Terminal

from krea_cli.api.models import Job, SavedFile
from krea_cli.errors import ServerError
from krea_cli.output.progress import StatusCounts


def look(telling, progress, status, *, at, job_id=ID):
    telling.seconds = at
    progress.seen(Job(job_id=job_id, status=status))


def test_a_line_at_each_change_and_each_thirty_seconds():
    """
    A log shows what is new, and that the program is alive.
    """
    telling = CapturedConsole()
    with telling.output.progress() as progress:
        for seconds in (0, 2, 29, 30, 31, 59, 61):
            look(telling, progress, "queued", at=seconds)
        look(telling, progress, "processing", at=62)
        look(telling, progress, "processing", at=91)
        look(telling, progress, "completed", at=92)

    assert [
        f"{ID} queued (0 s)",
        f"{ID} queued (30 s)",
        f"{ID} queued (61 s)",
        f"{ID} processing (62 s)",
        f"{ID} completed (92 s)",
    ] == telling.err.splitlines()


def test_each_of_several_jobs_has_its_lines():
    """
    A change of one job is news, whatever the others do.
    """
    telling = CapturedConsole()
    with telling.output.progress() as progress:
        look(telling, progress, "queued", at=0)
        look(telling, progress, "queued", at=0, job_id=OTHER)
        look(telling, progress, "queued", at=2)
        look(telling, progress, "failed", at=2, job_id=OTHER)

    assert [
        f"{ID} queued (0 s)",
        f"{OTHER} queued (0 s)",
        f"{OTHER} failed (2 s)",
    ] == telling.err.splitlines()


def test_many_jobs_are_counted():
    """
    Where nobody could read a line for each change of each: how far they have come,
    every thirty seconds, and by its id each that fails. The numbers add up.
    """
    telling = CapturedConsole()
    others = [f"{OTHER[:-2]}{at:02}" for at in range(10)]
    with telling.output.progress() as progress:
        progress.counts(StatusCounts(11))
        for job_id in (ID, *others):
            look(telling, progress, "queued", at=0, job_id=job_id)
        for job_id in others:
            look(telling, progress, "processing", at=3, job_id=job_id)
        look(telling, progress, "failed", at=4)
        look(telling, progress, "completed", at=30, job_id=others[0])
        look(telling, progress, "completed", at=34, job_id=others[1])
        telling.seconds = 64
        progress.missed(Job(job_id=OTHER, status="x"), ServerError("no answer."))

    assert [
        f"{ID} failed; 0/11 completed · 10 running · 1 failed (4 s)",
        "2/11 completed · 8 running · 1 failed (34 s)",
        "2/11 completed · 8 running · 1 failed; cannot check: no answer (64 s)",
    ] == telling.err.splitlines()


def test_a_job_that_cannot_be_seen_has_its_lines_too():
    """
    Every thirty seconds, with the reason, as one line whatever is in it.
    """
    telling = CapturedConsole()
    fault = ServerError("no\nanswer\x1b[2J.")
    with telling.output.progress() as progress:
        look(telling, progress, "queued", at=0)
        for seconds in (2, 29, 30, 59, 61):
            telling.seconds = seconds
            progress.missed(Job(job_id=ID, status="queued"), fault)
        look(telling, progress, "queued", at=62)

    assert [
        f"{ID} queued (0 s)",
        f"{ID} queued; cannot check: no answer\\x1b[2J (30 s)",
        f"{ID} queued; cannot check: no answer\\x1b[2J (61 s)",
    ] == telling.err.splitlines()


def test_a_long_download_has_its_lines():
    """
    Every thirty seconds, with how much is there, and of how much if that is known.
    """
    telling = CapturedConsole()
    with telling.output.progress() as progress:
        for seconds, length in (
            (0, 80_000_000),
            (29, None),
            (31, 80_000_000),
            (65, None),
        ):
            telling.seconds = seconds
            progress.received(DONE, 1_000_000 * seconds, length)

    assert [
        f"{ID} completed, downloaded 31.0 of 80.0 MB (31 s)",
        f"{ID} completed, downloaded 65.0 MB (65 s)",
    ] == telling.err.splitlines()


def test_lines_during_long_uploads_count_files_and_bytes():
    telling = CapturedConsole()
    with telling.output.progress() as progress:
        for seconds, done, files in ((1, 0, 1), (31, 0, 1), (40, 1, 3), (65, 2, 3)):
            telling.seconds = seconds
            progress.uploading(done, files, seconds * 1_000_000, 80_000_000)

    assert [
        "uploading 31.0 of 80.0 MB (31 s)",
        "uploading 2 of 3 files, 65.0 of 80.0 MB (65 s)",
    ] == telling.err.splitlines()


def test_spinner_during_uploads_counts_files():
    telling = CapturedConsole(err=Terminal())
    with telling.output.progress() as progress:
        progress.uploading(2, 3, 1_000_000, 1_500_000)

    assert "uploading 2 of 3 files, 1.0 of 1.5 MB" in telling.err


def test_quiet_and_json_have_no_progress():
    """
    Nothing on either stream, terminal or not.
    """
    for flags in ({"quiet": True}, {"json": True}):
        for is_terminal in (True, False):
            files = (Terminal(), Terminal()) if is_terminal else (None, None)
            telling = CapturedConsole(out=files[0], err=files[1], **flags)
            with telling.output.progress() as progress:
                progress.doing("uploading")
                look(telling, progress, "queued", at=0)

            assert ("", "") == (telling.out, telling.err)


def test_the_spinner_counts_jobs_and_cleans_up():
    """
    A person sees one line with how many jobs have which status; at the end it is gone,
    and the cursor is there.
    """
    telling = CapturedConsole(err=Terminal())
    with telling.output.progress() as progress:
        progress.doing("submitting")
        progress.counts(StatusCounts(11, saves=True))
        look(telling, progress, "queued", at=0)
        look(telling, progress, "queued", at=0, job_id=OTHER)
        look(telling, progress, "sampling", at=1, job_id=OTHER)
        look(telling, progress, "sampling", at=1)

    assert "0/11 saved · 2 running · 9 waiting" in telling.err
    assert telling.err.endswith("\x1b[1A\x1b[2K")
    assert telling.err.rindex("\x1b[?25l") < telling.err.rindex("\x1b[?25h")
    assert "" == telling.out


def test_the_spinner_tells_the_usual_time():
    """
    Beside the time since it began; nothing where it is not known.
    """
    for seconds, known in ((83.4, True), (None, False)):
        telling = CapturedConsole(err=Terminal(), color="never")
        with telling.output.progress() as progress:
            progress.usually(seconds)
            look(telling, progress, "queued", at=0)

        assert known == (
            "queued  0 s (usually about 1 min 23 s)  waiting" in telling.err
        )
        assert known == ("usually" in telling.err)


def test_the_usual_time_is_shown_until_it_has_passed():
    telling = CapturedConsole(err=Terminal(), color="never")
    with telling.output.progress() as progress:
        progress.usually(20)
        look(telling, progress, "processing", at=38)

    assert "processing  38 s" in telling.err
    assert "usually" not in telling.err[telling.err.index("38 s") :]


def test_many_jobs_have_money_a_line_for_each_file_and_the_time_left():
    files = (SavedFile(path="owl-1.png", url="u", media_type="image/png",
        size_bytes=1, sha256="0", width=1, height=1),)  # fmt: skip
    for err, total in ((Terminal(), 20), (None, 20), (Terminal(), 2)):
        telling = CapturedConsole(err=err, color="never")
        ids = [f"{OTHER[:-2]}{at:02}" for at in range(min(total, 7))]
        with telling.output.progress() as progress:
            progress.counts(StatusCounts(total, saves=True))
            for job_id in ids:
                progress.seen(Job(job_id=job_id, status="sampling", cost_usd=0.15))
            progress.seen(Job(job_id=ids[-1], status="failed", cost_usd=0.15))
            telling.seconds = 48
            for job_id in ids[:4]:
                done = Job(job_id=job_id, status="completed", files=files)
                progress.saved(done)
                progress.saved(replace(done, files=()))

        assert min(4, total) == len(re.findall("saved owl-1.png", telling.err))
        if total == 20:
            assert (
                "4/20 saved · 2 running · 13 waiting · 1 failed  $0.90" in telling.err
            )
        if err and total == 20:
            assert "$0.90  48 s, about 3 min left" in telling.err


def test_what_is_said_while_the_spinner_turns_has_its_own_line():
    """
    The spinner makes room for it (one console knows of both).
    """
    telling = CapturedConsole(err=Terminal())
    with telling.output.progress() as progress:
        progress.doing("submitting")
        telling.output.note("GET /jobs 200")

    at = telling.err.index("GET /jobs 200")

    assert "\x1b[2K" in telling.err[at - 12 : at]
    assert "submitting" in telling.err[at:]


def test_a_service_that_is_full_has_one_line():
    """
    Told again and again, it is on the spinner's line; a log has it each thirty seconds.
    """
    for file, told in ((Terminal(), 1), (None, 3)):
        telling = CapturedConsole(err=file, color="never")
        with telling.output.progress():
            for seconds in range(70):
                telling.seconds = seconds
                telling.output.delayed(f"It is full, {seconds}.")

        assert told == len(
            re.findall(r"(?:^|\r|\x1b\[2K)It is full", telling.err, re.MULTILINE)
        )
        assert (" s  It is full, 69." in telling.err) == bool(file)


def test_a_narrow_encoding_has_a_spinner_it_can_show():
    """
    Outside Unicode it turns in ASCII.
    """
    file = Terminal()
    file.encoding = "cp1252"
    telling = CapturedConsole(err=file)
    with telling.output.progress() as progress:
        progress.doing("submitting")

    assert telling.err.isascii()


def test_time_is_that_of_the_run_also_while_its_results_are_saved():
    for err in (Terminal(), None):
        telling = CapturedConsole(err=err, color="never")
        telling.seconds = 12
        with telling.output.progress() as progress:
            progress.counts(StatusCounts(2, saves=True, began=2.0))
            look(telling, progress, "completed", at=15)
            progress.saved(Job(job_id=ID, status="completed", files=()))

        assert ("13 s" if err else "(13 s)") in telling.err
        assert "3 s" not in telling.err.replace("13 s", "")
