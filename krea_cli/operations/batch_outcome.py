"""
Define the collaborators of a batch run, and its outcome for each item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from krea_cli.api.models import Job
from krea_cli.batch.lock import LockedFile, LockLine
from krea_cli.batch.plan import EditedResultError, PlanStep, Sign
from krea_cli.errors import (
    JobCancelledError,
    JobDeletedError,
    JobFailedError,
    KreaError,
    StorageError,
    TargetExistsError,
    UnconfirmedSubmissionError,
)
from krea_cli.jobs.keyed_submission import KeyedJob
from krea_cli.jobs.polling import JobUpdate

if TYPE_CHECKING:
    from krea_cli.runtime.clock import Clock

# The files saved from the results of a job.
Files = Sequence[LockedFile]


class BatchPoller(Protocol):
    """
    A poller of jobs, like `jobs.polling.Poller`.
    """

    @property
    def is_over(self) -> bool: ...

    @property
    def is_timed_out(self) -> bool: ...

    def add(self, job: Job) -> None: ...

    def sleep(self) -> None: ...

    def poll(self) -> Iterator[JobUpdate]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTools:
    """
    The collaborators of a run.

    `submit` builds the request of a step and submits it. It calls the given gate before
    each try; an exception from the gate prevents sending. `fetch` returns the current
    state of a job. `fetch_many` returns the jobs that it finds in the service's list,
    by id. `save` saves the results of a completed job under the name of the step, and
    `copy` copies the file of an equal result; both return the files. `record` appends
    lines to the lock. `poller` builds the poller, given a sleep function.
    """

    submit: Callable[[PlanStep, Callable[[], None]], KeyedJob]
    fetch: Callable[[str], Job]
    fetch_many: Callable[[Sequence[str]], Mapping[str, Job]]
    save: Callable[[PlanStep, Job], Files]
    copy: Callable[[PlanStep], Files]
    record: Callable[[Sequence[LockLine]], None]
    poller: Callable[[Callable[[float], None]], BatchPoller]
    clock: Clock
    time_text: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """
    The limits of a run.

    `deadline` is its end on the monotonic clock. If `waits` is False, the run ends when
    everything is submitted.
    """

    source: str
    service: str
    deadline: float
    waits: bool = True


@dataclass(frozen=True, kw_only=True)
class ItemOutcome:
    """
    The outcome of one item in this run.

    `state` is made, fetched, unchanged, submitted, running, unsubmitted, unchecked (the
    status of its job is unknown), failed, cancelled, unsaved, unconfirmed, blocked,
    conflict or unusable. `is_paid` says that this run pays for the item.
    """

    step: PlanStep
    state: str
    job: Job | None = None
    files: tuple[LockedFile, ...] = ()
    error: KreaError | None = None
    is_paid: bool = False

    @property
    def is_there(self) -> bool:
        return self.state in ("made", "fetched", "unchanged") and self.error is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSubmitted:
    step: PlanStep
    job: Job
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSeen:
    """
    A fetched job, or the error that prevented fetching it.
    """

    step: PlanStep
    job: Job
    error: KreaError | None = None


BatchEvent = ItemSubmitted | ItemSeen | ItemOutcome


def ended_state(step: PlanStep) -> str:
    if step.sign == Sign.UNCONFIRMED:
        return "unconfirmed"
    return step.line.state if step.line else "failed"


def ended_error(step: PlanStep) -> KreaError:
    line = step.line
    job_id, record = (line.job, line.record) if line else (None, None)
    if step.sign == Sign.UNCONFIRMED:
        return UnconfirmedSubmissionError(
            f"{step.shown} is unconfirmed and may be billed.",
            record=record,
        )
    state = ended_state(step)
    kind = JobCancelledError if state == "cancelled" else JobFailedError
    verb = "was cancelled" if state == "cancelled" else "failed"
    return kind(
        f"{step.shown} {verb} earlier.",
        job_id=job_id,
    )


def blocked(
    step: PlanStep,
    needed: str,
    error: KreaError | None = None,
    *,
    is_direct: bool = True,
) -> KreaError:
    """
    Return the error for a step whose input was not made.

    It has the exit code of the step that it needed. `is_direct` says that the error is
    about the file `needed`, which is not blocked itself.
    """
    error = error or step.error
    if error is None:
        is_unconfirmed = step.sign == Sign.UNCONFIRMED
        kind = UnconfirmedSubmissionError if is_unconfirmed else JobFailedError
        error = kind("")
    reason = f"{needed} was not made"
    if is_direct and isinstance(error, EditedResultError):
        reason = f"{needed} was changed by hand and is not replaced"
    elif is_direct and isinstance(error, TargetExistsError):
        reason = f"another file has the name {needed}"
    elif is_direct and isinstance(error, UnconfirmedSubmissionError):
        reason = f"{needed} is unconfirmed"
    message = f"{step.shown} was not made, as {reason}."
    return error.but(message=message, job_id=None, record=None, advice=(), details=())


def state_of(error: KreaError, *, has_job: bool) -> str:
    """
    Return the state of an item with an error. An error that only prevented checking the
    job makes it "unchecked".
    """
    if isinstance(error, UnconfirmedSubmissionError):
        return "unconfirmed"
    if isinstance(error, JobCancelledError):
        return "cancelled"
    if isinstance(error, StorageError):
        return "unsaved"
    is_failure = isinstance(error, JobFailedError)
    is_gone = isinstance(error, JobDeletedError)
    return "unchecked" if has_job and (is_gone or not is_failure) else "failed"
