"""
Find the job of an unconfirmed request.

The service offers no way to look up a request, only a list of the account's jobs.  A
job in the list that was created after the request was sent, and belongs to no other
record, is a candidate.  Only the user can decide if it is the right one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from krea_cli.api.client import ApiClient
from krea_cli.api.models import Job, JobPage
from krea_cli.api.request_body import encode_body
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

# The pauses before each fetch of the list, 30 s in all: a job may appear late.
PAUSES_SECONDS = (1.0, 2.0, 5.0, 10.0, 12.0)
APPEARING_SECONDS = 30.0
# By the service's clock, a job may seem to be this much older than its request.
CLOCK_TOLERANCE_SECONDS = 2.0
PAGE_ITEMS, MAX_PAGES = 100, 100
# Error messages list at most this many candidates, the likeliest first.
MAX_LISTED_JOBS = 10


class Recovery(NamedTuple):
    """
    Resolve unconfirmed requests. `has_other_token` returns True for a record that was
    submitted with a different token than the current one.
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
        Fetch the service's list once, and return the jobs that may be the record's, the
        likeliest first. `submitted` is the time (by `clock.now`) at which this process
        first submitted the request, or None if another process did.

        A job is a candidate if it passes at least one of two tests. Neither limits how
        late a job may appear:

        - by time: it was created after the request, according to the service's clock
          at the submission or now;
        - by order: it is newer than every job that was known before the record was
          created. Wrong clocks do not matter here.

        Candidates are recorded, and stay candidates in later calls.

        Raises:
            KreaError: the list cannot be fetched, or a part of it cannot be read.
        """
        stored = self.sightings.load(record.record)
        # With another token, the list may belong to another account: record nothing.
        may_save = not self.has_other_token(record)
        scan = _Scan(
            record=record,
            clock_skew=stored.clock_skew,
            has_known=self.sightings.has_known_before(record.record),
        )
        for page in self._pages(deadline):
            if scan.clock_skew is None and may_save:
                scan.clock_skew = self._measure_clock_skew(record, page, submitted)
            job_ids = [job.job_id for job in page.jobs]
            known = self.sightings.known_before(record.record, job_ids)
            if scan.add_page(page, known):
                break
        found = {job.job_id: scan.listed.get(job.job_id, job) for job in stored.jobs}
        found |= {job.job_id: job for job in scan.candidates()}
        owned_ids = self.history.known_jobs(found)
        jobs = [job for job_id, job in found.items() if job_id not in owned_ids]
        if may_save and not {job.job_id for job in jobs} <= {
            job.job_id for job in stored.jobs
        }:
            with suppress(JournalError):
                self.sightings.keep_jobs(record.record, jobs)
        return sorted(jobs, key=scan.likelihood)

    def _measure_clock_skew(
        self, record: Record, page: JobPage, submitted: float | None
    ) -> float | None:
        """
        Return the clock skew at the submission. The time since then is measured with
        the monotonic clock, because the wall clock may have been set meanwhile.
        """
        if submitted is None or page.clock_skew is None or record.resent_at is not None:
            return None
        passed = self.clock.now() - submitted
        clock_skew = self.clock.wall() + page.clock_skew - passed - record.created_at
        with suppress(JournalError):
            self.sightings.save_clock_skew(record.record, clock_skew)
        return clock_skew

    def search(
        self, record: Record, *, until: float, submitted: float | None = None
    ) -> list[Job]:
        """
        Fetch the list several times until there are candidates, and return them. Give
        up at `until` (by `clock.now`) or after 30 s. `submitted` is as for
        `candidates`.

        Raises:
            KreaError: the last fetch of the list failed.
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
        Record that the job belongs to the record, and return the job.

        Raises:
            UsageError: the job is not a candidate, or the record is no longer
                unconfirmed.
        """
        found = {job.job_id: job for job in self.candidates(record)}
        if job_id not in found:
            self._raise_not_candidate(job_id)
        job = found[job_id]
        self.history.adopt(record.record, job.job_id)
        if job.is_final:
            self.journal.ended(job)
        return self.journal.with_journal_data(job)

    def _raise_not_candidate(self, job_id: str) -> NoReturn:
        """
        Raise UsageError with the reason why the job is not a candidate.
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
        Submit the record's request again. Wait first until a job of the first attempt
        would be in the list.

        Raises:
            UsageError: there are candidates, the request is not stored completely, it
                was sent with another token, or the record is no longer unconfirmed.
            KreaError: as `Submitter.submit`; the record stays unconfirmed.
        """
        if self.has_other_token(record):
            raise UsageError(
                f"Request {record.record} was submitted with another API token, which "
                "may belong to another account. Nothing was submitted.",
                hint="Set KREA_API_KEY to that token, or delete the record "
                "with --forget.",
            )
        if not record.is_complete:
            raise UsageError(
                "Cannot submit this request again: inline files and signed URLs are "
                "not stored in the journal.",
                hint="Delete the record with --forget, then run the original "
                "command again.",
            )
        age = max(0.0, self.clock.wall() - record.sent_at)
        self.clock.sleep(max(0.0, APPEARING_SECONDS - age))
        stored, claimed = record.request, record
        payload = SubmitPayload(
            path=stored["path"],
            body=encode_body(stored["body"]),
            webhook=stored["webhook"],
        )

        def claim() -> Record:
            # On a retry, claim the record in the state that the last claim left it in.
            nonlocal claimed
            claimed = self.history.claim(claimed)
            self._check_free(claimed)
            return claimed

        job = self.submitter.submit(
            payload,
            claim,
            deadline=deadline,
            # The first request stays unconfirmed even if the second is rejected.
            on_rejected=self.journal.unconfirmed,
        )
        return self.journal.with_journal_data(job)

    def _check_free(self, claimed: Record) -> None:
        """
        Check for candidates once more, immediately before the submission.

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
            record_id = (claimed.record,)
            steps = [
                Step(Action.ADOPT_ONE, record_id),
                Step(Action.CLOSE_IF_NONE_IS_YOURS, record_id),
            ]
            if len(found) == 1:
                steps = [
                    Step(Action.ADOPT, (*record_id, found[0].job_id)),
                    Step(Action.CLOSE_IF_NOT_YOURS, record_id),
                ]
            raise UsageError(
                f"Nothing was submitted: {jobs} may already belong to this request.",
                hint=steps,
                details=[job.job_id for job in found[:MAX_LISTED_JOBS]],
            )

    def _pages(self, deadline: float | None) -> Iterator[JobPage]:
        """
        Yield all pages of the service's list, newest jobs first. An empty page with a
        cursor is not the end.

        Raises:
            InvalidResponseError: part of the list cannot be read, so that a job might
                be missed.
        """
        cursor, cursors = None, set[str]()
        for _ in range(MAX_PAGES):
            page = self.client.jobs(limit=PAGE_ITEMS, cursor=cursor, deadline=deadline)
            if not page.is_complete:
                raise InvalidResponseError(
                    "Part of Krea's job list cannot be read.",
                    hint="Run the command again later.",
                )
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
    A search of the service's list for the job of `record`.

    `clock_skew` is the skew at the submission, or None if it was not measured.  With
    `has_known`, at least one job was known before the record was created.  `listed` has
    the jobs read so far, by id.  In the time of the service's clock, `earliest` is when
    the record's job can have been created at the earliest, and `newest_known` is when
    the newest known job was created.
    """

    record: Record
    clock_skew: float | None
    has_known: bool
    listed: dict[str, Job] = field(default_factory=dict)
    earliest: float = math.inf
    newest_known: float | None = None

    def add_page(self, page: JobPage, known: set[str]) -> bool:
        """
        Add a page. `known` has the ids of its jobs that were known before the record
        was created. Return True if later pages cannot have the record's job.
        """
        # Either measurement may be wrong, so use the one that excludes fewer jobs.
        offset = min(self.clock_skew or 0.0, page.clock_skew or 0.0, 0.0)
        self.earliest = min(
            self.earliest, self.record.created_at + offset - CLOCK_TOLERANCE_SECONDS
        )
        self.listed |= {job.job_id: job for job in page.jobs}
        for job in page.jobs:
            if job.job_id in known and job.created is not None:
                self.newest_known = max(job.created, self.newest_known or -math.inf)
        return bool(page.jobs) and not any(map(self._needs_more_pages, page.jobs))

    def candidates(self) -> list[Job]:
        """
        Return the jobs that pass either test.
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

    def _needs_more_pages(self, job: Job) -> bool:
        is_searching = self.newest_known is None and self.has_known
        return is_searching or self._is_in_time(job) or self._is_in_order(job)

    def _is_in_time(self, job: Job) -> bool:
        # A job without a creation time may be the one.
        return job.created is None or job.created >= self.earliest

    def _is_in_order(self, job: Job) -> bool:
        if self.newest_known is not None:
            return (job.created or 0.0) >= self.newest_known - CLOCK_TOLERANCE_SECONDS
        # No known job is listed. If the skew is unknown, any job may be the one.
        return self.clock_skew is None
