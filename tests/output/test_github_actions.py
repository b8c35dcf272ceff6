from __future__ import annotations

import html
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from output.telling import DONE, FAILED, FILE, ID, OTHER
from steps import commands, outputs

from krea_cli.api.models import Job, JobError
from krea_cli.errors import JobFailedError, UsageError
from krea_cli.output import github_actions
from krea_cli.output.results.jobs import JobStatus
from krea_cli.output.streams import Stream
from krea_cli.output.writers import JsonResultWriter

PIECES = (
    *("::", "##[", "##vso[", "]", "error", "add-mask", "a", " ", "\t", "\u2003", "| "),
    *("\x1b[2m", "\n", "\r", "\r\n", "#", ":", "["),
)
FOREIGN = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(st.lists(FOREIGN, max_size=4))
def test_nothing_that_is_written_is_a_command(lines):
    """
    Whatever lines come, one after the other or several at once, the runner obeys none
    of them, and no other system of its kind obeys an old one.
    """
    file = io.StringIO(newline="")
    stream = Stream(file, "Standard error")
    stream.neutralize_commands()

    for line in lines:
        stream.write_line(line)
    stream.write("\n".join(lines))

    assert [] == commands(file.getvalue())
    assert not re.search(r"##\w*\[", file.getvalue())


@given(FOREIGN)
def test_what_is_harmless_stays_as_it_is(text):
    """
    Outside of GitHub Actions everything does; there, whatever has no command in it.
    """
    file, other = io.StringIO(newline=""), io.StringIO(newline="")
    shielded = Stream(other, "Standard output")
    shielded.neutralize_commands()

    Stream(file, "Standard output").write_line(text)
    shielded.write_line(text)

    assert f"{text}\n" == file.getvalue()
    if "::" not in text and "##" not in text:
        assert f"{text}\n" == other.getvalue()


def test_json_is_the_same_without_a_command():
    """
    It has no old command in it, and is read as what it was.
    """
    said = "##[error]x ##vso[task]y #[z \\##["
    file = io.StringIO()
    stream = Stream(file, "Standard output")
    stream.neutralize_commands()

    JsonResultWriter(stream).result([JobStatus(made(model=said))])

    assert said == json.loads(file.getvalue())["model"]
    assert [] == commands(file.getvalue())


def test_a_line_that_goes_on_is_no_beginning():
    """
    What stands behind a question is not the beginning of a line.
    """
    file = io.StringIO()
    stream = Stream(file, "Standard error")
    stream.neutralize_commands()

    stream.write("which")
    stream.write_line("::error::x")
    stream.write_line("::error::x")
    stream.write_command("::error::y")

    assert "which::error::x\n| ::error::x\n::error::y\n" == file.getvalue()


@given(FOREIGN, FOREIGN)
def test_an_error_is_one_annotation(message, hint):
    """
    One command with a title and all that is told, none of which can end it early.
    """
    error = JobFailedError(message, hint=hint, details=[message])

    line = github_actions.annotation(error)

    [(name, properties, data)] = commands(line)
    assert "\n" not in line
    assert "\r" not in line
    assert ("error", {"title": "krea: job_failed"}) == (name, properties)
    assert 2 + len(error.hints) == len(data.split("\n"))


def test_an_annotation_says_what_the_error_says():
    """
    Per cent signs, colons and commas arrive as they are.
    """
    error = UsageError("100% of a, b: no.", hint="Run: krea wait\nOr: -h", details="c")

    assert [
        (
            "error",
            {"title": "krea: usage"},
            "100% of a, b: no.\nc\nhint: Run: krea wait\nhint: Or: -h",
        )
    ] == commands(github_actions.annotation(error))


def test_a_path_is_told_so_that_it_is_no_command():
    """
    As another path of the same file; every usual one as it is.
    """
    assert "./::error::x.png" == github_actions.neutralize_path("::error::x.png")
    assert "./ ::x" == github_actions.neutralize_path(" ::x")
    assert "a::b.png" == github_actions.neutralize_path("a::b.png")


def made(**fields):
    return Job(**{"job_id": ID, "status": "completed"} | fields)


@pytest.mark.parametrize(
    ("jobs", "path", "job_id", "cost"),
    [
        ([], "", "", "0"),
        ([made(files=(FILE,), cost_usd=0.15)], "owl.png", ID, "0.15"),
        ([DONE], "owl.png", ID, ""),
        (
            [made(files=(FILE, FILE), cost_usd=0.1), made(job_id=OTHER, cost_usd=0.2)],
            "owl.png\nowl.png",
            f"{ID}\n{OTHER}",
            "0.3",
        ),
        # What failed is not billed.
        ([made(cost_usd=0.1), FAILED], "", f"{ID}\n{OTHER}", "0.1"),
    ],
)
def test_outputs(jobs, path, job_id, cost):
    """
    The three are always there: paths and ids one a line, and the estimate for all that
    is billed, empty when it is not known.
    """
    assert {"path": path, "job_id": job_id, "cost_usd": cost} == outputs(
        github_actions.outputs(jobs, paid={ID, OTHER})
    )


def test_to_collect_costs_nothing():
    """
    Only what the call itself submitted was paid by it.
    """
    jobs = [made(cost_usd=0.15), made(job_id=OTHER, cost_usd=0.2)]

    assert "0" == outputs(github_actions.outputs(jobs, paid=()))["cost_usd"]
    assert "0.2" == outputs(github_actions.outputs(jobs, paid={OTHER}))["cost_usd"]
    assert "paid earlier" in html.unescape(
        github_actions.summary(jobs, paid={OTHER}, before="")
    )


def test_calls_of_one_step_add_up():
    """
    Of an output that is set twice only the last counts, so it has all; a value of
    another program that looks like krea's is none, and an unknown cost stays unknown.
    """
    job = made(files=(FILE,), cost_usd=0.15)
    other = made(job_id=OTHER, cost_usd=0.2)
    foreign = "path=a.png\nnotes<<END\ncost_usd<<krea-1\n9\nkrea-1\nEND\n"

    first = foreign + github_actions.outputs([job], paid={ID}, before=foreign)
    second = first + github_actions.outputs([job, other], paid={OTHER}, before=first)
    lost = second + github_actions.outputs([], paid=(), unconfirmed=True, before=second)
    last = lost + github_actions.outputs([other], paid={OTHER}, before=lost)

    both = {"path": "owl.png", "job_id": f"{ID}\n{OTHER}"}
    assert both | {"cost_usd": "0.35"} == {n: outputs(second)[n] for n in _NAMES}
    assert both | {"cost_usd": ""} == {n: outputs(last)[n] for n in _NAMES}


_NAMES = ("path", "job_id", "cost_usd")


def test_a_value_cannot_end_itself():
    """
    The delimiter is another one for each value and each time.
    """
    ends = re.findall(
        "<<(.*)",
        github_actions.outputs([DONE], paid=())
        + github_actions.outputs([DONE], paid=()),
    )

    assert 6 == len(set(ends))
    assert 32 == min(len(end.removeprefix("krea-")) for end in ends)


HOSTILE = (
    "a|b\n| c | <img src=x onerror=y> [l](https://evil.example) `code` **b** __c__ "
    "www.evil.example a@b.example @user #1 $x$ <!-- \\| </code> &lt; ![i](x) ::error::x"
)


def test_a_cell_of_the_summary_is_only_text():
    """
    Nothing foreign ends a cell, begins a line, is a link, a picture, HTML, a mention or
    emphasis; read as HTML it is what it was.
    """
    job = made(status="failed", error=JobError(code="", message=HOSTILE))

    *_, row = github_actions.summary([job], paid=(), before="").splitlines()
    cells = row.split("|")
    texts = re.findall("<code>(.*?)</code>", row)

    assert (7, "", "") == (len(cells), cells[0], cells[-1])
    assert f"failed: {' '.join(HOSTILE.split())}" == html.unescape(texts[0])
    assert not [text for text in texts if re.search("[^\\w #&;/-]|_", text)]
    assert not re.search("#(?!\\d+;)", texts[0])


def test_a_table_goes_on_where_it_is_the_last():
    """
    Runs in one step make one table; behind anything else stands a new one.
    """
    job = made(files=(FILE,), model="m", cost_usd=0.5)
    first = github_actions.summary([job], paid=(), before="")

    assert 3 == len(first.splitlines())
    assert first.splitlines(keepends=True)[-1:] == [
        github_actions.summary([job], paid=(), before=first)
    ]
    assert f"\n\n{first}" == github_actions.summary(
        [job], paid=(), before="# Title\n| x |"
    )
    assert f"\n\n{first}" == github_actions.summary(
        [job], paid=(), before=f"{first}more"
    )
    assert "1024x768" in first
