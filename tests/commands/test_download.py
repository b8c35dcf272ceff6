from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from conftest import png
from media.samples import MP4_AT_THE_END
from service import answer, file, html, job, reset

from krea_cli.api.models import MAX_RESULTS
from krea_cli.sandbox.http_handler import SandboxHandler

UNKNOWN = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"
RESULT = "GET /results/"


@pytest.fixture
def finished(logged_in, time):
    """
    Makes so many completed jobs in one call: their ids.
    """

    def finish(count=1, *words):
        made = logged_in("generate", "Two Owls!", "--no-wait", "-n", count, *words)
        time.elapsed += 60
        return made.out.split()

    return finish


def test_saves_under_the_name_of_the_job(logged_in, finished):
    """
    The path is on standard output, the file is the result byte for byte.
    """
    [job_id] = finished()

    result = logged_in("download")

    assert (0, f"{job_id}.png\n") == (result.code, result.out)
    assert png() == Path(f"{job_id}.png").read_bytes()


def test_json_has_the_file(logged_in, finished, tmp_path, monkeypatch):
    """
    Path, kind, size, hash and pixels; the journal keeps them for `status`, wherever
    that is run.
    """
    [job_id] = finished()
    work = Path().absolute()

    told = json.loads(logged_in("download", job_id, "-o", "a.png", "--json").out)
    monkeypatch.chdir(tmp_path)
    later = json.loads(logged_in("status", job_id, "--json").out)
    [file] = told["files"]

    assert ("a.png", "image/png", len(png())) == (
        file["path"],
        file["media_type"],
        file["size_bytes"],
    )
    assert (64, 48, 64) == (file["width"], file["height"], len(file["sha256"]))
    assert told["urls"] == [file["url"]]
    assert [file | {"path": str(work / "a.png")}] == later["files"]
    assert f"{work}/a.png\n" == logged_in("download", job_id).out


def test_a_person_is_told_what_was_saved(logged_in, finished):
    """
    A line with size and kind.
    """
    finished()
    logged_in.is_terminal = True

    result = logged_in("download", "-o", "a.png", "--color", "never")

    assert result.out.startswith("── saved ──")


def test_a_folder_is_made(logged_in, finished):
    """
    A name that ends in a slash is a folder, and so is one that there is.
    """
    [job_id] = finished()
    Path("there").mkdir()

    new = logged_in("download", "-o", "not/yet/there/")
    old = logged_in("download", "-o", "there")

    assert f"not/yet/there/{job_id}.png\n" == new.out
    assert f"there/{job_id}.png\n" == old.out


def test_a_template_has_its_fields(logged_in, finished):
    """
    Only what the job and the journal know; the index counts all results.
    """
    finished(2)

    result = logged_in("download", "-o", "{model}/{index}-{seed}.{ext}")

    assert [f"nano-banana-pro/{at}-random.png" for at in (1, 2)] == (
        result.out.splitlines()
    )


@pytest.mark.parametrize(
    ("command", "image"),
    [("download", "../photo.jpg"), ("wait", "https://s.krea.ai/My%20Owl.png?key=x")],
)
def test_a_template_has_what_the_journal_knows(
    logged_in, service, time, photo, command, image
):
    """
    Whenever it is collected: prompt, image, seed, model, and the time when it was asked
    for give the name that they gave to `generate`, also where the URL of the image had
    what is not kept.
    """
    template = "{model}/{slug}-{stem}-{seed}-{date}-{time}.{ext}"
    words = ("generate", "-p", "prompt=Oil?", "-m", "ideogram-4.5", "--seed", "7")
    words += ("-i", image, "-o", template)
    made = logged_in(*words)
    logged_in(*words, "--no-wait")
    time.elapsed += 24 * 3600
    fetched = len(service.requests(RESULT))

    [second, first] = service.store.jobs()
    again = logged_in(command, first.job_id, "-o", template)
    later = logged_in(command, second.job_id, "-o", template)

    stem = "photo" if command == "download" else "My-20Owl"
    assert made.out.startswith(f"ideogram-4.5/oil-{stem}-7-")
    assert (0, made.out) == (again.code, again.out)
    assert (0, made.out[:-11]) == (later.code, later.out[:-11])
    assert fetched + 1 == len(service.requests(RESULT))


def test_the_name_decides_the_kind(logged_in, finished):
    """
    -o out.webp converts.
    """
    finished()

    result = logged_in("download", "-o", "owl.webp", "--json")
    [file] = json.loads(result.out)["files"]

    assert "image/webp" == file["media_type"]
    assert b"WEBP" == Path("owl.webp").read_bytes()[8:12]


def test_bytes_to_a_pipe(logged_in, finished):
    """
    -o - is the file and nothing but the file.
    """
    finished()

    result = logged_in("download", "-o", "-")
    written = logged_in.stdout.buffer.getvalue()

    assert (0, png()) == (result.code, written)
    assert [] == list(Path().iterdir())


def test_two_results_do_not_go_to_one_pipe(logged_in, finished, service):
    """
    Exit 2 before anything is asked.
    """
    finished(2)

    result = logged_in("download", "-o", "-")

    assert (2, "") == (result.code, result.out)
    assert [] == service.requests("GET")


def test_bytes_do_not_go_to_a_terminal_or_among_json(logged_in, finished):
    """
    Exit 2, with the way out.
    """
    finished()

    among = logged_in("download", "-o", "-", "--json")
    logged_in.is_terminal = True
    shown = logged_in("download", "-o", "-")

    assert (2, 2) == (among.code, shown.code)
    assert "terminal" in shown.err


def test_a_running_job_is_exit_8(logged_in, service):
    """
    It is not waited for; the hint is what does.
    """
    [job_id] = logged_in("generate", "an owl", "--no-wait").out.split()

    result = logged_in("download", job_id, "-o", "owl.png")

    assert (8, "") == (result.code, result.out)
    assert f"hint: Keep waiting: krea wait {job_id} -o owl.png\n" in result.err
    assert [] == service.requests(RESULT)


def test_a_failed_job_is_exit_3(logged_in, finished, service):
    """
    There is nothing to save, and nothing that could be collected.
    """
    [job_id] = finished()
    service.faults["GET /jobs/"] = [job(status="failed", error="No bears.")]

    result = logged_in("download", job_id)

    assert (3, "") == (result.code, result.out)
    assert "No bears" in result.err
    assert "krea" not in result.err


def test_an_unknown_job_is_exit_2(logged_in):
    """
    Neither the journal nor the service has it.
    """
    assert 2 == logged_in("download", UNKNOWN).code


def test_a_target_that_exists_is_exit_7(logged_in, finished):
    """
    Nothing is overwritten, and the hint does not try the same again; --force does.
    """
    [job_id] = finished()
    logged_in("download")
    Path(f"{job_id}.png").write_bytes(b"mine")

    again = logged_in("download")
    forced = logged_in("download", "--force")

    assert (7, "") == (again.code, again.out)
    assert "already exists" in again.err
    assert (0, f"{job_id}.png\n") == (forced.code, forced.out)
    assert png() == Path(f"{job_id}.png").read_bytes()


def test_what_is_there_is_not_fetched_again(logged_in, finished, service):
    """
    The files that the journal knows, byte for byte as they were saved: exit 0, and what
    is told is the same.
    """
    jobs = finished(2)
    words = ("download", *jobs, "-o", "{index}.webp", "--json")

    first = logged_in(*words)
    fetched = len(service.requests(RESULT))
    again = logged_in(*words)

    assert (2, 2) == (fetched, len(service.requests(RESULT)))
    assert (0, first.out, "") == (again.code, again.out, again.err)


def test_what_was_generated_is_there(logged_in, service):
    """
    Without -o the file counts where it was saved; with another name it is saved there,
    too.
    """
    logged_in("generate", "an owl", "-o", "owl.png")
    fetched = len(service.requests(RESULT))

    again = logged_in("download", "@last")
    assert (0, Path("owl.png").absolute(), fetched) == (
        again.code,
        Path(again.out.strip()).absolute(),
        len(service.requests(RESULT)),
    )
    elsewhere = logged_in("download", "-o", "copies/")

    assert 0 == elsewhere.code
    assert png() == Path(elsewhere.out.strip()).read_bytes()
    assert 2 == len(list(Path().rglob("*.png")))


def test_an_expired_url_is_asked_for_anew(logged_in, finished, service):
    """
    One more look at the job, and nothing is paid again.
    """
    [job_id] = finished()
    service.faults[RESULT] = [answer(403)]

    result = logged_in("download", job_id, "-o", "owl.png")

    assert (0, "owl.png\n") == (result.code, result.out)
    assert (2, 2) == (
        len(service.requests(f"GET /jobs/{job_id}")),
        len(service.requests(RESULT)),
    )
    assert 1 == service.bills


def test_a_result_above_the_limit_is_not_saved(logged_in, finished):
    """
    Exit 7, with the way to allow it; the same limit stands for `generate` and `wait`.
    """
    [job_id] = finished()
    size = len(png())

    refused = logged_in("download", job_id, "-o", "a.png", "--max-size", size - 1)
    waited = logged_in("wait", job_id, "-o", "a.png", "--max-size", "0.1kB")
    made = logged_in("generate", "an owl", "-o", "a.png", "--max-size", "0.1kB")
    just = logged_in("download", job_id, "-o", "a.png", "--max-size", size)

    assert [7, 7, 7] == [run.code for run in (refused, waited, made)]
    assert f"larger than {size - 1} bytes" in refused.err
    assert "hint: Save it with a higher limit: krea" in refused.err
    assert (0, "a.png\n") == (just.code, just.out)


def test_a_limit_that_is_none_is_exit_2(logged_in):
    """
    With what is allowed.
    """
    result = logged_in("download", UNKNOWN, "--max-size", "much")

    assert (2, True) == (result.code, "500MB" in result.err)


def test_a_result_of_another_kind_is_told(logged_in, finished, service):
    """
    A model of images gave a film: it is saved, and somebody may wonder.
    """
    [job_id] = finished()
    service.faults[RESULT] = [file(MP4_AT_THE_END)]

    result = logged_in("download", job_id)

    assert (0, f"{job_id}.mp4\n") == (result.code, result.out)
    assert (
        "warning: Model google/nano-banana-pro makes images, but job "
        f"{job_id} returned MP4: {job_id}.mp4\n"
    ) == result.err


def test_one_name_that_is_taken_leaves_the_others(logged_in, finished):
    """
    The others are saved; exit 7 is more urgent than that some were.
    """
    first, second = finished(2)
    Path(f"{first}-1.png").write_bytes(b"mine")

    result = logged_in("download")

    assert 7 == result.code
    assert f"{second}-2.png\n" == result.out
    assert b"mine" == Path(f"{first}-1.png").read_bytes()


def test_completed_without_a_result_is_exit_3(logged_in, finished, service):
    """
    After three more looks; the content filter is named; there is nothing to collect.
    """
    [job_id] = finished()
    service.faults["GET /jobs/"] = [job(status="completed", result={"urls": []})] * 9

    result = logged_in("download", job_id)

    assert 3 == result.code
    assert "content filter" in result.err
    assert 4 == len(service.requests("GET /jobs/"))


def test_a_result_that_comes_late_is_saved(logged_in, finished, service, time):
    """
    The job was completed a moment before; a running one is not waited for.
    """
    late, running = finished(2)
    lacking = job(status="completed", result={"urls": []})
    service.faults[f"GET /jobs/{late}"] = [lacking] * 2
    service.faults[f"GET /jobs/{running}"] = [job(status="sampling")] * 9

    result = logged_in("download", late, running)

    assert (8, f"{late}-1.png\n") == (result.code, result.out)
    assert 1 == len(service.requests(f"GET /jobs/{running}"))


@pytest.mark.parametrize(
    "fault", [answer(404), answer(500), html(200), reset], ids=lambda f: f.__qualname__
)
def test_a_result_that_cannot_be_fetched_is_exit_7(logged_in, finished, service, fault):
    """
    The job is kept, the same command tries again free of charge, nothing half is left.
    """
    [job_id] = finished()
    service.faults[RESULT] = [fault] * 9

    result = logged_in("download", job_id, "-o", "owl.png")

    assert (7, "") == (result.code, result.out)
    assert f": krea download {job_id} -o owl.png" in result.err
    assert [] == list(Path().iterdir())
    service.faults.clear()
    assert 0 == logged_in("download", job_id, "-o", "owl.png").code


def test_the_setting_says_where(logged_in, finished):
    """
    KREA_OUTPUT is what --output takes, and the flag wins.
    """
    [job_id] = finished()

    result = logged_in("download", env={"KREA_OUTPUT": "owls/"})
    flagged = logged_in("download", "-o", "a.png", env={"KREA_OUTPUT": "owls/"})

    assert f"owls/{job_id}.png\n" == result.out
    assert "a.png\n" == flagged.out


def test_several_are_fetched_at_once(logged_in, finished, service):
    """
    Four meet at the service; what is told has the order of the jobs, whichever was
    there first.
    """
    jobs = finished(5)
    meeting, last = threading.Barrier(4), threading.Event()

    def met(handler):
        if jobs[4] not in handler.path:
            meeting.wait(10)
        if jobs[0] in handler.path:
            last.wait(10)
        SandboxHandler.handle_route(handler, "GET", handler.path)
        if jobs[4] in handler.path:
            last.set()

    service.faults[RESULT] = [met] * 5

    result = logged_in("download", "-o", "owl.png")

    assert 0 == result.code
    assert [f"owl-{at}.png" for at in range(1, 6)] == result.out.split()
    assert all(png() == Path(line).read_bytes() for line in result.out.split())


def test_one_that_cannot_be_fetched_stops_no_other(logged_in, finished, service):
    """
    Three of four are saved under the names that they would have had; the errors have
    the order of the jobs, each with the way to collect it.
    """
    jobs = finished(4)
    for at in (3, 1):
        service.faults[f"{RESULT}{jobs[at]}"] = [answer(404)] * 4

    result = logged_in("download", "-o", "owl.png")

    assert (7, ["owl-1.png", "owl-3.png"]) == (result.code, result.out.split())
    first, second = (result.err.index(f"{jobs[at]}-image.png") for at in (1, 3))
    assert first < second
    assert 2 == result.err.count(": krea download")


def test_a_terminal_shows_a_bar_for_what_is_on_its_way(logged_in, finished, service):
    """
    With the beginning of the job's id and how much is here, until all is.
    """
    [job_id] = finished()
    logged_in.is_terminal = True
    content = png() + bytes(3000)
    drawn = []

    def halting(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        seen = logged_in.stderr
        for at in (1, 2):
            handler.wfile.write(content[1000 * (at - 1) : 1000 * at])
            for _ in range(500):
                if f"{at}.0/" in seen.getvalue():
                    break
                threading.Event().wait(0.01)
        drawn.append(seen.getvalue())
        handler.wfile.write(content[2000:])

    service.faults[RESULT] = [halting]

    result = logged_in("download", "-o", "a.png", "--color", "never")
    quiet = logged_in("download", "-o", "b.png", "-q")

    assert (0, 0, "") == (result.code, quiet.code, quiet.err)
    [seen] = drawn
    assert f"{job_id[:8]} " in seen
    assert f"2.0/{len(content) / 1000:.1f} kB" in seen
    assert "B/s" in seen


def test_no_more_than_a_thousand_results_of_a_job(logged_in, service, monkeypatch):
    """
    A mistake of the service fills no disk: what is saved stays, the number of the rest
    is told, and how to list it; exit 9.
    """
    assert MAX_RESULTS == 1000
    for module in ("downloads.downloader", "jobs.job_errors"):
        monkeypatch.setattr(f"krea_cli.{module}.MAX_RESULTS", 3)
    job_id = logged_in("generate", "an owl", "-o", "first.png", "--json").out
    told = json.loads(job_id)
    many = {"urls": told["urls"] * 1205}
    service.faults["GET /jobs/"] = [job(status="completed", result=many)] * 2

    result = logged_in("download", told["job_id"], "-o", "many/")

    assert (9, 3) == (result.code, len(result.out.splitlines()))
    assert "1,202 were not saved" in result.err
    assert f": krea status {told['job_id']} --json\n" in result.err
