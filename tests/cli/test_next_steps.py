"""
The commands of hints: they parse, and mean what the run meant.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from conftest import png
from faults.user import commands
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service import answer, file, job
from typer.main import get_command

from krea_cli.cli.command_tree import build
from krea_cli.cli.next_steps import NextSteps, same_command, without_repeats
from krea_cli.config.numbers import parse_size
from krea_cli.downloads.output_options import MAX_BYTES, OutputOptions
from krea_cli.errors import Action, JobFailedError, Step, TooLargeError
from krea_cli.sandbox.http_handler import SandboxHandler

WORDS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1)
DELIVERIES = st.builds(
    OutputOptions,
    # A run that wrote to standard output goes on into a folder.
    output=WORDS.filter(lambda word: word != "-"),
    force=st.booleans(),
    sidecar=st.booleans(),
    max_size=st.none() | st.integers(1, 10**12),
    quality_out=st.none() | st.integers(1, 100),
    expect=st.none() | st.lists(st.sampled_from(["not-blank", "aspect=16:9"])),
)


@pytest.fixture(scope="module")
def wait_command():
    return get_command(build(["wait", "j1"])).commands["wait"]


def test_the_options_of_a_run_come_back(wait_command):
    """
    Whatever they are: with quotes, spaces and braces, for the shell and for Typer.
    """

    # The machine may be busy.
    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(DELIVERIES)
    def check(asked):
        said = NextSteps(service=["--sandbox"], output=asked).wait(["12345678"])
        krea, command, *words = shlex.split(said)
        found = wait_command.make_context("wait", words).params

        assert ("krea", "wait", ["12345678"]) == (krea, command, list(found["jobs"]))
        assert found["sandbox"]
        for name in ("output", "force", "sidecar", "max_size", "quality_out"):
            assert getattr(asked, name) == found[name]
        assert list(asked.expect or ()) == list(found["expect"] or ())

    check()


@pytest.mark.posix  # for the quotes of its shells
@pytest.mark.parametrize(
    ("output", "place"),
    [
        (None, "'j1-again.{ext}'"),
        (".", "'j1-again.{ext}'"),
        ("results/", "."),
        ("-", "."),
        ("sub/owl.webp", "j1.webp"),
        ("{slug}.{ext}", "."),
    ],
)
def test_elsewhere_is_another_place_for_the_same_kind(output, place):
    """
    The name that is taken is not named again, nor a folder that cannot be written to.
    """
    steps = NextSteps(output=OutputOptions(output=output, quality_out=9))

    said = steps.download(["j1"], elsewhere=True)

    assert f"krea download j1 -o {place} --quality-out 9" == said


@pytest.mark.parametrize(
    ("asked", "size", "words"),
    [
        (1000, 5000, ""),
        (1000, None, ""),
        (None, MAX_BYTES + 1, f" --max-size {MAX_BYTES + 1}"),
        (None, None, None),
    ],
)
def test_a_limit_that_was_too_low_is_not_named_again(asked, size, words):
    """
    One that fits is, where it is known.
    """
    steps = NextSteps(output=OutputOptions(max_size=asked))

    said = steps.download_larger("j1", size)

    assert said == (None if words is None else f"krea download j1 -o .{words}")


def test_download_larger_of_a_remembered_run_names_the_limit_as_people_write_it():
    steps = NextSteps(output=OutputOptions(max_size=1000), is_remembered=True)

    said = steps.download_larger("j1", 5000)

    assert "krea download j1 --max-size 2GiB" == said
    assert parse_size("2GiB") == MAX_BYTES


def test_damaged_record_is_deleted_by_the_command_that_is_named():
    [line] = NextSteps().lines([Step(Action.FORGET_DAMAGED, ("r1",))])

    assert line.endswith(": krea jobs forget r1 --force")
    assert line == NextSteps().after_damage("r1")


def test_a_sidecar_needs_a_record():
    """
    Of a run that keeps none it cannot be written later.
    """
    steps = NextSteps(output=OutputOptions(sidecar=True), has_journal=False)

    assert steps.wait(["j1"]) == "krea wait j1 -o ."


@pytest.mark.posix  # for the quotes of its shells
@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("owl.png", "'owl-{index}.png'"),
        ("{slug}-{index}.{ext}", "'{slug}-{index}.{ext}'"),
        ("results/", "results/"),
    ],
)
def test_the_last_of_several_is_named_as_one_of_them(output, name):
    steps = NextSteps(output=OutputOptions(output=output), run=["j1"], several=True)

    assert steps.wait(["j1"]) == f"krea wait j1 -o {name}"


@pytest.mark.parametrize("action", Action)
def test_every_action_has_words(action):
    """
    And one command, at the end of the line.
    """
    steps = NextSteps(output=OutputOptions(max_size=1))
    found = [spelled(steps, Step(action, tuple("abc"[:n]))) for n in range(3)]

    assert any(found)
    assert all(": krea " in line for line in found if line)


def spelled(steps, step):
    try:
        return "".join(steps.lines([step]))
    except (TypeError, ValueError):
        return None


def test_a_hint_that_many_errors_share_is_shown_once():
    """
    With the last of them, where they are more than ten.
    """
    many = [JobFailedError("x", hint="a") for _ in range(11)]

    assert [*[None] * 10, "a"] == [error.hint for error in without_repeats(many)]
    assert ["a"] * 10 == [error.hint for error in without_repeats(many[:10])]


class Always(list):
    """
    The same fault for every request.
    """

    def pop(self, _):
        return self[0]


def late(service, ids, **fields):
    """
    Jobs are as `fields` say for the time being: those of `ids`, by their place among
    all that were asked for. The list, which would know better, cannot be had.
    """
    seen = []

    def fault(handler):
        path = handler.path.partition("?")[0]
        if path == "/jobs":
            answer(404)(handler)
            return
        job_id = path.rpartition("/")[2]
        if job_id not in seen:
            seen.append(job_id)
        if seen.index(job_id) in ids:
            job(**fields)(handler)
        else:
            SandboxHandler.handle_route(handler, "GET", path)

    service.faults["GET /jobs"] = Always([fault])


def test_those_that_are_saved_keep_their_indexes(logged_in, service):
    """
    A job that was late takes the index behind them, and no name of theirs.
    """
    pictures = {}

    def result(handler):
        content = pictures.setdefault(handler.path, png((64, 49 + len(pictures))))
        answer(200, content=content, media="image/png")(handler)

    service.faults["GET /results/"] = Always([result])
    late(service, [0], status="processing")

    first = logged_in("generate", "an owl", "-n", 3, "-o", "owl.png", "--timeout", "60")
    service.faults.clear()
    [pasted] = commands(first.err)
    saved = {path: path.stat().st_ino for path in Path().iterdir()}
    again = logged_in(*pasted)

    assert (8, {Path("owl-1.png"), Path("owl-2.png")}) == (first.code, set(saved))
    assert (0, 3) == (again.code, len(again.out.split()))
    assert saved.items() < {p: p.stat().st_ino for p in Path().iterdir()}.items()
    assert Path("owl-3.png").is_file()


def test_what_is_not_there_of_several_is_still_one_of_them(logged_in, service):
    """
    Where the others failed, it is named as it would have been.
    """
    late(service, [0], status="failed")
    service.add_faults("result:503*")

    first = logged_in("generate", "an owl", "-n", 2, "-o", "owl.png")
    service._faults.clear()
    service.faults.clear()
    [pasted] = commands(first.err)
    again = logged_in(*pasted)

    assert (0, "owl-1.png\n") == (again.code, again.out)


def test_a_taken_name_of_a_running_job_is_not_named_again(logged_in, service):
    """
    Another name of the same kind is, with all other options.
    """
    made = logged_in("generate", "an owl", "--no-wait").out.strip()
    Path("owl.webp").write_bytes(b"mine")

    taken = logged_in("wait", "-o", "owl.webp", "--sidecar")
    [pasted] = commands(taken.err)
    again = logged_in(*pasted)

    assert taken.code == 7
    assert ["wait", made, "-o", f"{made[:8]}.webp", "--sidecar"] == pasted
    assert (0, f"{made[:8]}.webp\n") == (again.code, again.out)
    assert Path("owl.webp").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("content", "offers"),
    [
        (b"<html>Log in</html>", "download"),
        (b'{"error": "later"}', "download"),
        (b"", "download"),
        (png()[:-20], "status"),
    ],
)
def test_a_download_is_offered_where_another_one_can_help(
    logged_in, service, content, offers
):
    """
    What comes from something between may be gone; what the service keeps is the same
    tomorrow, so that its URL is named instead.
    """
    service.faults["GET /results/"] = [file(content)] * 5

    refused = logged_in("generate", "an owl", "-o", "owl.png")
    urls = logged_in("status", "@last", "--json").out

    [made] = service.store.jobs()
    assert refused.code == 7
    [hinted] = [line for line in refused.err.splitlines() if ": krea " in line]
    words = shlex.split(hinted.partition(": krea ")[2])
    wanted = [made.job_id]
    if offers == "status":
        wanted = [made.job_id, "--json"]
        assert logged_in(*words).out == urls
    assert [offers, *wanted] == words


@pytest.mark.parametrize("limit", ["10", "30"])
def test_a_limit_is_raised_by_the_hint(logged_in, service, limit):
    """
    The command that is named saves what was too large.
    """
    refused = logged_in("generate", "an owl", "-o", "owl.png", "--max-size", limit)
    [pasted] = commands(refused.err)

    assert refused.code == 7
    assert (0, "owl.png\n") == (logged_in(*pasted).code, Path("owl.png").name + "\n")


def test_an_error_does_not_change_once_it_is_made():
    """
    `but` makes another one, of the same class, with the same cause.
    """
    error = TooLargeError("m", size_bytes=7, hint="a\nb", job_id="j1")
    error.__cause__ = cause = ValueError()

    other = error.but(Step(Action.LOG_IN), message="n", job_id="j2")

    assert ("m", ("a", "b"), "j1") == (error.message, error.advice, error.job_id)
    assert ("n", ("a", "b", Step(Action.LOG_IN))) == (other.message, other.advice)
    assert (TooLargeError, 7, "j2", cause) == (
        type(other),
        other.size_bytes,
        other.job_id,
        other.__cause__,
    )


def test_a_hint_names_a_folder_where_standard_output_was_asked_for():
    """
    A terminal takes no picture, and nobody knows where the output went.
    """
    steps = NextSteps(output=OutputOptions(output="-"))

    assert "krea wait j1 -o ." == steps.wait(["j1"])


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["batch", "a.csv", "-o", "{n}.png"], "krea batch a.csv -o '{n}.png' --more"),
        (["batch", "--check", "a.csv"], "krea batch a.csv --more"),
        (["batch", "a.csv", "--again", "failed"], "krea batch a.csv --more"),
        (["batch", "--again=failed", "a.csv"], "krea batch a.csv --more"),
        (["batch", "--", "-a.csv", "--again"], "krea batch --more -- -a.csv --again"),
        (["batch", "a.csv", "--again"], "krea batch a.csv --more"),
    ],
)
@pytest.mark.posix  # other systems have other quotes
def test_same_command_leaves_out_options_with_their_values(argv, expected):
    found = same_command(
        argv,
        service=[],
        without=["--check"],
        without_value=["--again"],
        more=["--more"],
    )

    assert expected == found


def test_same_command_in_a_sandbox_of_a_setting_names_it():
    service = ["--sandbox"]

    found = same_command(["batch", "photos", "--", "-x"], service=service)
    typed = same_command(["batch", "photos", "--sandbox"], service=service)

    assert "krea batch photos --sandbox -- -x" == found
    assert "krea batch photos --sandbox" == typed
