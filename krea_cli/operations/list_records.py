"""
Find the journal records and Krea's jobs that the user refers to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from krea_cli.api.models import FINISHED_STATUSES, RUNNING_STATUSES
from krea_cli.config import durations
from krea_cli.errors import Action, Step, UnknownJobError, UsageError
from krea_cli.jobs.job_refs import LAST_RUN, MIN_PREFIX_CHARS, UUID_CHARS, is_run_ref
from krea_cli.journal.rows import STATES

if TYPE_CHECKING:
    from krea_cli.api.client import ApiClient
    from krea_cli.api.models import Job
    from krea_cli.jobs.job_records import JobRecords
    from krea_cli.jobs.recovery import Recovery
    from krea_cli.journal.queries import JournalQueries
    from krea_cli.journal.record import Record

# The maximum that Krea returns at once.
MAX_OF_SERVICE = 1000
_MAX_EMPTY_PAGES = 100
SHORTEST_RECORD = 4
# More than are ever being submitted at the same time.
_MANY = 1000

# Resolves references to jobs, like `jobs.job_refs.resolve_job_refs`.
Resolve = Callable[[Sequence[str]], Sequence[str]]


def display_state(record: Record, *, now: float) -> str:
    """
    Return the record's state, or "unknown" if it is unconfirmed.

    `now` is the wall clock.
    """
    return "unknown" if record.is_unconfirmed(now) else record.state


def parse_time(text: str | None, option: str, *, now: float) -> float | None:
    """
    Convert the value of an option to seconds since the epoch.

    Raises:
        UsageError: the value is not a time.
    """
    if text is None:
        return None
    try:
        return durations.parse_time(text, now=now)
    except ValueError as exc:
        raise UsageError(f"{option}: {exc}.") from exc


def list_recorded(
    history: JournalQueries,
    *,
    now: float,
    limit: int,
    state: str | None,
    since: float | None,
) -> list[Record]:
    """
    Return journal records, newest first.

    Raises:
        UsageError: the state does not exist.
        JournalError: the journal cannot be read.
    """
    _check("status", state, STATES)
    if state == "unknown":
        unconfirmed = reversed(history.unconfirmed())
        return [r for r in unconfirmed if r.created_at >= (since or 0.0)][:limit]
    # Some records with the state intended are unconfirmed by now.
    most = max(limit, _MANY) if state == "intended" else limit
    found = history.newest(limit=most, state=state, since=since)
    return [r for r in found if state in (None, display_state(r, now=now))][:limit]


def list_remote(
    api: Callable[[], ApiClient],
    records: JobRecords,
    *,
    limit: int,
    state: str | None,
    since: float | None,
) -> list[Job]:
    """
    Return jobs from Krea's list, newest first, with their journal data.

    Raises:
        UsageError: the status does not exist at Krea, or the limit exceeds its maximum.
        KreaError: the list cannot be fetched.
    """
    _check("status", state, sorted(FINISHED_STATUSES | RUNNING_STATUSES))
    if limit > MAX_OF_SERVICE:
        raise UsageError(f"--limit can be at most {MAX_OF_SERVICE} with --remote.")
    jobs: list[Job] = []
    cursor = None
    # An empty page with a cursor is not the end of the list.
    for _ in range(_MAX_EMPTY_PAGES):
        page = api().jobs(limit=limit, status=state, cursor=cursor)
        jobs += page.jobs
        cursor = page.cursor
        if jobs or not cursor:
            break
    return [
        records.with_journal_data(job)
        for job in jobs
        if since is None or job.created is None or job.created >= since
    ]


def find_records(
    history: JournalQueries, resolve: Resolve, references: Sequence[str] | None
) -> list[Record]:
    """
    Return the records with the given job ids, record ids or prefixes, or of @RUN, each
    once.

    The default reference is @last.

    Raises:
        UnknownJobError: the journal has no such record.
        UsageError: a prefix is too short, or matches several records.
    """
    found: dict[str, Record] = {}
    for reference in references or [LAST_RUN]:
        ids = resolve([reference]) if is_run_ref(reference) else [reference]
        records = [_find_record(history, each) for each in ids]
        found |= {record.record: record for record in records}
    return list(found.values())


def _find_record(history: JournalQueries, reference: str) -> Record:
    found = history.records_with_prefix(reference)
    whole = [record for record in found if reference in (record.record, record.job_id)]
    if whole:
        return whole[0]
    if len(reference) < MIN_PREFIX_CHARS:
        raise UsageError(
            f"Job id prefix {reference!r} is too short (at least {MIN_PREFIX_CHARS} "
            "characters)."
        )
    if not found:
        is_whole = len(reference) >= UUID_CHARS
        raise UnknownJobError(
            f"Job {reference} is not in the journal.",
            hint=Step(Action.ASK_SERVICE, (reference,)) if is_whole else None,
        )
    if len(found) > 1:
        raise UsageError(
            f"{reference!r} matches {len(found)} records.",
            hint="Give more characters of the id.",
        )
    return found[0]


def find_unconfirmed(history: JournalQueries, prefix: str | None) -> list[Record]:
    """
    Return the unconfirmed records, oldest first, or the one with this id prefix.

    Raises:
        UsageError: no record matches, or several do.
    """
    records = history.unconfirmed()
    if prefix is None:
        return records
    found = [record for record in records if record.record.startswith(prefix)]
    if len(found) == 1 and len(prefix) >= SHORTEST_RECORD:
        return found
    problem = f"No unconfirmed request has an id that starts with {prefix!r}."
    if found:
        problem = f"{prefix!r} matches {len(found)} unconfirmed requests."
    if len(prefix) < SHORTEST_RECORD:
        problem = f"{prefix!r} is too short for the id of a request: give at least "
        problem += f"{SHORTEST_RECORD} characters."
    raise UsageError(problem, hint=Step(Action.LIST_UNCONFIRMED))


def single_unconfirmed(history: JournalQueries, prefix: str | None) -> Record:
    """
    Return the one unconfirmed record that is meant.

    Raises:
        UsageError: as in `find_unconfirmed`, or there are several.
    """
    found = find_unconfirmed(history, prefix)
    if not found:
        raise UsageError("No unconfirmed requests.")
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} requests are unconfirmed. Specify one:",
            hint=Step(Action.LIST_UNCONFIRMED),
            details=[f"{r.record}  {r.model}  {(r.prompt or '')[:60]}" for r in found],
        )
    return found[0]


def find_candidate(
    recovery: Recovery, resolve: Resolve, record: Record, reference: str
) -> str:
    """
    Return the id of the job that is meant.

    `reference` may be a prefix of the id of a candidate.

    Raises:
        UsageError: no job matches, or several do.
    """
    if MIN_PREFIX_CHARS <= len(reference) < UUID_CHARS:
        candidates = recovery.candidates(record)
        found = [job.job_id for job in candidates if job.job_id.startswith(reference)]
        if len(found) == 1:
            return found[0]
    jobs = resolve([reference])
    if len(jobs) > 1:
        raise UsageError(
            f"{reference} stands for {len(jobs)} jobs. Specify one of them."
        )
    return jobs[0]


def _check(what: str, word: str | None, allowed: Sequence[str]) -> None:
    if word is not None and word not in allowed:
        raise UsageError(
            f"Unknown {what} {word!r}.", hint=f"Use one of: {', '.join(allowed)}"
        )
