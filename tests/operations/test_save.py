"""
Saving results: where they go, what may be spent, what is written beside them.
"""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pytest
from journal.recorded import NOW, record
from operations.stubs import (
    Console,
    Downloader,
    Names,
    Sidecars,
    full_disk,
    job,
    saved_file,
)

from krea_cli.config.settings import ResolvedSettings
from krea_cli.downloads.output_options import OutputOptions
from krea_cli.downloads.output_target import FilenameFields, OutputTarget
from krea_cli.errors import CostError, DownloadError, StorageError, UsageError
from krea_cli.jobs.run_tracker import RunTracker
from krea_cli.operations.plan_output import OutputPlanner, unmet_expectations
from krea_cli.operations.result_names import ResultNames
from krea_cli.operations.review import ResultReview
from krea_cli.operations.save import ResultSaver, SaveContext
from krea_cli.operations.sidecars import SidecarWriter
from krea_cli.operations.spending_limit import SpendingLimit
from krea_cli.output.progress import Progress
from krea_cli.requests import sidecar


class Received(Progress):
    """
    Keeps what a saver reports.
    """

    def __init__(self):
        self.told = []

    def doing(self, text):
        self.told.append(text)

    def received(self, job, size_bytes, length):
        self.told.append((job.job_id, size_bytes, length))

    def saved(self, job):
        self.told.append(("saved", job.job_id))


class Records:
    def __init__(self, **known):
        self.known, self.outcomes, self.indexes = known, [], []

    def find(self, job_id):
        return self.known.get(job_id)

    find_if_readable = find

    def request_body(self, _job_id):
        return {"width": 64}

    def record_outcome(self, job, *, files, first_index):
        self.outcomes.append((job.job_id, len(files)))
        self.indexes.append(first_index)


class Saving:
    def __init__(self, **options):
        self.downloader, self.sidecars = Downloader(), Sidecars()
        self.records, self.tracker, self.progress = Records(), RunTracker(), Received()
        self.saver = ResultSaver(
            SaveContext(
                downloader=self.downloader,
                names=Names(),
                sidecars=self.sidecars,
                records=self.records,
                tracker=self.tracker,
                **options,
            )
        )

    def offer(self, *slots):
        with self.saver.pool:
            self.saver.offer(slots, self.progress)

    def finish(self, *jobs, is_batch):
        self.tracker.submitted(*(each.job_id for each in jobs))
        with self.saver.pool:
            self.saver.finish(jobs, self.progress, is_batch=is_batch)

    @property
    def named(self):
        return sorted(self.downloader.saved)


def done(job_id, count=1):
    urls = tuple(f"https://k.test/{job_id}-{at}" for at in range(count))
    return job(job_id, "completed", urls=urls)


def test_saver_single_job_reports_each_step():
    saving = Saving()

    saving.finish(done("j1"), is_batch=False)

    assert ["Saving", ("j1", 1, 1), ("saved", "j1")] == saving.progress.told
    assert [("j1", 1, False)] == saving.named
    assert [("j1", 1)] == saving.records.outcomes
    assert ["j1"] == saving.sidecars.written
    assert ["j1-1.png"] == [file.path for file in saving.saver.saved["j1"].files]
    assert ("j1",) == saving.tracker.summary().unreported


@pytest.mark.parametrize("jobs", [[], [job("j1", "failed")]])
def test_saver_without_results_does_not_say_that_it_saves(jobs):
    saving = Saving()

    saving.finish(*jobs, is_batch=False)

    assert [] == saving.progress.told


def test_saver_indexes_count_the_results_of_all_jobs():
    saving = Saving()

    saving.finish(done("j1", 2), done("j2", 3), done("j3"), is_batch=True)

    assert [("j1", 1, True), ("j2", 3, True), ("j3", 6, True)] == saving.named


@pytest.mark.parametrize("keeps", [True, False])
def test_saver_records_the_indexes_only_of_its_own_run(keeps):
    saving = Saving(keeps_indexes=keeps)

    saving.finish(done("j1", 2), done("j2"), is_batch=True)

    known = {1, 3} if keeps else {None}
    assert known == set(saving.records.indexes)


def test_saver_leaves_out_jobs_without_results():
    saving = Saving()

    saving.finish(job("j1", "failed"), done("j2"), done("j3", 0), is_batch=True)

    assert [("j2", 1, True)] == saving.named


def test_saver_offer_stops_before_an_index_that_is_not_certain():
    for unknown in (None, job("j2"), done("j2", 0)):
        saving = Saving()

        saving.offer(job("j0", "failed"), done("j1", 2), unknown, done("j3"))

        assert [("j1", 1, True)] == saving.named
        assert ("j1",) == saving.tracker.summary().order


def test_saver_offer_goes_on_where_it_stopped():
    saving = Saving()
    with saving.saver.pool:
        saving.saver.offer([done("j1", 2), job("j2")], saving.progress)
        saving.saver.offer([done("j1", 2), done("j2"), None], saving.progress)
        saving.saver.finish(
            [done("j1", 2), done("j2"), done("j3")], saving.progress, is_batch=True
        )

    assert [("j1", 1, True), ("j2", 3, True), ("j3", 4, True)] == saving.named


def test_saver_error_with_one_job_leaves_it_to_collect():
    saving = Saving()
    saving.downloader.failures = {"j1": DownloadError("broken off")}

    saving.finish(done("j1"), done("j2"), is_batch=True)

    assert {"j1": "broken off"} == {
        job_id: str(error) for job_id, error in saving.saver.failed.items()
    }
    assert (("j1",), ("j2",)) == (
        saving.tracker.summary().pending,
        saving.tracker.summary().unreported,
    )
    assert ["j2"] == saving.sidecars.written
    assert ("saved", "j1") in saving.progress.told
    assert () == saving.saver.saved["j1"].files


def test_saver_file_without_its_sidecar_is_saved():
    saving = Saving()
    saving.sidecars.failures = {"j1": full_disk()}

    saving.finish(done("j1"), is_batch=False)

    assert ({"j1"}, {}) == (set(saving.saver.without_sidecar), saving.saver.failed)
    assert ("j1",) == saving.tracker.summary().unreported


def planner(env=None, *, is_terminal=False, closed=False, **options):
    own = {
        name: options.pop(name)
        for name in ("writes_json", "for_github") & options.keys()
    }
    console = Console()
    console.stdout = SimpleNamespace(
        file=None if closed else "out", is_terminal=is_terminal
    )
    return OutputPlanner(
        options=OutputOptions(**options), console=console, env=env or {}, **own
    )


@pytest.fixture
def checked(monkeypatch):
    """
    What targets were checked for; no disk is asked.
    """
    calls = []
    monkeypatch.setattr(
        OutputTarget, "check", lambda self, **options: calls.append(options)
    )
    return calls


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"for_github": True}, "Use either --github or"),
        ({"sidecar": True}, "Use either --sidecar or"),
        ({"expect": ["format=png"]}, "Use either --expect or"),
        ({"writes_json": True}, "Use either --json or"),
        ({"is_terminal": True}, "would print binary data"),
    ],
)
def test_planner_refuses_standard_output_that_cannot_have_it(checked, options, words):
    with pytest.raises(UsageError, match=words):
        planner(output="-", **options).plan(count=1, force=False)
    assert [] == checked


def test_planner_refuses_standard_output_that_is_closed(checked):
    with pytest.raises(StorageError, match="Standard output is closed"):
        planner(output="-", closed=True).plan(count=1, force=False)


def test_planner_takes_standard_output_of_a_pipe(checked):
    assert planner(output="-").plan(count=1, force=True).template is None
    assert [{"count": 1, "force": True, "naming": None}] == checked


@pytest.mark.parametrize(
    ("kind", "output", "fits"),
    [
        ("image", "a.png", True),
        ("image", "a.mp4", False),
        ("video", "a.png", False),
        ("video", "a.mp4", True),
        (None, "a.png", True),
        ("video", "a", True),
    ],
)
def test_planner_takes_names_of_the_kind_of_result(checked, kind, output, fits):
    plan = planner(output=output).plan
    if fits:
        assert output == plan(count=2, force=False, kind=kind).template
        assert 2 == checked[0]["count"]
    else:
        with pytest.raises(UsageError, match=f"cannot be saved as {output}"):
            plan(count=1, force=False, kind=kind)


@pytest.mark.parametrize(
    ("output", "fits"),
    [("a.jpg", True), ("a.webp", True), ("a.png", False), ("a", True)],
)
def test_planner_quality_is_for_pictures_that_lose(checked, output, fits):
    plan = planner(output=output, quality_out=80).plan
    if fits:
        plan(count=1, force=False)
    else:
        with pytest.raises(UsageError, match="--quality-out works for"):
            plan(count=1, force=False)


def test_planner_name_is_no_command_of_github(checked):
    named = {"output": "##[group].png"}

    planner(**named).plan(count=1, force=False)
    with pytest.raises(UsageError, match="treat the file name as a command"):
        planner({"GITHUB_ACTIONS": "true"}, **named).plan(count=1, force=False)


def test_planner_notes_a_name_without_extension(checked):
    plans = planner(output="owl")
    plans.plan(count=1, force=False)

    [note] = plans.console.notes
    assert note.startswith("owl has no extension")
    assert note.endswith("-o owl/")

    plans = planner(output="owl.png")
    plans.plan(count=1, force=False)
    assert [] == plans.console.notes


def test_planner_expectations_need_something_saved():
    expecting = planner(expect=["format=png"])

    expecting.check_expectations(saves=True)
    with pytest.raises(UsageError, match="needs a saved file"):
        expecting.check_expectations(saves=False)
    planner().check_expectations(saves=False)


def test_planner_expectation_that_cannot_be_met_is_refused(checked):
    with pytest.raises(UsageError):
        planner(output="a.jpg", expect=["format=png"]).plan(count=1, force=False)
    planner(output="a.png", expect=["format=png"]).plan(count=1, force=False)


def test_unmet_expectations_have_a_sentence_for_each_file():
    [png, jpg] = planner(expect=["format=png", "format=jpg"]).expectations()
    saved = job("j1", "completed", files=(saved_file("j1"), saved_file("j1", 2)))

    assert [] == unmet_expectations(saved, [png])
    assert 2 == len(unmet_expectations(saved, [jpg]))
    assert [] == unmet_expectations(saved, [])


def test_planner_second_taken_name_of_a_batch_is_found(tmp_path):
    """
    Also where the indexes are those that are to come.
    """
    (tmp_path / "owl-2.png").touch()
    plan = planner(output=str(tmp_path / "owl-{index}.png")).plan

    plan(count=1, force=False)
    plan(count=2, force=True)
    with pytest.raises(StorageError, match=r"owl-2\.png"):
        plan(count=2, force=False)
    (tmp_path / "owl-2.png").rename(tmp_path / "owl-3.png")
    plan(count=2, force=False)


def sidecars(records, **options):
    warnings = []
    return (
        SidecarWriter(OutputOptions(**options), records, warn=warnings.append),
        warnings,
    )


FIRST_LAYOUT = record(request={"path": "", "body": {}, "webhook": None})


def test_sidecars_need_the_request_of_each_job():
    records = Records(j1=record(), j2=FIRST_LAYOUT)
    writer, _ = sidecars(records, sidecar=True)

    writer.check(["j1"])
    for unknown in ("j2", "j3"):
        with pytest.raises(UsageError, match=f"request of job {unknown}"):
            writer.check(["j1", unknown])
    sidecars(records)[0].check(["j3"])


@pytest.fixture
def written(monkeypatch):
    """
    The sidecars that were written; `broken` is raised instead.
    """
    calls = SimpleNamespace(all=[], broken=None)

    def write(record, job, file, *, force):
        if calls.broken:
            raise calls.broken
        calls.all.append((record.record, job.job_id, file.path, force))

    monkeypatch.setattr(sidecar, "write", write)
    return calls


SAVED = job("j1", "completed", files=(saved_file("j1"), saved_file("j1", 2)))


@pytest.mark.parametrize("is_forced", [True, False])
def test_sidecars_are_written_for_each_file(written, is_forced):
    writer, _ = sidecars(Records(j1=record(record="r")), sidecar=True, force=is_forced)

    writer.write(SAVED)

    assert [
        ("r", "j1", "j1-1.png", is_forced),
        ("r", "j1", "j1-2.png", is_forced),
    ] == written.all


def test_sidecars_are_written_only_if_asked_for(written):
    writer, warnings = sidecars(Records(j1=record()))

    writer.write(SAVED)

    assert ([], []) == (written.all, warnings)


@pytest.mark.parametrize("is_lost", [True, False])
def test_sidecars_that_cannot_be_written_say_that_the_file_is_saved(written, is_lost):
    written.broken = full_disk()
    writer, _ = sidecars(Records(**{} if is_lost else {"j1": record()}), sidecar=True)
    reason = "The journal no longer has the request." if is_lost else "No space left."

    with pytest.raises(StorageError) as caught:
        writer.write(SAVED)

    assert f"Saved j1-1.png, but not its sidecar: {reason}" == caught.value.message


@pytest.mark.parametrize("is_of_another", [True, False])
def test_sidecars_of_another_result_are_warned_of(tmp_path, monkeypatch, is_of_another):
    """
    Only where --force may have replaced the file beside it.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sidecar, "is_sidecar_of", lambda *_: not is_of_another)
    (tmp_path / "j1-2.png.json").touch()

    forced, warnings = sidecars(Records(), force=True)
    forced.write(SAVED)
    careful, none = sidecars(Records())
    careful.write(SAVED)

    assert ([], is_of_another) == (none, len(warnings) == 1)


@pytest.mark.parametrize(
    ("limit", "cost", "passes"),
    [
        (None, None, True),
        (None, 99.0, True),
        (0.3, 0.1 + 0.2, True),
        (0.3, 0.29, True),
        (0.3, 0.301, False),
        (0.0, 0.0, True),
        (0.0, 0.01, False),
        (0.3, None, False),
    ],
)
def test_spending_limit_is_kept_to_the_cent(limit, cost, passes):
    check = SpendingLimit(limit).check
    if passes:
        check(cost, model="google/x")
    else:
        with pytest.raises(CostError, match="Nothing was submitted"):
            check(cost, model="google/x")


def test_spending_limit_lets_unknown_prices_pass_only_if_allowed():
    SpendingLimit(1.0, allows_unknown=True).check(None, model="google/x")
    with pytest.raises(CostError, match="request to google/x is unknown") as caught:
        SpendingLimit(1.0).check(None, model="google/x")
    assert "Add --allow-unknown-cost, or remove --max-cost." == caught.value.hint
    with pytest.raises(CostError) as caught:
        SpendingLimit(1.0, "config.toml").check(None, model="google/x")
    assert "remove max_cost (config.toml)" in caught.value.hint


def test_spending_limit_says_who_set_it():
    with pytest.raises(CostError) as caught:
        SpendingLimit(1.0, "KREA_MAX_COST").check(2.0, model="google/x")
    assert caught.value.message.endswith("(max_cost from KREA_MAX_COST).")

    with pytest.raises(CostError) as caught:
        SpendingLimit(1.0).check(2.0, model="google/x")
    assert "from" not in caught.value.message
    assert "fewer results" in caught.value.hint

    with pytest.raises(CostError) as caught:
        SpendingLimit(1.0).check(2.0, model="google/x", can_change=False)
    assert "Raise --max-cost." == caught.value.hint


@pytest.mark.parametrize(
    ("option", "expected"), [(None, (5.0, "a file")), (0.0, (0.0, "--max-cost"))]
)
def test_spending_limit_of_the_command_line_comes_first(option, expected):
    settings = ResolvedSettings(SimpleNamespace(max_cost=5.0), {"max_cost": "a file"})

    limit = SpendingLimit.of(option, settings, allows_unknown=True)

    assert (*expected, True) == (limit.usd, limit.source, limit.allows_unknown)


def test_names_of_a_recorded_job_are_the_same_in_every_run(time):
    names = ResultNames(Records(j1=record()), time.clock)

    fields = names.of_job(job("j1", model="other", seed=1))

    assert (NOW, "google/x", "an owl", 7) == (
        fields.time.timestamp(),
        fields.model,
        fields.prompt,
        fields.seed,
    )


def test_names_of_an_unknown_job_come_from_the_job_or_the_request(time):
    default = FilenameFields(time=datetime.now().astimezone(), model="d")
    time.elapsed = 60.0

    named = ResultNames(Records(), time.clock).of_job(job("j1", model="m", seed=3))

    assert (time.wall(), "m", "", 3) == (
        named.time.timestamp(),
        named.model,
        named.prompt,
        named.seed,
    )
    assert default is ResultNames(Records(), time.clock, default=default).of_job(
        job("j1", model="m")
    )


@pytest.mark.parametrize("model", ["google/x", None])
def test_review_reads_the_models_only_for_a_job_that_names_its_model(model):
    read = []

    def catalog():
        read.append("catalog")
        return SimpleNamespace(with_id=lambda _: ())

    review = ResultReview(catalog=catalog, records=Records(), max_side=None)

    review.remarks(job("j1", "completed", model=model))

    assert (["catalog"] if model else []) == read
