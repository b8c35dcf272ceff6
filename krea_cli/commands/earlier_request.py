"""
The request of `krea generate --once`, as far as the journal knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from krea_cli.cli.context import CliContext

if TYPE_CHECKING:
    from krea_cli.jobs.keyed_submission import OnceSubmitter
    from krea_cli.jobs.submission import RequestSubmitter
    from krea_cli.journal.keys import KeyHolder
    from krea_cli.requests.prepare import PreparedRequest

_WORTH = ("cancelled", "failed", "submitted", "completed")


def key_of(prepared: PreparedRequest) -> str:
    """
    Return the key of a request: the same for the same request, on every machine.
    """
    from krea_cli.batch.identity import identity_of

    request = prepared.request
    automatic = {choice.field for choice in prepared.choices}
    return identity_of(request.model, request.fields, automatic=automatic).key


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRequest:
    """
    The `key` of a request, and the `job_id` of an earlier request with that key, or
    None. Records in `closed` were closed by the user and do not count.
    """

    key: str
    job_id: str | None = None
    closed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, ctx: CliContext, prepared: PreparedRequest) -> EarlierRequest:
        """
        Look the request up in the journal.

        Raises:
            UnconfirmedSubmissionError: it was submitted, and the response was lost.
            JournalError: the journal cannot be read.
        """
        from krea_cli.jobs.keyed_submission import unconfirmed
        from krea_cli.journal.keys import JournalKeys

        key = key_of(prepared)
        keys = JournalKeys(ctx.database, ctx.service.name)
        holders = keys.holders([key]).get(key, [])
        open_ = [holder for holder in holders if not _is_closed(holder)]
        closed = {each for one in holders if _is_closed(one) for each in one.ids}
        if job_id := _best_job(open_):
            return cls(key=key, job_id=job_id)
        for holder in open_:
            if holder.record and not holder.record.is_in_flight(ctx.clock.wall()):
                raise unconfirmed(holder.record)
        return cls(key=key, closed=frozenset(closed))

    def once(self, ctx: CliContext, submitter: RequestSubmitter) -> OnceSubmitter:
        """
        Return a submitter that records the key, and submits nothing if another process
        does so just now.
        """
        from krea_cli.jobs.keyed_submission import KeyedSubmitter, OnceSubmitter
        from krea_cli.journal.keys import JournalKeys

        keyed = KeyedSubmitter(
            keys=JournalKeys(ctx.database, ctx.service.name),
            fetch=ctx.jobs.fetch,
            clock=ctx.clock,
        )
        return OnceSubmitter(
            submitter=submitter, keyed=keyed, key=self.key, known=self.closed
        )


def _is_closed(holder: KeyHolder) -> bool:
    return holder.record is not None and holder.record.state == "closed"


def _best_job(holders: Sequence[KeyHolder]) -> str | None:
    """
    Return the job that has a result or may get one, before one that failed.
    """

    def worth(holder: KeyHolder) -> int:
        state = holder.record.state if holder.record else "completed"
        return _WORTH.index(state) if state in _WORTH else 0

    found = [holder for holder in holders if holder.job_id]
    return max(found, key=worth).job_id if found else None
