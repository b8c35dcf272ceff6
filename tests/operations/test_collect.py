from __future__ import annotations

import re
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest
from operations.stubs import (
    Console,
    Downloader,
    Names,
    Service,
    Sidecars,
    Timing,
    full_disk,
    job,
    saved_file,
)

from krea_cli.api.models import Job
from krea_cli.errors import (
    Action,
    CombinedError,
    ConversionError,
    DownloadError,
    EmptyResultError,
    ExitCode,
    ExpectationFailedError,
    JobCancelledError,
    JobDeletedError,
    JobFailedError,
    KreaError,
    ServerError,
    Step,
    StorageError,
    TokenRejectedError,
    TooLargeError,
    UnknownJobError,
    UnsavedResultsError,
    UnsupportedResultError,
    WaitTimeoutError,
)
from krea_cli.jobs.run_tracker import RunTracker
from krea_cli.operations import collect
from krea_cli.operations.collect import CollectContext, JobCollection
from krea_cli.operations.save import ResultSaver, SaveContext
from krea_cli.output.progress import Progress
from krea_cli.output.results.jobs import JobStatus
from krea_cli.runtime.signals import Interrupted


class Run:
    """
    Jobs with these states after one another, the first of which is fetched already.
    """

    def __init__(self, time, **states):
        self.time = time
        self.console, self.tracker, self.timing = Console(), RunTracker(), Timing()
        self.service = Service(**states)
        self.downloader, self.sidecars = Downloader(), Sidecars()
        self.reported, self.remarks, self.unmet = [], [], []
        self.ids = list(states)
        self.tracker.submitted(*self.ids)

    @property
    def saver(self):
        return ResultSaver(
            SaveContext(
                downloader=self.downloader,
                names=Names(),
                sidecars=self.sidecars,
                records=self.service,
                tracker=self.tracker,
            )
        )

    def collection(self, *errors, submission=None):
        context = CollectContext(
            service=self.service,
            timing=self.timing,
            console=self.console,
            clock=self.time.clock,
            tracker=self.tracker,
            review=lambda job: self.remarks,
            unmet=lambda job: self.unmet,
            wait_command=lambda ids: f"wait {' '.join(ids)}",
            report_error=self.reported.append,
        )
        jobs = [] if submission else [self.service.scripts[each]() for each in self.ids]
        return JobCollection(context, jobs, errors, submission=submission)

    def wait(self, *errors, deadline=600, saver=None, **options):
        collected = self.collection(*errors)
        collected.wait(deadline=deadline, saver=saver, **options)
        return collected


def report(collected, **options):
    """
    The error that the report ends with; None without any.
    """
    try:
        collected.report(JobStatus, **options)
    except KreaError as exc:
        return exc
    return None


def states(collected):
    return [(each.job_id, each.status) for each in collected.jobs]


def files(collected):
    return [file.path for each in collected.jobs for file in each.files]


def test_wait_polls_until_all_jobs_have_finished(time):
    run = Run(time, j1=["queued", "processing", "completed"], j2=["queued", "failed"])

    collected = run.wait()

    assert [("j1", "completed"), ("j2", "failed")] == states(collected)
    assert 4.0 == time.elapsed
    assert [("j2", "failed", 0), ("j1", "completed", 0)] == run.service.outcomes
    assert ["j1", "j2"] == run.timing.added


def test_wait_polls_no_job_that_has_finished(time):
    run = Run(time, j1=["completed"])

    run.wait()

    assert ([], 0) == (run.service.fetched, time.elapsed)


def test_wait_gives_each_poll_twenty_seconds_at_most(time):
    run = Run(time, j1=["queued", "queued", "completed"])

    run.wait(deadline=23)

    assert [("j1", 22.0), ("j1", 23)] == run.service.fetched


def test_wait_until_the_deadline_leaves_the_job_pending(time):
    """
    Exit code 8, and the command that collects it.
    """
    run = Run(time, j1=["processing"])

    error = report(run.wait(deadline=10))

    assert isinstance(error, WaitTimeoutError)
    assert (Step(Action.COLLECT, ("j1",)),) == error.advice
    assert 10 == time.elapsed


def test_wait_saves_the_first_results_while_others_run(time):
    """
    In the order of the jobs: the second one is done first, and waits for its index.
    """
    run = Run(
        time,
        j1=["queued", "queued", "completed"],
        j2=["queued", "completed"],
        j3=["queued", "queued", "queued", "queued", "completed"],
    )

    collected = run.wait(saver=run.saver)

    assert [("j1", 1, True), ("j2", 2, True)] == sorted(run.downloader.saved[:2])
    assert ["j1-1.png", "j2-2.png", "j3-3.png"] == files(collected)
    summary = run.tracker.summary()
    assert ((), {"j1", "j2", "j3"}) == (summary.pending, set(summary.unreported))


def test_wait_offers_no_result_early_behind_a_job_that_runs(time):
    """
    A job in front that fails uses up no index.
    """
    run = Run(time, j1=["queued", "queued", "queued", "failed"], j2=["completed"])

    def nothing_saved():
        assert [] == run.downloader.saved
        return job("j1", "queued")

    run.service.scripts["j1"].left[2] = nothing_saved
    collected = run.wait(saver=run.saver)

    assert [("j2", 1, True)] == run.downloader.saved
    assert ["j2-1.png"] == files(collected)


def test_wait_for_a_single_job_saves_without_index(time):
    run = Run(time, j1=["queued", "completed"])

    run.wait(saver=run.saver)

    assert [("j1", 1, False)] == run.downloader.saved


def test_wait_for_one_ends_with_the_first_and_notes_the_rest(time):
    run = Run(time, j1=["processing"], j2=["queued", "completed"])

    collected = run.wait(saver=run.saver, is_one_enough=True)

    assert [("j2", "completed")] == states(collected)
    assert ["Still running: j1"] == run.console.notes
    assert ["j2-1.png"] == files(collected)
    assert report(collected) is None
    assert 2.0 == time.elapsed


def test_wait_for_one_passes_over_a_job_whose_result_is_not_there(time):
    """
    Its result may still come.
    """
    empty = job("j1", "completed", urls=())
    run = Run(time, j1=["queued", empty], j2=["queued", "failed"])

    collected = run.wait(is_one_enough=True)

    assert ["j2"] == [each.job_id for each in collected.jobs]


def test_wait_for_one_reports_what_runs_when_the_time_is_up(time):
    run = Run(time, j1=["processing"], j2=["queued"])

    error = report(run.wait(is_one_enough=True, deadline=4))

    assert "Timed out: no job has finished (j1 is 'processing', j2 is 'queued')." == (
        error.message
    )
    assert (Step(Action.WAIT_FOR_FIRST, ("j1", "j2")),) == error.advice
    assert (ExitCode.STILL_RUNNING, None) == (error.exit_code, error.job_id)


def test_wait_for_one_of_one_names_the_job(time):
    run = Run(time, j1=["processing"])

    error = report(run.wait(is_one_enough=True, deadline=4))

    assert "j1" == error.job_id


def test_wait_for_one_forgets_passing_trouble_with_others(time):
    """
    An error that another try would end in, too, stays.
    """
    passing, lasting = ServerError("fault", job_id="j8"), StorageError("full")
    run = Run(time, j1=["completed"])

    collected = run.wait(passing, lasting, is_one_enough=True)

    assert [lasting] == collected.errors


def test_wait_stopped_by_an_error_of_every_poll_reports_what_is_saved(time):
    run = Run(
        time,
        j1=["completed"],
        j2=["queued", TokenRejectedError("The token was rejected.")],
    )
    saver = run.saver
    saver.offer = settled(saver)

    with pytest.raises(TokenRejectedError):
        run.wait(saver=saver)

    assert ["j1"] == [each.job.job_id for each in run.console.results]
    assert ("j2",) == run.tracker.summary().pending
    assert [] == run.reported


def settled(saver):
    offer = saver.offer

    def and_wait(slots, progress):
        offer(slots, progress)
        saver.pool.rest(5)

    return and_wait


def test_wait_stopped_with_standard_output_closed_reports_that_too(time):
    """
    The end is still that of the first error.
    """
    run = Run(
        time,
        j1=["completed"],
        j2=["queued", TokenRejectedError("The token was rejected.")],
    )
    run.console.broken = StorageError("Standard output is closed.")
    saver = run.saver
    saver.offer = settled(saver)

    with pytest.raises(TokenRejectedError):
        run.wait(saver=saver)

    [error] = run.reported
    assert error.message.startswith("Standard output is closed. Job j1 was saved: j1-")


def test_wait_job_that_cannot_be_polled_keeps_its_error_and_the_others(time):
    run = Run(
        time,
        j1=["queued", JobDeletedError("It is gone.")],
        j2=["queued", "queued", "completed"],
    )

    collected = run.wait()

    [error] = collected.errors
    assert ("It is gone.", "j1") == (error.message, error.job_id)
    assert [("j1", "queued"), ("j2", "completed")] == states(collected)


def test_wait_passing_trouble_is_shown_and_polled_again(time):
    missed = []
    run = Run(time, j1=["queued", ServerError("fault"), "completed"])
    run.console.shown = Watched(missed)

    collected = run.wait()

    assert (["j1: fault"], []) == (missed, collected.errors)
    assert [("j1", "completed")] == states(collected)


class Watched(Progress):
    def __init__(self, told):
        self.told = told

    def missed(self, job, error):
        self.told.append(f"{job.job_id}: {error.message}")


def test_wait_ended_by_a_signal_keeps_what_is_saved(time):
    run = Run(time, j1=["completed"], j2=["queued", Interrupted(signal.SIGINT)])
    saver = run.saver
    saver.offer = settled(saver)

    with pytest.raises(Interrupted):
        run.wait(saver=saver)

    summary = run.tracker.summary()
    assert (("j2",), ("j1",)) == (summary.pending, summary.unreported)


class Submission:
    """
    Jobs that are submitted one a look; the last answer is lost, if one is `found`.
    """

    def __init__(self, *jobs, found=None, errors=()):
        self.pool = SimpleNamespace(is_busy=False)
        self.errors = list(errors)
        self.count = len(jobs) + bool(found)
        self.resolved = 0
        self._jobs, self._found, self._seen = list(jobs), found, 0

    @property
    def is_open(self):
        return self._seen < len(self._jobs)

    @property
    def has_unconfirmed(self):
        return self._found is not None and not self.is_open

    @property
    def unsent(self):
        return self.count - self._seen

    def slots(self):
        self._seen = min(self._seen + 1, len(self._jobs))
        return [*self._jobs[: self._seen], *[None] * (self.count - self._seen)]

    def resolve(self):
        self.resolved += 1
        self._jobs.append(self._found)
        self._found = None


def test_wait_polls_jobs_while_others_are_submitted(time):
    run = Run(time, j1=["completed"], j2=["processing", "completed"])
    submission = Submission(job("j1"), job("j2"))

    collected = run.collection(submission=submission)
    collected.wait(deadline=600, saver=run.saver)

    assert [("j1", "completed"), ("j2", "completed")] == states(collected)
    assert {("j1", 1, True), ("j2", 2, True)} == set(run.downloader.saved)
    assert run.tracker.summary().is_batch


def test_wait_looks_for_the_job_of_a_lost_answer_and_goes_on(time):
    run = Run(time, j1=["completed"], j2=["completed"])
    submission = Submission(job("j1"), found=job("j2"))

    collected = run.collection(submission=submission)
    collected.wait(deadline=600, saver=run.saver)

    assert 1 == submission.resolved
    assert ["j1-1.png", "j2-2.png"] == files(collected)


def test_report_puts_errors_of_the_submission_first(time):
    run = Run(time, j1=["failed"])
    submission = Submission(job("j1"), errors=[ServerError("fault")])

    collected = run.collection(submission=submission)
    collected.wait(deadline=600)
    error = report(collected)

    assert ["fault", "Job j1 failed: Krea gives no reason."] == [
        each.message for each in error.errors
    ]


def test_save_waits_for_results_that_come_late(time):
    """
    A job that runs is not polled.
    """
    empty = job("j1", "completed", urls=())
    run = Run(time, j1=[empty, empty, "completed"], j2=["processing"])

    collected = run.collection()
    collected.save(run.saver)

    assert ["j1-1.png"] == files(collected)
    assert ["j1", "j1"] == [job_id for job_id, _ in run.service.fetched]
    assert time.elapsed <= 30


def test_save_gives_up_on_a_result_after_three_polls(time):
    run = Run(time, j1=[job("j1", "completed", urls=())])

    collected = run.collection()
    collected.save(run.saver)
    error = report(collected)

    assert isinstance(error, EmptyResultError)
    assert 3 == len(run.service.fetched)
    assert [] == run.downloader.saved


def test_report_of_jobs_that_succeeded_writes_each_and_its_command(time):
    run = Run(time, j1=["completed"], j2=["completed"])
    shown, handed_on = [], []

    collected = run.wait(saver=run.saver)
    error = report(collected, preview=shown.append, hand_on=handed_on.append)

    assert error is None
    # Saved jobs need no command.
    assert ["", ""] == [each.collect for each in run.console.results]
    assert [2] == [len(jobs) for jobs in shown]
    assert [2] == [len(jobs) for jobs in handed_on]
    summary = run.tracker.summary()
    assert ((), ()) == (summary.pending, summary.unreported)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        ("failed", JobFailedError, ExitCode.JOB_FAILED),
        ("cancelled", JobCancelledError, ExitCode.CANCELLED),
    ],
)
def test_report_of_a_job_without_result_is_its_error(time, status, kind, code):
    run = Run(time, j1=[status])

    error = report(run.wait())

    assert isinstance(error, kind)
    assert (code, "j1") == (error.exit_code, error.job_id)
    assert () == run.tracker.summary().pending


def test_report_of_jobs_left_running_has_one_command_for_all(time):
    run = Run(time, j1=["queued"], j2=["queued"])

    assert report(run.collection(), waits=False) is None

    assert {"wait j1 j2"} == {result.collect for result in run.console.results}


def test_report_of_a_part_has_each_error_and_what_succeeded(time):
    run = Run(time, j1=["completed"], j2=["failed"], j3=["cancelled"])

    error = report(run.wait(saver=run.saver))

    assert isinstance(error, CombinedError)
    assert ["j2", "j3"] == [each.job_id for each in error.errors]
    assert (ExitCode.PARTIAL, "2 of 3 jobs have errors, shown above.") == (
        error.exit_code,
        error.message,
    )


def test_report_that_does_not_wait_takes_no_running_job_for_an_error(time):
    run = Run(time, j1=["processing"])

    assert report(run.collection(), waits=False) is None


def test_report_counts_a_job_with_an_error_of_its_own_once(time):
    run = Run(time, j1=["completed"], j2=["completed"])
    run.downloader.failures = {"j1": DownloadError("broken off")}

    error = report(run.wait(saver=run.saver))

    assert ["broken off"] == [each.message for each in error.errors]
    assert "1 of 2 jobs has an error, shown above." == error.message
    assert (Step(Action.DOWNLOAD, ("j1",)),) == error.errors[0].advice


def test_report_of_expectations_that_are_not_met_keeps_the_file(time):
    run = Run(time, j1=["completed"])
    run.unmet, run.remarks = ["It is 3 wide."], ["It is small."]

    error = report(run.wait(saver=run.saver))

    assert isinstance(error, ExpectationFailedError)
    assert ["It is 3 wide."] == error.details
    assert ["It is small."] == run.console.warnings


def test_report_of_more_results_than_are_saved(time):
    urls = tuple(f"https://k.test/{at}" for at in range(1001))
    run = Run(time, j1=[job("j1", "completed", urls=urls)])
    run.downloader.save = lambda job, *_, **__: iter([job])

    error = report(run.wait(saver=run.saver))

    assert isinstance(error, UnsavedResultsError)


def test_report_of_a_missing_sidecar_has_the_file_and_the_error(time):
    run = Run(time, j1=["completed"])
    run.sidecars.failures = {"j1": full_disk()}

    collected = run.wait(saver=run.saver)
    error = report(collected)

    assert (["j1-1.png"], "No space left.", "j1") == (
        files(collected),
        error.message,
        error.job_id,
    )


KEPT = ConversionError("Not a JPEG.", kept=saved_file("j1"))


@pytest.mark.parametrize(
    ("error", "steps"),
    [
        (full_disk(), [Step(Action.DOWNLOAD_ELSEWHERE, ("j1",))]),
        (DownloadError("x"), [Step(Action.DOWNLOAD, ("j1",))]),
        (DownloadError("x", is_lasting=True), [Step(Action.SHOW_URLS, ("j1",))]),
        (UnsupportedResultError("x"), []),
        (
            TooLargeError("x", size_bytes=5),
            [Step(Action.DOWNLOAD_LARGER, ("j1", "5"))],
        ),
        (
            TooLargeError("x", size_bytes=None),
            [Step(Action.DOWNLOAD_LARGER, ("j1",))],
        ),
        (ServerError("x"), []),
        (
            KEPT,
            [
                "j1-1.png is the original file. Downloading it again is free.",
                Step(Action.DOWNLOAD_ELSEWHERE, ("j1",)),
            ],
        ),
    ],
)
def test_report_of_a_file_that_was_not_saved_names_the_free_way_out(time, error, steps):
    run = Run(time, j1=["completed"])
    run.downloader.failures = {"j1": error}

    found = report(run.wait(saver=run.saver))

    assert (steps, "j1") == (list(found.advice), found.job_id)


def test_report_of_a_file_kept_as_it_came_needs_no_way_out(time):
    """
    All files of the job are there.
    """
    run = Run(time, j1=["completed"])

    def save(job, *_, **__):
        yield replace(job, files=(KEPT.kept,))
        raise KEPT

    run.downloader.save = save
    found = report(run.wait(saver=run.saver))

    assert 1 == len(found.advice)


def closed():
    return StorageError("Standard output is closed.")


def test_report_to_a_closed_standard_output_says_where_the_file_is(time):
    run = Run(time, j1=["completed"])
    run.console.broken = closed()

    error = report(run.wait(saver=run.saver), preview=pytest.fail)

    assert "Standard output is closed. Job j1 was saved: j1-1.png." == error.message
    assert ("j1", ()) == (error.job_id, run.tracker.summary().unreported)


def test_report_to_a_closed_standard_output_leaves_what_runs_to_collect(time):
    """
    The report of the run adds that job.
    """
    run = Run(time, j1=["completed"], j2=["processing"])
    run.console.broken = closed()

    error = report(run.wait(saver=run.saver, deadline=4))

    assert (None, ("j2",)) == (error.job_id, run.tracker.summary().pending)
    [message] = [error.message for error in run.reported]
    assert re.search(
        r"^Timed out after \d+ s\. Job j2 .*\(status: processing\)", message
    )


def test_report_to_a_closed_standard_output_shows_the_other_errors_first(time):
    """
    A job without a result has nothing to collect.
    """
    run = Run(time, j1=["failed"], j2=[job("j2", "completed", urls=())])
    run.console.broken = closed()

    error = report(run.wait(saver=run.saver))

    assert "Standard output is closed." == error.message
    assert ["j1", "j2"] == [each.job_id for each in run.reported]
    assert () == run.tracker.summary().pending


def test_report_that_cannot_be_handed_on_ends_with_that(time):
    run = Run(time, j1=["completed"])
    error = full_disk()

    assert error is report(run.wait(saver=run.saver), hand_on=lambda _: error)
    assert [] == run.reported


def test_report_that_cannot_be_handed_on_hides_no_error_of_a_job(time):
    """
    Both are shown; the end is that of the job.
    """
    run = Run(time, j1=["failed"])
    error = full_disk()

    found = report(run.wait(), hand_on=lambda _: error)

    assert isinstance(found, JobFailedError)
    assert [error] == run.reported


@pytest.mark.parametrize("gone", [JobDeletedError("Gone."), UnknownJobError("Gone.")])
def test_recovery_steps_of_a_job_that_krea_lacks_are_none(gone):
    error = DownloadError("HTTP 404.")
    error.__cause__ = gone

    found = [*collect._recovery_steps(error, Job(job_id="j1", status="completed"))]

    assert [] == found


def test_recovery_steps_of_a_passing_failure_download_again():
    error = DownloadError("HTTP 404.")

    found = [*collect._recovery_steps(error, Job(job_id="j1", status="completed"))]

    assert [Step(Action.DOWNLOAD, ("j1",))] == found
