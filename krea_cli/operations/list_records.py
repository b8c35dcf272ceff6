"""
Which records of the journal, and which jobs of the service, the user means.
"""

from __future__ import annotations

from collections.abc import Sequence

from krea_cli.api.models import FINAL, RUNNING, Job
from krea_cli.cli.context import CliContext
from krea_cli.config.durations import parse_time
from krea_cli.errors import Action, Step, UnknownJobError, UsageError
from krea_cli.jobs.job_refs import LAST, SHORTEST, WHOLE
from krea_cli.journal.record import Record
from krea_cli.journal.rows import STATES

# What the service gives at once.
MOST_OF_SERVICE = 1000
_MOST_EMPTY_PAGES = 100
SHORTEST_RECORD = 4
# More than are ever on their way to the service at one time.
_MANY = 1000


def status(session: CliContext, record: Record) -> str:
    """
    The state of the record; when nobody can say any more what became of it, unknown.
    """
    return "unknown" if record.is_unconfirmed(session.clock.wall()) else record.state


def moment(session: CliContext, text: str | None, option: str) -> float | None:
    """
    The time that the option names, in seconds since the epoch.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    try:
        return parse_time(text, now=session.clock.wall())
    except ValueError as exc:
        raise UsageError(f"{option}: {exc}.") from exc


def recorded(
    session: CliContext, *, limit: int, state: str | None, since: float | None
) -> list[Record]:
    """
    The records of the journal, the newest first.

    Raises:
        UsageError: there is no such state.
        JournalError: the journal cannot be read.
    """
    _check("state of a record", state, STATES)
    history = session.history
    if state == "unknown":
        doubtful = reversed(history.unconfirmed())
        return [r for r in doubtful if r.created_at >= (since or 0.0)][:limit]
    # Of those that the journal calls intended, some are in doubt by now.
    most = max(limit, _MANY) if state == "intended" else limit
    found = history.newest(limit=most, state=state, since=since)
    return [r for r in found if state in (None, status(session, r))][:limit]


def of_service(
    session: CliContext, *, limit: int, state: str | None, since: float | None
) -> list[Job]:
    """
    The jobs that the service lists, the newest first, with what the journal knows.

    Raises:
        UsageError: the service has no such status, or does not give so many.
        KreaError: the service cannot be asked.
    """
    _check("status of a job", state, sorted(FINAL | RUNNING))
    if limit > MOST_OF_SERVICE:
        raise UsageError(f"The service lists {MOST_OF_SERVICE} jobs at most.")
    jobs: list[Job] = []
    cursor = None
    # An empty page with a cursor is not the end of the list.
    for _ in range(_MOST_EMPTY_PAGES):
        page = session.client.jobs(limit=limit, status=state, cursor=cursor)
        jobs += page.jobs
        cursor = page.cursor
        if jobs or not cursor:
            break
    return [
        session.described(job)
        for job in jobs
        if since is None or job.created is None or job.created >= since
    ]


def named(session: CliContext, arguments: Sequence[str] | None) -> list[Record]:
    """
    The records that are meant by job ids, by record ids, by beginnings of either, or by
    @last (the default); each once.

    Raises:
        UnknownJobError: the journal knows nothing that is meant so.
        UsageError: it is the beginning of several, or too short.
    """
    found: dict[str, Record] = {}
    for argument in arguments or [LAST]:
        ids = session.select([LAST]) if argument == LAST else [argument]
        records = [_named(session, each) for each in ids]
        found |= {record.record: record for record in records}
    return list(found.values())


def _named(session: CliContext, argument: str) -> Record:
    found = session.history.records_with_prefix(argument)
    whole = [record for record in found if argument in (record.record, record.job_id)]
    if whole:
        return whole[0]
    if len(argument) < SHORTEST:
        raise UsageError(
            f"{argument!r} is too short: give {SHORTEST} characters of an id."
        )
    if not found:
        raise UnknownJobError(
            f"The journal knows no job {argument}.",
            hint=Step(Action.ASK_SERVICE, (argument,))
            if len(argument) >= WHOLE
            else None,
        )
    if len(found) > 1:
        raise UsageError(f"{argument} is the beginning of {len(found)} records.")
    return found[0]


def in_doubt(session: CliContext, beginning: str | None) -> list[Record]:
    """
    The records in doubt, the oldest first; with a *beginning*, the one that it means.

    Raises:
        UsageError: it means none, or several.
    """
    records = session.history.unconfirmed()
    if beginning is None:
        return records
    found = [record for record in records if record.record.startswith(beginning)]
    if len(found) == 1 and len(beginning) >= SHORTEST_RECORD:
        return found
    raise UsageError(
        f"{beginning!r} does not name a record in doubt: give the beginning of its id, "
        f"{SHORTEST_RECORD} characters or more.",
        hint=Step(Action.LIST_UNCONFIRMED),
    )


def one_in_doubt(session: CliContext, beginning: str | None) -> Record:
    """
    As `in_doubt`, when something is to be done with one.
    """
    found = in_doubt(session, beginning)
    if not found:
        raise UsageError("No record is in doubt: there is nothing to recover.")
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} records are in doubt: name the one that is meant.",
            hint=Step(Action.LIST_UNCONFIRMED),
            details=[f"{r.record}  {r.model}  {(r.prompt or '')[:60]}" for r in found],
        )
    return found[0]


def one_job(session: CliContext, argument: str) -> str:
    """
    The id of the one job that is meant, as `CliContext.select`.

    Raises:
        UsageError: it is none, or it is several.
    """
    found = session.select([argument])
    if len(found) > 1:
        raise UsageError(f"{argument} is {len(found)} jobs: name one of them.")
    return found[0]


def candidate(session: CliContext, record: Record, argument: str) -> str:
    """
    The id of the job that is meant, which may be the beginning of a candidate's.

    Raises:
        UsageError: as `one_job`.
    """
    if SHORTEST <= len(argument) < WHOLE:
        candidates = session.recovery.candidates(record)
        found = [job.job_id for job in candidates if job.job_id.startswith(argument)]
        if len(found) == 1:
            return found[0]
    return one_job(session, argument)


def _check(what: str, word: str | None, allowed: Sequence[str]) -> None:
    if word is not None and word not in allowed:
        raise UsageError(
            f"{word!r} is no {what}.", hint=f"Allowed are: {', '.join(allowed)}."
        )
