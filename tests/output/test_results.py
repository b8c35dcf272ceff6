from __future__ import annotations

import json
import pkgutil
from dataclasses import replace
from importlib import import_module

import pytest
from output.telling import DONE, FAILED, ID, OTHER, CapturedConsole, Terminal

from krea_cli.api.models import Asset
from krea_cli.output import results
from krea_cli.output.human.views import view
from krea_cli.output.results import dry_run, jobs, settings
from krea_cli.output.results.dry_run import DryRun
from krea_cli.output.results.jobs import (
    JobSaved,
    JobStatus,
    JobSubmitted,
    JobUrls,
    Topic,
    Uploaded,
)
from krea_cli.output.results.settings import (
    ConfigPath,
    Setting,
    SettingValue,
    TokenStatus,
)

TABLE = f"""\
JOB                                   STATUS     MODEL                   CREATED
{ID}  completed  google/nano-banana-pro  2026-11-22 08:31
{OTHER}  failed
{OTHER}: The prompt was refused
"""
SAVED = f"""\
── saved {"─" * 36}
owl.png
1024x768  PNG  1.3 MB  google/nano-banana-pro
{"─" * 45}
"""
SOURCES = """\
SOURCE             API                  KEYRING
KREA_API_KEY       https://api.krea.ai  some.Keyring
overrides keyring
"""
TOKEN = TokenStatus(
    source="KREA_API_KEY",
    shadows=("keyring",),
    origin="https://api.krea.ai",
    backend="some.Keyring",
    keyring_config=None,
    problem=None,
)
REQUEST = DryRun(method="POST", url="https://a.example/x", body={"seed": 1}, count=1)

# Of each kind of result: some, what a person sees, what a pipe gets.
CASES = [
    ([Topic("wit", "Brevity\nis it.")], "Brevity is it.\n", "Brevity\nis it.\n"),
    (
        [JobStatus(DONE), JobStatus(FAILED)],
        TABLE,
        f"{ID}\tcompleted\n{OTHER}\tfailed\n",
    ),
    (
        [JobSubmitted(DONE, "krea wait x")],
        f"completed  {ID}\n  Save it: krea wait x\n",
        f"{ID}\n",
    ),
    (
        [JobSaved(DONE)],
        SAVED,
        "owl.png\n",
    ),
    (
        [JobUrls(DONE)],
        "https://files.example/owl\n",
        "https://files.example/owl\n",
    ),
    (
        [Setting("sandbox", True, "option"), Setting("timeout", None, "default")],
        "SETTING  VALUE  SOURCE\nsandbox  true   option\ntimeout         default\n",
        "sandbox\ttrue\toption\ntimeout\t\tdefault\n",
    ),
    ([SettingValue("color", "auto", "default")], "auto\n", "auto\n"),
    (
        [ConfigPath("/a/b.toml", exists=False)],
        "/a/b.toml  (not created yet)\n",
        "/a/b.toml\n",
    ),
    (
        [TOKEN],
        SOURCES,
        "KREA_API_KEY\thttps://api.krea.ai\tsome.Keyring\n",
    ),
    (
        [Uploaded("owl.jpg", Asset(id="a1", url="https://files.example/a1"))],
        "https://files.example/a1  owl.jpg\n",
        "https://files.example/a1\n",
    ),
    (
        [REQUEST],
        'POST https://a.example/x\n{\n  "seed": 1\n}\nestimate: price unknown\n',
        'POST https://a.example/x\n{\n  "seed": 1\n}\nestimate: price unknown\n',
    ),
]


def kinds():
    """
    Every kind of result, in whatever module of the package.
    """
    for found in pkgutil.iter_modules(results.__path__):
        module = import_module(f"{results.__name__}.{found.name}")
        for name, kind in vars(module).items():
            is_ours = getattr(kind, "__module__", "") == module.__name__
            if is_ours and hasattr(kind, "as_json") and not name.startswith("_"):
                yield kind


def test_every_kind_of_result_has_a_view_of_its_own_and_lines():
    """
    A new kind of result is told in all forms, or this fails.
    """
    found = set(kinds()) - {jobs.Result}

    assert len(found) > 10
    assert [] == [
        kind for kind in found if view.dispatch(kind) == view.dispatch(object)
    ]
    assert [] == [kind for kind in found if not hasattr(kind, "plain")]


def test_every_kind_of_result_is_a_case():
    """
    Those of `results` and `setting_results` are all compared below.
    """
    homes = {jobs.__name__, dry_run.__name__, settings.__name__}
    ours = {kind for kind in kinds() if kind.__module__ in homes}

    assert ours - {jobs.Result} == {type(some[0]) for some, _, _ in CASES}


@pytest.mark.parametrize(("some", "human", "plain"), CASES)
def test_a_result_has_three_forms(some, human, plain):
    """
    One value: a view for a person, lines for a pipe and for --quiet, an object a line
    for --json, each on standard output alone.
    """
    forms = {
        "human": CapturedConsole(out=Terminal(), err=Terminal(), color="never"),
        "piped": CapturedConsole(),
        "quiet": CapturedConsole(out=Terminal(), err=Terminal(), quiet=True),
        "json": CapturedConsole(out=Terminal(), err=Terminal(), json=True),
    }
    for telling in forms.values():
        telling.output.result(some)

    seen = "\n".join(line.rstrip() for line in forms["human"].out.split("\n"))
    objects = [json.loads(line) for line in forms["json"].out.splitlines()]

    assert human == seen
    assert plain == forms["piped"].out
    assert plain == forms["quiet"].out
    assert json.loads(json.dumps([each.as_json() for each in some])) == objects
    assert {""} == {telling.err for telling in forms.values()}


@pytest.mark.parametrize("kind", [JobStatus, JobSaved, JobUrls])
def test_nothing_to_tell_is_nothing(kind):
    """
    No result, or jobs that gave none: no empty line that a loop would take for a name.
    """
    telling = [
        CapturedConsole(out=Terminal(), color="never"),
        CapturedConsole(),
        CapturedConsole(json=True),
    ]
    for each in telling:
        each.output.result([])
        if kind is not JobStatus and each is not telling[2]:
            each.output.result([kind(FAILED)])

    assert ["", "", ""] == [each.out for each in telling]


def test_the_bytes_on_standard_output_have_no_name():
    """
    What went out by -o - is not followed by a line.
    """
    file = DONE.files[0].__class__(
        path="-", url="u", media_type="image/png", size_bytes=1, sha256="0"
    )
    job = DONE.__class__(job_id=ID, status="completed", files=(file,))

    assert [] == JobSaved(job).plain


def test_json_is_ascii():
    """
    No control character gets out raw, whatever the service said.
    """
    telling = CapturedConsole(json=True)

    telling.output.result([ConfigPath("\u009b1mé\u202e", exists=True)])

    assert telling.out.isascii()
    assert "\u009b1mé\u202e" == json.loads(telling.out)["path"]


def test_foreign_words_do_not_make_lines_or_columns():
    """
    A URL with a line break stays one line, a status with a tab one column.
    """
    urls = DONE.__class__(
        job_id=ID, status="completed", urls=("https://a\n::add-mask::b", "::x")
    )
    status = DONE.__class__(job_id=ID, status="do\tne\nx")
    telling = CapturedConsole()

    telling.output.result([JobUrls(urls)])
    telling.output.result([JobStatus(status)])

    assert f"https://a ::add-mask::b\n(no URL)\n{ID}\tdo ne x\n" == telling.out


def test_a_column_that_is_empty_in_all_rows_is_left_out():
    """
    The models of jobs that only the service knows, in its own list.
    """
    telling = CapturedConsole(out=Terminal(), color="never")

    telling.output.result([JobStatus(replace(DONE, model=None))])

    assert ["JOB", "STATUS", "CREATED"] == telling.out.splitlines()[0].split()


def test_the_summary_names_time_and_price_when_they_are_known():
    """
    An estimate is called one; of several files of a job, the last one has both.
    """
    telling = CapturedConsole(out=Terminal(), color="never")
    second = replace(DONE.files[0], path="owl-2.png")
    done = replace(
        DONE,
        completed_at="2026-11-22T08:32:30.123Z",
        cost_usd=0.15,
        files=(*DONE.files, second),
    )

    telling.output.result([JobSaved(done)])
    title, *lines = telling.out.splitlines()

    assert title.startswith("── saved 2 files ──")
    assert ["owl.png", "1024x768  PNG  1.3 MB"] == lines[:2]
    assert lines[3].endswith("  1 min 23 s  google/nano-banana-pro  estimated $0.15")


def test_many_files_have_a_line_each_and_one_for_all_of_them():
    telling = CapturedConsole(out=Terminal(), color="never")
    [file] = DONE.files
    jobs = [
        replace(DONE, cost_usd=0.15, files=(replace(file, path=f"{number}.png"),))
        for number in range(5)
    ]

    telling.output.result([JobSaved(job) for job in jobs])

    title, *files, last, _ = telling.out.splitlines()
    assert title.startswith("── saved 5 files ──")
    assert [f"{number}.png" for number in range(5)] == [row.split()[0] for row in files]
    assert "google/nano-banana-pro  estimated $0.75" == last
