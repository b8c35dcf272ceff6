"""
Carry out the plan of a batch: submit its items, wait for them, and save them.

This module knows nothing about HTTP, the terminal or the journal. It submits items in
the order of the file, as many at once as Krea accepts. An error in one item does not
stop the others, unless it would affect them all.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from krea_cli.api.models import Job
from krea_cli.batch.identity import Identity
from krea_cli.batch.lock import LockLine
from krea_cli.batch.plan import PAID, PlanStep, Sign
from krea_cli.errors import (
    BalanceError,
    JournalError,
    KreaError,
    NoTokenError,
    ServiceError,
    StorageError,
    TargetExistsError,
    UnconfirmedSubmissionError,
    UsageError,
    WaitTimeoutError,
)
from krea_cli.jobs import job_errors
from krea_cli.jobs.keyed_submission import KeyedJob
from krea_cli.jobs.polling import MIN_ROUND_SECONDS, JobUpdate
from krea_cli.operations.batch_outcome import (
    BatchEvent,
    BatchLimits,
    BatchPoller,
    BatchTools,
    Files,
    ItemOutcome,
    ItemSeen,
    ItemSubmitted,
    blocked,
    ended_error,
    ended_state,
    state_of,
)
from krea_cli.runtime import signals
from krea_cli.runtime.worker_pool import WorkerPool

# Krea's rate limits decide how many requests are actually sent at once.
SUBMIT_AT_ONCE, SAVE_AT_ONCE = 16, 4
# This many lost responses in a row are not a coincidence, and each may be billed.
MAX_UNCONFIRMED = 3
# Errors that would affect every other request as well.
_ENDS_SUBMISSION = (NoTokenError, BalanceError, ServiceError, JournalError)
# On Windows, a signal does not interrupt waiting: check for signals after each step.
_STEP_SECONDS = 0.05


class _StoppedError(Exception):
    """
    The request must not be submitted any more.
    """


class _NewsError(Exception):
    """
    Raised to end a sleep early, when a thread has something to report.
    """


@dataclass
class _Work:
    """
    A running job: the `steps` that share it, and its `record`.
    """

    steps: list[PlanStep]
    job: Job
    record: str
    is_new: bool
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class _News:
    """
    A report from a thread about a step.
    """

    step: PlanStep
    submitted: KeyedJob | None = None
    saved: Files | None = None
    error: KreaError | None = None
    # Set if nothing was submitted and all submission has ended.
    is_stopped: bool = False


class _NewsQueue:
    """
    The reports of threads, for one reader that can wait for the next one.
    """

    def __init__(self) -> None:
        self._queue = SimpleQueue[_News]()
        self._next: _News | None = None

    @property
    def is_empty(self) -> bool:
        return self._next is None and self._queue.empty()

    def put(self, news: _News) -> None:
        self._queue.put(news)

    def wait(self, seconds: float) -> bool:
        """
        Wait for a report for at most `seconds`. Return whether there is one to take.
        """
        if self._next is None:
            with suppress(Empty):
                self._next = self._queue.get(timeout=seconds)
        return self._next is not None

    def take(self) -> _News | None:
        """
        Return the next report, or None if there is none.
        """
        news, self._next = self._next, None
        with suppress(Empty):
            return news or self._queue.get_nowait()
        return None


class BatchRun:
    """
    One run over the steps of a plan. Iterate over `events` to carry it out.
    """

    def __init__(
        self, steps: Sequence[PlanStep], tools: BatchTools, limits: BatchLimits
    ) -> None:
        self._steps = {step.output: step for step in steps}
        self._tools = tools
        self._limits = limits
        self.outcomes: dict[str, ItemOutcome] = {}
        # The error that stopped submission, if any.
        self.ended_by: KreaError | None = None
        # Lines that could not be written to the lock, and the first error.
        self.unwritten: list[LockLine] = []
        self.write_error: StorageError | None = None
        self._writing = threading.Lock()
        self._submitting = WorkerPool(SUBMIT_AT_ONCE)
        self._saving = WorkerPool(SAVE_AT_ONCE)
        self._news = _NewsQueue()
        self._lock = threading.Lock()
        self._unconfirmed_in_a_row = 0
        self._has_answered = False
        self._alone = threading.Lock()
        self._is_stopped = False
        self._works: dict[str, _Work] = {}
        self._by_job: dict[str, list[_Work]] = defaultdict(list)
        self._accepted: dict[str, list[tuple[PlanStep, KeyedJob]]] = defaultdict(list)
        self._begun = set[str]()
        self._sharing: dict[str, list[PlanStep]] = defaultdict(list)
        self._dependents: dict[str, list[PlanStep]] = defaultdict(list)
        for step in steps:
            if step.same_as is not None:
                self._sharing[step.same_as].append(step)
            for needed in step.planned.item.needs.values():
                self._dependents[needed].append(step)

    @property
    def steps(self) -> Sequence[PlanStep]:
        return list(self._steps.values())

    def events(self) -> Generator[BatchEvent]:
        """
        Carry out the steps, and yield an event for each change.

        If the run ends early, `outcomes` and `open_jobs` have what happened until then.
        """
        poller = self._tools.poller(self._sleep)
        try:
            with self._saving, self._submitting:
                try:
                    yield from self._begin(poller)
                    yield from self._run(poller)
                except BaseException:
                    self._is_stopped = True
                    raise
        except BaseException:
            self._settle()
            raise
        finally:
            self._is_stopped = True
        yield from self._drain(poller)
        yield from self._close()

    def open_jobs(self) -> tuple[list[str], list[str]]:
        """
        Return the ids of running jobs, and the ids of completed jobs that are not
        saved. A job counts as running until its end is known.
        """
        running, completed = list[str](), list[str]()
        for job_id, works in list(self._by_job.items()):
            steps = [step.output for work in works for step in work.steps]
            if all(output in self.outcomes for output in steps):
                continue
            is_done = any(work.job.status == "completed" for work in works)
            (completed if is_done else running).append(job_id)
        for job_id, found in list(self._accepted.items()):
            # Reports about the last jobs may not have been read.
            is_open = any(step.output not in self.outcomes for step, _ in found)
            if is_open and job_id not in self._by_job:
                running.append(job_id)
        return running, completed

    def finished_jobs(self) -> list[str]:
        """
        Return the ids of jobs whose items all have an outcome.
        """
        return [
            job_id
            for job_id, works in self._by_job.items()
            if all(step.output in self.outcomes for w in works for step in w.steps)
        ]

    def note_cancelled(self, job_ids: Collection[str]) -> None:
        """
        Record that jobs of the run were cancelled after its end.
        """
        for job_id in job_ids:
            # Reports about the last jobs may not have been read.
            for step, found in self._accepted.get(job_id, ()):
                self._append(
                    *(step, *self._sharing[step.output]),
                    state="cancelled",
                    record=found.record,
                    job_id=job_id,
                    usd=found.job.cost_usd,
                )

    def _run(self, poller: BatchPoller) -> Iterator[BatchEvent]:
        polled_at = self._tools.clock.now()
        while True:
            yield from self._drain(poller)
            if self._is_over(poller):
                return
            try:
                poller.sleep()
            except _NewsError:
                # A burst of reports must not delay polls.
                if self._tools.clock.now() - polled_at < MIN_ROUND_SECONDS:
                    continue
            if not self._limits.waits:
                continue
            for update in poller.poll():
                yield from self._polled(update)
            polled_at = self._tools.clock.now()

    def _is_over(self, poller: BatchPoller) -> bool:
        is_late = self._tools.clock.now() >= self._limits.deadline
        self._is_stopped |= is_late
        if self._submitting.is_busy or self._saving.is_busy or not self._news.is_empty:
            return False
        return is_late or not self._limits.waits or poller.is_over

    # --- beginning -----------------------------------------------------------------

    def _begin(self, poller: BatchPoller) -> Iterator[BatchEvent]:
        yield from self._fetch_together(poller)
        for step in self._steps.values():
            if step.blocked_by is not None:
                needed = self._steps.get(step.blocked_by)
                is_direct = needed is None or needed.blocked_by is None
                shown = self._shown(step.blocked_by)
                error = blocked(step, shown, is_direct=is_direct)
                yield self._finish(step, "blocked", error=error)
            elif step.error is not None:
                state = "unusable" if step.sign == Sign.UNUSABLE else "conflict"
                yield self._finish(step, state, error=step.error)
            elif step.same_as is None or step.same_as not in self._steps:
                yield from self._begin_step(step)

    def _fetch_together(self, poller: BatchPoller) -> Iterator[BatchEvent]:
        """
        Fetch the jobs of earlier runs with a few list requests.

        Jobs missing from the list are fetched one by one.
        """
        earlier = [
            step
            for step in self._steps.values()
            if step.sign in (Sign.WAIT, Sign.FETCH) and step.line and step.line.job
        ]
        ids = [step.line.job for step in earlier if step.line and step.line.job]
        found: Mapping[str, Job] = {}
        if len(set(ids)) > 1:
            with suppress(ServiceError, UsageError):
                found = self._tools.fetch_many(list(dict.fromkeys(ids)))
        for step, job_id in zip(earlier, ids, strict=True):
            if job_id in found and step.line:
                known = KeyedJob(
                    job=found[job_id], record=step.line.record, is_new=False
                )
                yield from self._add(step, known, poller)

    def _begin_step(self, step: PlanStep) -> Iterator[BatchEvent]:
        if step.sign in (Sign.ENDED, Sign.UNCONFIRMED):
            yield self._finish(step, ended_state(step), error=ended_error(step))
        elif step.sign == Sign.SAME and step.copy_of is not None:
            self._start(self._saving, step, lambda: self._copied(step))
        elif step.sign in (Sign.SAME, Sign.EDITED):
            if step.found is not None:
                self._record([step.found])
            yield self._finish(step, "unchanged")
            self._start_dependents(step)
        elif step.sign in (Sign.WAIT, Sign.FETCH):
            if step.output not in self._works:  # not already found in the list
                self._start(self._saving, step, lambda: self._fetched(step))
        elif self._is_ready(step):
            self._start(self._submitting, step, lambda: self._submitted(step))

    def _shown(self, output: str) -> str:
        return self._steps[output].shown if output in self._steps else output

    def _start_dependents(self, step: PlanStep) -> None:
        """
        Submit the steps that needed the result of this step.
        """
        for each in self._dependents[step.output]:
            if each.is_paid and self._is_ready(each):
                self._start(self._submitting, each, _bound(self._submitted, each))

    def _is_ready(self, step: PlanStep) -> bool:
        """
        Return whether all inputs of the step exist.
        """
        return all(
            needed not in self._steps
            or (needed in self.outcomes and self.outcomes[needed].is_there)
            for needed in step.planned.item.needs.values()
        )

    def _start(
        self, pool: WorkerPool, step: PlanStep, work: Callable[[], _News]
    ) -> None:
        def report() -> None:
            try:
                self._news.put(work())
            except KreaError as exc:
                self._news.put(_News(step, error=exc))

        if step.output not in self._begun or pool is self._saving:
            self._begun.add(step.output)
            pool.start(report)

    # --- in threads ----------------------------------------------------------------

    def _submitted(self, step: PlanStep) -> _News:
        with self._turn():
            return self._tried(step)

    def _tried(self, step: PlanStep) -> _News:
        try:
            self._gate()
            found = self._tools.submit(step, self._gate)
        except _StoppedError:
            return _News(step, is_stopped=True)
        except KreaError as exc:
            return self._not_submitted(step, exc)
        with self._lock:
            self._accepted[found.job.job_id].append((step, found))
        self._append(
            *(step, *self._sharing[step.output]),
            state="submitted",
            record=found.record,
            job_id=found.job.job_id,
            usd=found.job.cost_usd,
        )
        with self._lock:
            self._has_answered = True
            self._unconfirmed_in_a_row = 0
        return _News(step, submitted=found)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """
        Wait until a request may be sent. Before the first response, and after a lost
        one, only one request is sent at a time. Trouble with the service then affects
        few requests.
        """
        while self._is_delicate:
            signals.raise_if_interrupted()
            if self._alone.acquire(timeout=_STEP_SECONDS):
                try:
                    if self._is_delicate:
                        yield
                        return
                finally:
                    self._alone.release()
        yield

    @property
    def _is_delicate(self) -> bool:
        return not self._has_answered or self._unconfirmed_in_a_row > 0

    def _not_submitted(self, step: PlanStep, exc: KreaError) -> _News:
        if isinstance(exc, UnconfirmedSubmissionError):
            steps = (step, *self._sharing[step.output])
            self._append(*steps, state="unconfirmed", record=exc.record or "")
            with self._lock:
                self._unconfirmed_in_a_row += 1
                if self._unconfirmed_in_a_row >= MAX_UNCONFIRMED:
                    self._stop(exc)
        elif isinstance(exc, _ENDS_SUBMISSION):
            if exc.job_id is not None:
                # There is a job, but the journal could not record it.
                self._append(step, state="submitted", job_id=exc.job_id)
            self._stop(exc)
            return _News(step, is_stopped=True)
        else:
            self._has_answered = True
        return _News(step, error=exc)

    def _gate(self) -> None:
        """
        Allow a submission, unless the run has stopped submitting.

        Raises:
            _StoppedError: nothing more may be submitted.
        """
        if self._is_stopped or self._tools.clock.now() >= self._limits.deadline:
            raise _StoppedError

    def _stop(self, error: KreaError) -> None:
        self.ended_by = self.ended_by or error
        self._is_stopped = True

    def _fetched(self, step: PlanStep) -> _News:
        """
        Fetch the job of a step that was paid for in an earlier run.
        """
        line = step.line
        assert line is not None  # noqa: S101  (such a step has one)
        if line.job is None:
            # Another process is submitting this request at the moment.
            return self._submitted(step)
        job = self._tools.fetch(line.job)
        return _News(
            step, submitted=KeyedJob(job=job, record=line.record, is_new=False)
        )

    def _copied(self, step: PlanStep) -> _News:
        return _News(step, saved=self._tools.copy(step))

    # --- reports of threads --------------------------------------------------------

    def _sleep(self, seconds: float) -> None:
        """
        Sleep, but return as soon as a thread has something to report.
        """
        until = time.monotonic() + seconds
        was_busy = False
        while self._submitting.is_busy or self._saving.is_busy:
            was_busy = True
            left = until - time.monotonic()
            if left <= 0 or self._news.wait(min(left, _STEP_SECONDS)):
                break
        if not self._news.is_empty:
            raise _NewsError
        if not was_busy:
            self._tools.clock.sleep(seconds)

    def _drain(self, poller: BatchPoller) -> Iterator[BatchEvent]:
        while (news := self._news.take()) is not None:
            if news.is_stopped:
                continue
            if news.error is not None:
                yield from self._reported(news.step, news.error, poller)
            elif news.submitted is not None:
                yield from self._add(news.step, news.submitted, poller)
            elif news.saved is not None:
                yield self._saved(news.step, news.saved)
                self._start_dependents(news.step)

    def _settle(self) -> None:
        """
        Record the results that were saved after the run stopped reading reports.
        """
        while (news := self._news.take()) is not None:
            if news.saved is not None:
                self._saved(news.step, news.saved)

    def _reported(
        self, step: PlanStep, error: KreaError, poller: BatchPoller
    ) -> Iterator[BatchEvent]:
        line = step.line
        is_unseen = step.output not in self._works and step.sign not in PAID
        if isinstance(error, NoTokenError):
            self._stop(error)
        elif is_unseen and isinstance(error, ServiceError) and line and line.job:
            # The poller retries for as long as that makes sense.
            job = Job(job_id=line.job, status="queued", cost_usd=line.usd)
            known = KeyedJob(job=job, record=line.record, is_new=False)
            yield from self._add(step, known, poller)
        else:
            yield from self._failed(step, error)

    def _add(
        self, step: PlanStep, found: KeyedJob, poller: BatchPoller
    ) -> Iterator[BatchEvent]:
        job = found.job
        steps = [step, *self._sharing[step.output]]
        work = _Work(steps, job, found.record, found.is_new)
        if not found.is_new:
            self._accepted[job.job_id].append((step, found))
        # In an earlier run, two outputs may have shared a job.
        self._by_job[job.job_id].append(work)
        for each in steps:
            self._works[each.output] = work
        yield ItemSubmitted(step=step, job=job, is_new=found.is_new)
        if job.is_final and not job.lacks_result:
            yield from self._ended(work)
        else:
            poller.add(job)

    def _polled(self, update: JobUpdate) -> Iterator[BatchEvent]:
        for work in self._by_job[update.job.job_id]:
            if work.is_over:
                continue
            work.job = update.job
            yield ItemSeen(step=work.steps[0], job=update.job, error=update.error)
            if update.error is not None and update.is_given_up:
                for step in work.steps:
                    yield from self._failed(step, update.error)
            elif update.job.is_final:
                yield from self._ended(work)

    def _ended(self, work: _Work) -> Iterator[BatchEvent]:
        """
        Save the results of a finished job, or record that it has none.
        """
        job = work.job
        work.is_over = not job.lacks_result
        if job.status == "completed" and not job.lacks_result:
            for step in work.steps:
                if step.output not in self.outcomes:
                    self._start(self._saving, step, _bound(self._save, step, job))
            return
        if job.is_final and not job.lacks_result:
            self._append(
                *work.steps,
                state=job.status,
                record=work.record,
                job_id=job.job_id,
                usd=job.cost_usd,
            )
        error = job_errors.job_error(job)
        if error is None or not job.is_final:
            return
        for step in work.steps:
            yield from self._failed(step, error, job=job)

    def _save(self, step: PlanStep, job: Job) -> _News:
        try:
            return _News(step, saved=self._tools.save(step, job))
        except TargetExistsError:
            # With this line, the next plan need not compare the existing file again.
            self._append(
                step,
                state="completed",
                record=self._works[step.output].record,
                job_id=job.job_id,
                usd=job.cost_usd,
            )
            raise

    def _saved(self, step: PlanStep, files: Files) -> ItemOutcome:
        """
        Record that the result of a step is on disk.
        """
        work = self._works.get(step.output)
        if work is not None:
            self._append(
                step,
                state="completed",
                record=work.record,
                job_id=work.job.job_id,
                usd=work.job.cost_usd,
                files=files,
            )
        elif step.line is not None:
            line = replace(
                step.line,
                source=self._limits.source,
                output=step.output,
                state="completed",
                at=self._tools.time_text(),
                files=tuple(files),
            )
            self._record([line])
        is_paid = work is not None and work.is_new and step is work.steps[0]
        return self._finish(
            step,
            "made" if is_paid else "fetched",
            job=work.job if work else None,
            files=files,
            is_paid=is_paid,
        )

    def _failed(
        self,
        step: PlanStep,
        error: KreaError,
        *,
        job: Job | None = None,
        state: str | None = None,
    ) -> Iterator[BatchEvent]:
        """
        Record the failure of an item, and of the items that share its job or need its
        result.
        """
        work = self._works.get(step.output)
        sharing = [] if work else self._sharing[step.output]
        for each in (step, *sharing):
            if each.output in self.outcomes:
                continue
            yield self._finish(
                each,
                state or state_of(error, has_job=bool(work) or step.sign not in PAID),
                job=job or (work.job if work else None),
                error=error,
                is_paid=bool(work and work.is_new and each is step),
            )
            for dependent in self._dependents[each.output]:
                if dependent.output not in self.outcomes and dependent.sign in PAID:
                    is_direct = state != "blocked"
                    missing = blocked(dependent, each.shown, error, is_direct=is_direct)
                    yield from self._failed(dependent, missing, state="blocked")

    # --- the end -------------------------------------------------------------------

    def _close(self) -> Iterator[BatchEvent]:
        """
        Report the remaining items as running, submitted or not submitted.
        """
        for step in self._steps.values():
            if step.output in self.outcomes:
                continue
            work = self._works.get(step.output)
            if work is None:
                yield self._finish(step, "unsubmitted")
                continue
            state = "running" if self._limits.waits else "submitted"
            error = job_errors.job_error(work.job) if self._limits.waits else None
            if not isinstance(error, WaitTimeoutError):
                error = None
            is_paid = work.is_new and step is work.steps[0]
            yield self._finish(step, state, job=work.job, error=error, is_paid=is_paid)

    def _finish(
        self,
        step: PlanStep,
        state: str,
        *,
        job: Job | None = None,
        files: Files = (),
        error: KreaError | None = None,
        is_paid: bool = False,
    ) -> ItemOutcome:
        outcome = ItemOutcome(
            step=step,
            state=state,
            job=job,
            files=tuple(files),
            error=error,
            is_paid=is_paid,
        )
        self.outcomes[step.output] = outcome
        return outcome

    def _append(
        self,
        *steps: PlanStep,
        state: str,
        record: str = "",
        job_id: str | None = None,
        usd: float | None = None,
        files: Files = (),
    ) -> None:
        """
        Append a line to the lock for each of the steps, which share a job.
        """
        self._record(
            [
                LockLine(
                    source=self._limits.source,
                    output=step.output,
                    key=_key(step),
                    attempt=_attempt(step),
                    state=state,
                    record=record,
                    job=job_id,
                    service=self._limits.service,
                    usd=_usd(step, usd),
                    at=self._tools.time_text(),
                    identity=_identity(step),
                    files=tuple(files),
                )
                for step in steps
            ]
        )

    def _record(self, lines: Sequence[LockLine]) -> None:
        """
        Append lines to the lock. If that fails, stop submitting: only the journal has
        these jobs, and other machines would pay for them again.
        """
        with self._writing:
            self.unwritten += lines
            try:
                self._tools.record(self.unwritten)
            except StorageError as exc:
                self.write_error = self.write_error or exc
                self._stop(exc)
            else:
                self.unwritten = []


def _bound(work: Callable[..., _News], *arguments: object) -> Callable[[], _News]:
    return lambda: work(*arguments)


def _key(step: PlanStep) -> str:
    return step.line.key if step.line else step.planned.key


def _identity(step: PlanStep) -> Identity:
    assert step.planned.identity is not None  # noqa: S101  (of a step with a job)
    return step.planned.identity


def _attempt(step: PlanStep) -> int:
    is_new = step.sign in PAID
    return step.attempt if is_new or step.line is None else step.line.attempt


def _usd(step: PlanStep, known: float | None) -> float | None:
    if step.line is not None and step.sign not in PAID:
        return step.line.usd
    return step.planned.cost_usd if known is None else known
