"""
Find the job of a paid request whose response was lost.

The service has no key by which a request could be found again, but it has the list of
the account's jobs. A job in it that no record knows, made since the request was sent,
may be the one: a candidate. Only the user can tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from krea_cli.api.client import ApiClient
from krea_cli.api.models import Job, JobPage
from krea_cli.api.request_body import content
from krea_cli.errors import (
    Action,
    InvalidResponseError,
    JournalError,
    KreaError,
    ServiceError,
    Step,
    UnknownJobError,
    UsageError,
)
from krea_cli.jobs.sightings import Sightings
from krea_cli.jobs.submitter import SubmitPayload, Submitter
from krea_cli.journal.journal import Journal
from krea_cli.journal.queries import JournalQueries
from krea_cli.journal.record import Record
from krea_cli.runtime.clock import Clock

# The waits before fetching the list: 30 s in all, because a job may appear late.
PAUSES_SECONDS = (1.0, 2.0, 5.0, 10.0, 12.0)
APPEARING_SECONDS = 30.0
# A job may seem to be made this much earlier than it was sent, by the service's clock.
EARLY_SECONDS = 2.0
PAGE, MAX_PAGES = 100, 100
# More candidates than this are not named; the first are the likeliest.
MAX_TOLD = 10


class Recovery(NamedTuple):
    """
    Settles unconfirmed submissions. *has_other_token* tells whether a record was
    submitted with another token than the present one.
    """

    client: ApiClient
    journal: Journal
    history: JournalQueries
    sightings: Sightings
    submitter: Submitter
    clock: Clock
    has_other_token: Callable[[Record], bool]

    def candidates(
        self,
        record: Record,
        *,
        deadline: float | None = None,
        submitted: float | None = None,
    ) -> list[Job]:
        """
        Return the jobs that may be the record's, the likeliest first, by fetching the
        service's list once. *submitted* is when this process first submitted the
        request, on the monotonic clock; None for a request of another process.

        There is no limit to how late a job may appear. Two rules say which jobs are too
        early, and a job that passes either of them is a candidate:

        - by time: by the service's clock as it was at the submission, and as it is now;
        - by order: newer than every job that was known before the record was made. A
          clock that was wrong then, or is wrong now, changes nothing about this.

        A candidate stays one.

        Raises:
            KreaError: the list cannot be fetched, or a part of it cannot be read.
        """
        kept = self.sightings.load(record.record)
        # The list may be that of another account, which must not be recorded.
        keeps = not self.has_other_token(record)
        scan = _Scan(
            record=record,
            ahead=kept.ahead,
            has_known=self.sightings.has_known_before(record.record),
        )
        for page in self._pages(deadline):
            if scan.ahead is None and keeps:
                scan.ahead = self._measured(record, page, submitted)
            job_ids = [job.job_id for job in page.jobs]
            known = self.sightings.known_before(record.record, job_ids)
            if scan.is_complete_with(page, known):
                break
        found = {job.job_id: scan.listed.get(job.job_id, job) for job in kept.jobs}
        found |= {job.job_id: job for job in scan.possible()}
        taken = self.history.known_jobs(found)
        jobs = [job for job_id, job in found.items() if job_id not in taken]
        if keeps and not {job.job_id for job in jobs} <= {
            job.job_id for job in kept.jobs
        }:
            with suppress(JournalError):
                self.sightings.keep_jobs(record.record, jobs)
        return sorted(jobs, key=scan.likelihood)

    def _measured(
        self, record: Record, page: JobPage, submitted: float | None
    ) -> float | None:
        """
        Return how far the service's clock was ahead of ours at the submission. The time
        since then is that of the monotonic clock: ours may have been set meanwhile.
        """
        if submitted is None or page.ahead is None or record.resent_at is not None:
            return None
        passed = self.clock.now() - submitted
        ahead = self.clock.wall() + page.ahead - passed - record.created_at
        with suppress(JournalError):
            self.sightings.keep_ahead(record.record, ahead)
        return ahead

    def search(
        self, record: Record, *, until: float, submitted: float | None = None
    ) -> list[Job]:
        """
        Fetch the list a few times until it has candidates, and return them. The last
        time is at *until*, on the monotonic clock, or after 30 s. *submitted* as in
        `candidates`.

        Raises:
            KreaError: the list could not be fetched even once.
        """
        failure: ServiceError | None = None
        for pause in PAUSES_SECONDS:
            left = until - self.clock.now()
            if left <= 0:
                break
            self.clock.sleep(min(pause, left))
            try:
                found = self.candidates(record, deadline=until, submitted=submitted)
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
        Record the job as the one of the record, and return it.

        Raises:
            UsageError: it is not a candidate, or the record is no longer unconfirmed.
        """
        found = {job.job_id: job for job in self.candidates(record)}
        if job_id not in found:
            self._refuse(job_id)
        job = found[job_id]
        self.history.adopt(record.record, job.job_id)
        if job.is_final:
            self.journal.ended(job)
        return self.journal.with_journal_data(job)

    def _refuse(self, job_id: str) -> NoReturn:
        """
        Raises:
            UsageError: the job is not a candidate. The error says why.
        """
        if self.history.known_jobs([job_id]):
            reason = "the journal has it as the job of another request"
        else:
            try:
                self.client.job(job_id)
            except UnknownJobError as exc:
                raise UsageError(f"Krea has no job {job_id} for this token.") from exc
            reason = "it was created before the request"
        raise UsageError(
            f"Job {job_id} cannot belong to this request: {reason}.",
            hint=Step(Action.DOWNLOAD_FOREIGN, (job_id,)),
        )

    def resubmit(self, record: Record, *, deadline: float) -> Job:
        """
        Submit the record's request once more, but not before its first job would have
        appeared in the list.

        Raises:
            UsageError: there are candidates, the request is not stored as it was sent,
                another token sent it, or the record is no longer unconfirmed.
            KreaError: as `Submitter.submit`; the record stays unconfirmed.
        """
        if self.has_other_token(record):
            raise UsageError(
                f"Request {record.record} was submitted with another API token, which "
                "may belong to another account. Nothing was submitted.",
                hint="Set KREA_API_KEY to that token, or delete the record "
                "with --forget.",
            )
        if not record.is_whole:
            raise UsageError(
                "Cannot submit this request again: inline files and signed URLs are "
                "not stored in the journal.",
                hint="Delete the record with --forget, then run the original "
                "command again.",
            )
        age = max(0.0, self.clock.wall() - record.sent_at)
        self.clock.sleep(max(0.0, APPEARING_SECONDS - age))
        kept, claimed = record.request, record
        post = SubmitPayload(
            path=kept["path"], body=content(kept["body"]), webhook=kept["webhook"]
        )

        def claim() -> Record:
            # The list was checked for this state of the record, and for no later one.
            nonlocal claimed
            claimed = self.history.claim(claimed)
            self._check_free(claimed)
            return claimed

        job = self.submitter.submit(
            post,
            claim,
            deadline=deadline,
            # The first request stays unconfirmed, whatever becomes of the second.
            refused=self.journal.unconfirmed,
        )
        return self.journal.with_journal_data(job)

    def _check_free(self, claimed: Record) -> None:
        """
        Fetch the list once more right before the submission: a job may appear late.

        Raises:
            UsageError: there are candidates; the record stays unconfirmed.
            KreaError: the list cannot be fetched; the record stays unconfirmed.
        """
        try:
            found = self.candidates(claimed)
        except KreaError as exc:
            self.journal.unconfirmed(claimed.record)
            raise exc.but(message=f"{exc.message} Nothing was submitted.") from exc
        if found:
            self.journal.unconfirmed(claimed.record)
            jobs = "1 job" if len(found) == 1 else f"{len(found)} jobs"
            about = (claimed.record,)
            ways = [
                Step(Action.ADOPT_ONE, about),
                Step(Action.CLOSE_IF_NONE_IS_YOURS, about),
            ]
            if len(found) == 1:
                ways = [
                    Step(Action.ADOPT, (*about, found[0].job_id)),
                    Step(Action.CLOSE_IF_NOT_YOURS, about),
                ]
            raise UsageError(
                f"Nothing was submitted: {jobs} may already belong to this request.",
                hint=ways,
                details=[job.job_id for job in found[:MAX_TOLD]],
            )

    def _pages(self, deadline: float | None) -> Iterator[JobPage]:
        """
        Yield the service's list from its newest job to its end. An empty page with a
        cursor is not the end.

        Raises:
            InvalidResponseError: a part of the list cannot be read, so that a job might
                be missed.
        """
        cursor, cursors = None, set[str]()
        for _ in range(MAX_PAGES):
            page = self.client.jobs(limit=PAGE, cursor=cursor, deadline=deadline)
            if not page.is_whole:
                raise InvalidResponseError("Part of Krea's job list cannot be read.")
            yield page
            cursor = page.cursor
            if not cursor:
                return
            if cursor in cursors or (deadline and self.clock.now() > deadline):
                break
            cursors.add(cursor)
        raise InvalidResponseError("Cannot read Krea's job list to its end.")


@dataclass(slots=True, kw_only=True)
class _Scan:
    """
    A search of the service's list for the job of *record*.

    *ahead* is the clock offset at the submission, None if it was not measured;
    *has_known* tells whether any job was known before.  *listed* has the jobs read so
    far, by their ids.  By the service's clock, *earliest* is the first moment at which
    the job can have been made, and *newest_known* when the newest known job was made.
    """

    record: Record
    ahead: float | None
    has_known: bool
    listed: dict[str, Job] = field(default_factory=dict)
    earliest: float = math.inf
    newest_known: float | None = None

    def is_complete_with(self, page: JobPage, known: set[str]) -> bool:
        """
        Add a page, of which the jobs *known* were known before the record. Tell whether
        the record's job can no longer be on a later page.
        """
        # Either clock may be the one that is wrong.
        offset = min(self.ahead or 0.0, page.ahead or 0.0, 0.0)
        self.earliest = min(
            self.earliest, self.record.created_at + offset - EARLY_SECONDS
        )
        self.listed |= {job.job_id: job for job in page.jobs}
        for job in page.jobs:
            if job.job_id in known and job.created is not None:
                self.newest_known = max(job.created, self.newest_known or -math.inf)
        return bool(page.jobs) and not any(map(self._may_lead_on, page.jobs))

    def possible(self) -> list[Job]:
        """
        Return the jobs that may be the record's.
        """
        return [
            job
            for job in self.listed.values()
            if self._is_in_time(job) or self._is_in_order(job)
        ]

    def likelihood(self, job: Job) -> tuple[bool, float]:
        """
        Return a sort key: jobs in time first, the earliest first; then the others, the
        latest first.
        """
        created = math.inf if job.created is None else job.created
        is_late = not self._is_in_time(job)
        return (is_late, -created if is_late else created)

    def _may_lead_on(self, job: Job) -> bool:
        is_searching = self.newest_known is None and self.has_known
        return is_searching or self._is_in_time(job) or self._is_in_order(job)

    def _is_in_time(self, job: Job) -> bool:
        # A job that does not say when it was made stays possible.
        return job.created is None or job.created >= self.earliest

    def _is_in_order(self, job: Job) -> bool:
        if self.newest_known is not None:
            return (job.created or 0.0) >= self.newest_known - EARLY_SECONDS
        # No known job is listed. Without a measured clock any job is possible.
        return self.ahead is None
