"""
What became of a paid request whose answer was lost.

The service has no key by which a request could be found again; what it has is the list
of the account's jobs.  A job in it that no record knows, made since the request was
sent, may be the one; only the user can tell (hazards B4, B7).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from krea_cli.api.client import Client
from krea_cli.api.resources import Job
from krea_cli.clock import Clock
from krea_cli.errors import (
    Action,
    AnswerError,
    KreaError,
    ServiceError,
    Step,
    UsageError,
)
from krea_cli.jobs.content import content
from krea_cli.jobs.history import History
from krea_cli.jobs.journal import Journal
from krea_cli.jobs.paid import Paid, Post
from krea_cli.jobs.records import Record

# Between looks at the list: 30 s in all, as a job may appear in it late.
PAUSES_SECONDS = (1.0, 2.0, 5.0, 10.0, 12.0)
APPEARING_SECONDS = 30.0
# How much earlier than the send, by the service's clock, its job may seem to be made.
EARLY_SECONDS = 2.0
PAGE, MOST_PAGES = 100, 100
# Of the jobs that may be the one; the first are the likeliest.
MOST_TOLD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    client: Client
    journal: Journal
    history: History
    paid: Paid
    clock: Clock

    def candidates(self, record: Record, *, deadline: float | None = None) -> list[Job]:
        """
        The jobs that may be the record's, those made first before the others: one look
        at the service.  How late is too late nobody can say: a clock that was slow at
        the send may be right by now, and the job be hours ahead of it.

        Raises:
            KreaError: the service cannot be asked.
        """
        found = [
            job
            for job, ahead in self._listed(
                since=record.created_at - EARLY_SECONDS, deadline=deadline
            )
            if _fits(job, record, ahead)
        ]
        known = self.history.knows(job.job_id for job in found)
        found = [job for job in found if job.job_id not in known]
        return sorted(found, key=lambda job: job.created or math.inf)

    def search(self, record: Record, *, until: float) -> list[Job]:
        """
        The candidates at the first of a few looks that has any; the last look is made
        at *until*, on the monotonic clock, or after 30 s.

        Raises:
            KreaError: the service could not be asked even once.
        """
        failure: ServiceError | None = None
        for pause in PAUSES_SECONDS:
            left = until - self.clock.now()
            if left <= 0:
                break
            self.clock.sleep(min(pause, left))
            try:
                found = self.candidates(record, deadline=until)
            except ServiceError as exc:
                failure = exc
                continue
            failure = None
            if found:
                return found
        if failure:
            raise failure
        return []

    def adopt(self, record: Record, job_id: str) -> Job:
        """
        Tie the job to the record.

        Raises:
            UsageError: it is no candidate, or the record is in doubt no more.
        """
        found = {job.job_id: job for job in self.candidates(record)}
        if job_id not in found:
            raise UsageError(
                f"Job {job_id} cannot be the one: the service has none of that id that "
                "was made since the request was sent and that no other record has.",
                hint=Step(Action.DOWNLOAD_FOREIGN, (job_id,)),
            )
        job = found[job_id]
        self.history.adopt(record.record, job.job_id)
        if job.is_final:
            self.journal.ended(job)
        return self.journal.described(job)

    def resubmit(self, record: Record, *, deadline: float) -> Job:
        """
        Send the record's request once more; not before its job would have appeared in
        the list.

        Raises:
            UsageError: there are candidates, the request is not kept as it was sent, or
                the record is in doubt no more.
            KreaError: as `Paid.send`; the record is in doubt still.
        """
        if not record.is_whole:
            raise UsageError(
                "The journal does not have the whole request: files sent inline and "
                "signed URLs are not kept.",
                hint="Close it with --forget, and run the first command again.",
            )
        age = max(0.0, self.clock.wall() - record.sent_at)
        self.clock.sleep(max(0.0, APPEARING_SECONDS - age))
        kept, claimed = record.request, record
        post = Post(
            path=kept["path"], body=content(kept["body"]), webhook=kept["webhook"]
        )

        def claim() -> Record:
            # What was looked at was this state of it, and no later one.
            nonlocal claimed
            claimed = self.history.claim(claimed)
            self._check_free(claimed)
            return claimed

        job = self.paid.send(
            post,
            claim,
            deadline=deadline,
            # The first request is in doubt whatever becomes of the second.
            refused=self.journal.unknown,
        )
        return self.journal.described(job)

    def _check_free(self, claimed: Record) -> None:
        """
        Look once more, right before it is sent, as a job may appear late.

        Raises:
            UsageError: there are candidates; the record is in doubt as before.
            KreaError: the service cannot be asked; the same.
        """
        try:
            found = self.candidates(claimed)
        except KreaError:
            self.journal.unknown(claimed.record)
            raise
        if found:
            self.journal.unknown(claimed.record)
            raise UsageError(
                f"Nothing was sent: {len(found)} of the service's jobs may be the one.",
                hint="Take one with --adopt JOB; if none is yours, close the request "
                "with --forget, and run the first command again.",
                details=[job.job_id for job in found[:MOST_TOLD]],
            )

    def _listed(
        self, *, since: float, deadline: float | None
    ) -> Iterator[tuple[Job, float]]:
        """
        The service's jobs back to *since*, each with how far its clock is ahead.

        Raises:
            AnswerError: not all of the list can be read, so a job may be missed.
        """
        cursor, seen = None, set[str]()
        for _ in range(MOST_PAGES):
            page = self.client.jobs(limit=PAGE, cursor=cursor, deadline=deadline)
            if not page.is_whole:
                raise AnswerError("A part of the service's list cannot be read.")
            for job in page.jobs:
                if job.job_id not in seen:
                    yield job, page.ahead
            is_news = not {job.job_id for job in page.jobs} <= seen
            seen |= {job.job_id for job in page.jobs}
            newest = max((job.created or math.inf for job in page.jobs), default=0.0)
            # Either clock may be the one that is wrong.
            if not page.cursor or newest < since + min(page.ahead, 0.0):
                return
            if not is_news or (deadline and self.clock.now() > deadline):
                break
            cursor = page.cursor
        raise AnswerError("The service's list has no end that can be reached.")


def _fits(job: Job, record: Record, ahead: float) -> bool:
    # One that does not say when it was made is not ruled out, and the time that the
    # service tells may be another than that of its jobs.
    sent = record.created_at + min(ahead, 0.0)
    return job.created is None or job.created >= sent - EARLY_SECONDS
