"""
Submit a request once for each key.  If the journal has a request with the same key,
return its job instead, also if another process submitted it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from krea_cli.errors import Action, KreaError, Step, UnconfirmedSubmissionError

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.jobs.submission import RequestSubmitter
    from krea_cli.journal.keys import JournalKeys, KeyHolder
    from krea_cli.journal.record import Record
    from krea_cli.requests.request import Request
    from krea_cli.runtime.clock import Clock

# Pause between checks on another process that is submitting the same request.
PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedJob:
    """
    The job of a request. `record` is the id of its record, "" if that was pruned.
    `is_new` is False if the request was submitted before, or by another process.
    """

    job: Job
    record: str
    is_new: bool


class _KeyTakenError(Exception):
    def __init__(self, holder: KeyHolder) -> None:
        super().__init__(holder)
        self.holder = holder


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedSubmitter:
    """
    Submit at most one request for each key. `fetch` returns the current state of a job.
    """

    keys: JournalKeys
    fetch: Callable[[str], Job]
    clock: Clock

    def submit(
        self,
        submitter: RequestSubmitter,
        request: Request,
        key: str,
        *,
        run: str,
        deadline: float,
        known: Collection[str] = (),
        before_attempt: Callable[[], object] = lambda: None,
    ) -> KeyedJob:
        """
        Return the job of the request with the key, submitted now or earlier. `known`
        has the ids of earlier records and jobs with the key that do not count, because
        the user wants to pay again.

        Raises:
            UnconfirmedSubmissionError: this request, or an earlier one with the key,
                may or may not have a job.
            KreaError: as `RequestSubmitter.submit`.
        """
        saved: list[Record] = []

        def save_record(record: Record) -> None:
            holder = self.keys.claim(record, key, known=known)
            if holder is not None:
                raise _KeyTakenError(holder)
            saved.append(record)

        while True:
            try:
                job = submitter.submit(
                    request,
                    run,
                    deadline=deadline,
                    before_attempt=before_attempt,
                    save_record=save_record,
                )
            except _KeyTakenError as taken:
                if found := self._job_of(taken.holder):
                    return found
                before_attempt()
                self.clock.sleep(PAUSE_SECONDS)
            else:
                return KeyedJob(job=job, record=saved[-1].record, is_new=True)

    def _job_of(self, holder: KeyHolder) -> KeyedJob | None:
        """
        Return the job of a request with the same key, or None while another process is
        still submitting it.
        """
        record = holder.record
        if holder.job_id is not None:
            return KeyedJob(
                job=self.fetch(holder.job_id),
                record=record.record if record else "",
                is_new=False,
            )
        if record is None or record.is_in_flight(self.clock.wall()):
            return None
        raise unconfirmed(record)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceSubmitter:
    """
    Submit the request of one `key` at most once. `known` has the ids of earlier records
    that do not count, because the user closed them.
    """

    submitter: RequestSubmitter
    keyed: KeyedSubmitter
    key: str
    known: Collection[str] = ()

    def submit(
        self,
        request: Request,
        run: str,
        *,
        deadline: float,
        before_attempt: Callable[[], object] = lambda: None,
    ) -> Job:
        """
        Return the job of the request, submitted now or earlier.

        Raises:
            KreaError: as `KeyedSubmitter.submit`.
        """
        return self.keyed.submit(
            self.submitter,
            request,
            self.key,
            run=run,
            deadline=deadline,
            known=self.known,
            before_attempt=before_attempt,
        ).job


def unconfirmed(record: Record) -> KreaError:
    """
    Return the error for a request that was submitted earlier and is unconfirmed.
    """
    return UnconfirmedSubmissionError(
        "The same request was submitted earlier, and Krea may have accepted it. "
        "Nothing was submitted this time.",
        hint=Step(Action.FIND_LOST, (record.record,)),
        record=record.record,
    )
