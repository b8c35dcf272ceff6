"""
A later `krea wait` or `krea download` saves where `krea generate` was to save.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from conftest import png
from faults.user import commands
from service import job

OTHER = b"another file"


def submit(krea, *words):
    return krea("generate", "an owl", "--no-wait", *words)


@pytest.mark.parametrize("command", ["wait", "download"])
def test_wait_after_no_wait_saves_under_the_name(logged_in, time, command):
    submit(logged_in, "-o", "later.png")
    time.elapsed += 60

    result = logged_in(command)

    assert (0, "later.png\n") == (result.code, result.out)
    assert png() == Path("later.png").read_bytes()


def test_wait_in_another_folder_saves_where_generate_was(
    logged_in, tmp_path, monkeypatch
):
    submit(logged_in, "-o", "later.png")
    begun = Path.cwd()
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")

    result = logged_in("wait", "--json")

    [saved] = json.loads(result.out)["files"]
    assert str(begun / "later.png") == saved["path"]
    assert (begun / "later.png").is_file()
    assert [] == list(Path().iterdir())


def test_wait_repeats_the_options(logged_in):
    submit(logged_in, "-o", "owl.webp", "--sidecar", "--expect", "min-side=9999")

    result = logged_in("wait")

    assert 7 == result.code
    assert "min-side=9999" in result.err
    assert {"owl.webp", "owl.webp.json"} == {path.name for path in Path().iterdir()}


def test_wait_without_an_output_names_the_download(logged_in):
    made = submit(logged_in).out.strip()

    result = logged_in("wait")

    assert (0, f"{made}\tcompleted\n") == (result.code, result.out)
    assert result.err.endswith(f": krea download {made}\n")
    assert [] == list(Path().iterdir())


def test_wait_no_download_never_saves(logged_in):
    made = submit(logged_in, "-o", "later.png").out.strip()

    result = logged_in("wait", "--no-download")
    both = logged_in("wait", "--no-download", "-o", "x.png")

    assert (0, f"{made}\tcompleted\n") == (result.code, result.out)
    assert "download" not in result.err
    assert 2 == both.code
    assert [] == list(Path().iterdir())


def test_wait_after_generate_no_download_saves_nothing(logged_in):
    logged_in("generate", "an owl", "--no-download")

    assert logged_in("wait").out.endswith("\tcompleted\n")
    assert [] == list(Path().iterdir())


def test_a_name_that_cannot_be_saved_is_refused_before_it_is_paid_for(
    logged_in, service
):
    Path("owl.png").write_bytes(OTHER)

    assert 7 == submit(logged_in, "-o", "owl.png").code
    assert 2 == submit(logged_in, "-o", "owl.mp4").code
    assert 0 == service.bills


def test_a_remembered_force_replaces_the_file_that_generate_saw(logged_in):
    Path("owl.png").write_bytes(OTHER)
    submit(logged_in, "-o", "owl.png", "--force")

    result = logged_in("wait")

    assert (0, "owl.png\n") == (result.code, result.out)
    assert png() == Path("owl.png").read_bytes()


def write_again(path):
    path.write_bytes(OTHER + b"!")


def touch(path):
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def replace(path):
    found = path.stat()
    new = path.with_name("new")
    new.write_bytes(OTHER)
    os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
    new.replace(path)


@pytest.mark.parametrize("change", [write_again, touch, replace])
@pytest.mark.parametrize("command", ["wait", "download"])
def test_a_remembered_force_replaces_no_other_file(logged_in, time, change, command):
    path = Path("owl.png")
    path.write_bytes(OTHER)
    submit(logged_in, "-o", "owl.png", "--force")
    change(path)
    before = path.read_bytes()
    time.elapsed += 60

    result = logged_in(command)
    forced = logged_in(command, "--force")

    assert (7, before) == (result.code, OTHER + b"!" * (len(before) > len(OTHER)))
    assert "owl.png" in result.err
    assert (0, png()) == (forced.code, path.read_bytes())


def test_a_remembered_force_does_not_replace_a_file_that_came_later(logged_in):
    submit(logged_in, "-o", "owl.png", "--force")
    Path("owl.png").write_bytes(OTHER)

    result = logged_in("wait")

    assert (7, OTHER) == (result.code, Path("owl.png").read_bytes())


def test_wait_for_some_jobs_of_a_run_gives_each_its_own_name(logged_in, service):
    service.picture = None  # each job has another one
    first, second, third = submit(logged_in, "-n", 3, "-o", "owl.png").out.split()

    outs = [logged_in("wait", each).out for each in (third, first)]
    rest = logged_in("wait")

    assert ["owl-3.png\n", "owl-1.png\n"] == outs
    assert ["owl-1.png", "owl-2.png", "owl-3.png"] == rest.out.split()
    assert second in logged_in("jobs", "list").out


def test_a_job_keeps_its_index_when_an_earlier_one_fails(logged_in, service):
    """
    It was given before the failure, and no later job gets the same.
    """
    service.picture = None
    first, _, third = submit(logged_in, "-n", 3, "-o", "owl.png").out.split()
    service.faults[f"GET /jobs/{first}"] = [job(status="failed")] * 99

    one = logged_in("wait", third)
    rest = logged_in("wait")

    assert "owl-3.png\n" == one.out
    assert ["owl-1.png", "owl-3.png"] == rest.out.split()


def test_jobs_of_several_runs_are_saved_each_in_its_place(logged_in):
    one = submit(logged_in, "-o", "one.png").out.strip()
    two = submit(logged_in, "-o", "two/").out.strip()
    none = submit(logged_in).out.strip()

    result = logged_in("wait", one, two, none)

    assert ["one.png", f"two/{two}.png", f"{none}\tcompleted"] == (
        result.out.splitlines()
    )


def test_the_way_on_after_the_time_is_the_run(logged_in, service):
    """
    Also when another run has begun since.
    """
    service.faults["GET /jobs"] = [job(status="queued")] * 99
    late = logged_in("generate", "an owl", "-n", 2, "-o", "owl.png", "--timeout", "3s")
    service.faults.clear()
    submit(logged_in, "-o", "cat.png")

    [run] = set(re.findall(r": krea wait (@[0-9a-f]{8})\n", late.err))
    result = logged_in("wait", run)

    assert (8, 0) == (late.code, result.code)
    assert ["owl-1.png", "owl-2.png"] == result.out.split()


@pytest.mark.parametrize("command", ["status", "wait", "download", "cancel"])
def test_a_run_is_named_wherever_last_is(logged_in, command):
    made = submit(logged_in, "-n", 2).out.split()
    submit(logged_in)
    [run] = re.findall(r"@[0-9a-f]{8}", logged_in("wait", *made).err)

    assert logged_in(command, run).out.count("\n") == 2
    assert logged_in("jobs", "show", run).out.count(made[1]) > 0
    assert 2 == logged_in(command, "@00000000").code
    assert 2 == logged_in(command, run[:5]).code


def test_an_unjournaled_run_names_all_options(logged_in, service):
    service.faults["GET /jobs"] = [job(status="queued")] * 99

    late = logged_in(
        *("generate", "an owl", "-n", 2, "-o", "owl.png"),
        *("--timeout", "3s", "--no-journal"),
    )

    [words] = {tuple(words) for words in commands(late.err)}
    ids = {made.job_id for made in service.store.jobs()}
    assert ("wait", "-o", "owl.png", ids) == (words[0], *words[3:], set(words[1:3]))
