"""
Submit a request unless the journal knows one with the same key: then its job is the
one, whichever process submitted it.
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

# How often another process is looked at that submits the same request just now.
PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedJob:
    """
    The job of a request, and the id of its *record*; empty for one that was pruned.
    *is_new* is false if the request was submitted before, or by another process.
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
    Submits each request once. *fetch* returns a job as it is now.
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
        gate: Callable[[], object] = lambda: None,
    ) -> KeyedJob:
        """
        Return the job of the request. *known* are the records and jobs of the key that
        the user asks to pay for again.

        Raises:
            UnconfirmedSubmissionError: nobody knows whether there is a job, of this
                request or of an earlier one with the key.
            KreaError: as `RequestSubmitter.submit`.
        """
        kept: list[Record] = []

        def keep(record: Record) -> None:
            holder = self.keys.claim(record, key, known=known)
            if holder is not None:
                raise _KeyTakenError(holder)
            kept.append(record)

        while True:
            try:
                job = submitter.submit(
                    request, run, deadline=deadline, gate=gate, keep_record=keep
                )
            except _KeyTakenError as taken:
                if found := self._job_of(taken.holder):
                    return found
                gate()
                self.clock.sleep(PAUSE_SECONDS)
            else:
                return KeyedJob(job=job, record=kept[-1].record, is_new=True)

    def _job_of(self, holder: KeyHolder) -> KeyedJob | None:
        """
        Return the job of a request with the same key; None while another process is
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
    Submits the request of one *key* once. *known* are earlier records of the key that
    do not count, because the user closed them.
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
        gate: Callable[[], object] = lambda: None,
    ) -> Job:
        """
        Return the job of the request, whichever process submitted it.

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
            gate=gate,
        ).job


def unconfirmed(record: Record) -> KreaError:
    """
    Return the error for a request that was submitted earlier, and whose response was
    lost.
    """
    return UnconfirmedSubmissionError(
        "The same request was submitted earlier, and Krea may have accepted it. "
        "Nothing was submitted this time.",
        hint=Step(Action.FIND_LOST, (record.record,)),
        record=record.record,
    )
