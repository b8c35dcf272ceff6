"""
`krea batch` while its lock, its standard output or its disk goes bad: what is said
about money is what happened.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest
from service import answer

from krea_cli.batch import lock_file
from krea_cli.batch.lock_file import LockFile
from krea_cli.commands.report_batch import BatchReport
from krea_cli.errors import StorageError
from krea_cli.operations import batch_run
from krea_cli.output.streams import Stream
from krea_cli.sandbox.http_handler import SandboxHandler

POST, LOCK = "POST /generate/", Path("pictures.toml.lock")
COUNT = 6


@pytest.fixture
def manifest(krea):
    path = Path("pictures.toml")
    path.write_text(
        "".join(
            f'[[pictures]]\nprompt = "owl {number}"\noutput = "out/{number}.png"\n'
            for number in range(COUNT)
        )
    )
    return path


def and_then(act):
    """
    Do something while the service answers a request as usual.
    """

    def fault(handler):
        act()
        path = handler.path.partition("?")[0]
        SandboxHandler.handle_route(handler, handler.command, path)

    return fault


def remove():
    if LOCK.is_dir():
        LOCK.rmdir()
    else:
        LOCK.unlink(missing_ok=True)


def damage(kind):
    def act():
        remove()
        # The run may write the lock anew at any moment.
        while kind == "folder" and not LOCK.is_dir():
            with suppress(FileExistsError):
                remove()
                LOCK.mkdir()
        if kind == "folder":
            return
        if kind == "pipe":
            os.mkfifo(LOCK)
        else:
            LOCK.write_text("junk\n")

    return act


@pytest.mark.posix
@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_lock_that_breaks_at_the_first_request_stops_after_it(
    logged_in, service, manifest, kind
):
    service.faults[POST] = [and_then(damage(kind))]

    broken = logged_in("batch", manifest)
    paid = service.bills
    remove()
    mended = logged_in("batch", manifest)

    assert (7, 1) == (broken.code, paid)
    assert "1 made, 5 not submitted. This run cost $0.15 (estimated)." in broken.err
    assert "Cannot write pictures.toml.lock: " in broken.err
    assert "5 items were not submitted." in broken.err
    assert "Nothing was submitted" not in broken.err
    assert (0, COUNT) == (mended.code, service.bills)
    assert COUNT == len(LOCK.read_text().splitlines())


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_disk_that_gets_full_for_the_lock_stops_submitting(
    logged_in, service, manifest, monkeypatch
):
    write, written = lock_file._write, []

    def not_replaced(*_):
        raise StorageError("Cannot write pictures.toml.lock: No space left on device.")

    def two_lines(file, data):
        written.append(data)
        (write if len(written) <= 2 else no_space)(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(batch_run, "SUBMIT_AT_ONCE", 1)
        patch.setattr(lock_file, "_write", two_lines)
        patch.setattr(LockFile, "replace", not_replaced)
        broken = logged_in("batch", manifest, "--no-wait")
    paid = service.bills
    mended = logged_in("batch", manifest)

    assert (7, 3) == (broken.code, paid)
    assert "This run cost $0.45 (estimated)." in broken.err
    assert "No space left on device. 3 items were not submitted." in broken.err
    assert "hint: Continue: krea batch pictures.toml" in broken.err
    assert (0, COUNT) == (mended.code, service.bills)


def test_disk_that_has_space_again_in_the_end_leaves_a_complete_lock(
    logged_in, service, manifest, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(lock_file, "_write", no_space)
        broken = logged_in("batch", manifest)
    lines = LOCK.read_text().splitlines()

    assert (7, 1) == (broken.code, service.bills)
    assert [True] == ['"state":"completed"' in line for line in lines]


def test_lock_that_is_damaged_during_the_run_says_what_it_cost(
    logged_in, service, manifest
):
    service.faults["GET /results/"] = [and_then(damage("junk"))]

    broken = logged_in("batch", manifest)

    assert (7, COUNT) == (broken.code, service.bills)
    assert f"{COUNT} made. This run cost $0.90 (estimated)." in broken.err
    assert "pictures.toml.lock, line 1 is damaged" in broken.err
    assert "Run the same command on this computer" in broken.err
    assert "Nothing was submitted" not in broken.err
    assert "running" not in broken.err


@pytest.mark.parametrize("shown", [0, 2])
def test_standard_output_that_gets_full_ends_the_run_with_its_facts(
    logged_in, service, manifest, monkeypatch, shown
):
    """
    What is saved by then is not called running.
    """
    real, lines = Stream._write, []

    def write(stream, text):
        if stream._name == "Standard output":
            lines.append(text)
            if len(lines) > shown:
                raise stream._lost(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        real(stream, text)

    with monkeypatch.context() as patch:
        patch.setattr(Stream, "_write", write)
        broken = logged_in("batch", manifest)
    saved = len(list(Path("out").glob("*.png")))
    running = service.bills - saved
    mended = logged_in("batch", manifest)

    assert 7 == broken.code
    assert "Cannot write to standard output: No space left on device." in broken.err
    assert f"Saved {saved} of {COUNT}." in broken.err
    assert bool(running) == ("keep running" in broken.err)
    assert "hint: Continue: krea batch pictures.toml" in broken.err
    assert (0, COUNT) == (mended.code, service.bills)


def test_bug_in_a_batch_does_not_hide_behind_a_lock_that_breaks(
    logged_in, service, manifest, monkeypatch
):
    def broken(*_):
        damage("folder")()
        raise ZeroDivisionError

    monkeypatch.setattr(BatchReport, "event", broken)

    result = logged_in("batch", manifest)

    assert 1 == result.code
    assert "ZeroDivisionError" in result.err


def test_sheet_that_cannot_be_written_does_not_hide_the_error_of_the_run(
    logged_in, service, manifest
):
    service.add_faults("submit:fails@3")

    result = logged_in("batch", manifest, "--sheet", "none/sheet.html")

    assert 9 == result.code
    assert "out/3.png failed" in result.err
    assert "sheet" in result.err


@pytest.mark.parametrize("status", [400, 404, 406, 418])
@pytest.mark.parametrize("is_new", [True, False])
def test_status_query_that_krea_rejects_is_not_repeated_for_minutes(
    logged_in, service, manifest, time, status, is_new
):
    """
    Nobody knows how the jobs ended, so that they neither failed nor cost nothing.
    """
    if not is_new:
        logged_in("batch", manifest, "--no-wait")
    rejected = answer(status, {"message": "no"})
    service.faults = {"GET /jobs": [rejected] * 500}
    before = time.elapsed
    other = {} if is_new else {"KREA_STATE_DIR": str(Path("other").resolve())}

    result = logged_in("batch", manifest, env=other)
    service.faults = {}
    again = logged_in("batch", manifest, env=other)

    assert time.elapsed - before < 60
    assert f"{COUNT} not checked." in result.err
    assert is_new == ("cost $0.90" in result.err)
    assert "--again" not in result.err
    assert "hint: Continue: krea batch pictures.toml" in result.err
    assert (0, COUNT) == (again.code, service.bills)


@pytest.mark.posix
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder without files")
def test_lock_in_a_folder_that_takes_no_files_is_named_with_its_option(
    logged_in, service, manifest
):
    result = logged_in("batch", manifest, "--lock", "/proc/x.lock")

    assert (7, 0) == (result.code, service.bills)
    assert "/proc/x.lock" in result.err
    assert "--lock" in result.err
    assert " -o" not in result.err
