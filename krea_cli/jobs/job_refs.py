"""
Resolve references to jobs: ids, beginnings of ids, @last, and @RUN for a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from krea_cli.api.models import is_job_id
from krea_cli.errors import (
    Action,
    LastSubmissionUnconfirmedError,
    Step,
    UnknownJobError,
    UsageError,
)

if TYPE_CHECKING:
    from krea_cli.journal.journal import Journal
    from krea_cli.journal.queries import JournalQueries

LAST = "@last"
# The id of a run follows it.
RUN = "@"
SHORTEST = 8
# What the journal calls all sandboxes.
SANDBOX = "sandbox"
WHOLE = 36  # the length of a UUID, which needs no journal to be understood


def resolve_job_refs(
    arguments: Sequence[str], journal: Callable[[], Journal]
) -> list[str]:
    """
    Return the job ids that the arguments mean, each once: whole ids, beginnings of ids
    that the journal knows, the beginning of a run's id after `@`, or @last, also
    without any argument. *journal* is called only when it is needed.

    Raises:
        UnknownJobError: the journal has no such job or run.
        LastSubmissionUnconfirmedError: the last request may or may not have a job.
        UsageError: it is not a job id, or it is the beginning of several.
    """
    found: dict[str, None] = {}
    for argument in arguments or [LAST]:
        found |= dict.fromkeys(_select(argument, journal))
    return list(found)


def _select(argument: str, journal: Callable[[], Journal]) -> list[str]:
    if argument == LAST:
        last = journal().last_run_jobs()
        if not last and journal().is_last_unconfirmed():
            raise LastSubmissionUnconfirmedError(
                "The last request is unconfirmed, so @last is unknown.",
                hint=Step(Action.SETTLE),
            )
        if not last:
            raise UnknownJobError(
                "No jobs yet.",
                hint=hint_at_other_service(journal()) or "Specify a job id.",
            )
        return last
    if is_run(argument):
        return _select_run(argument, journal)
    if not is_job_id(argument):
        raise UsageError(
            f"{argument!r} is not a job id.",
            hint="Use a job id, its first 8 characters, or @last.",
        )
    if len(argument) >= WHOLE:
        return [argument]
    if len(argument) < SHORTEST:
        raise UsageError(
            f"Job id prefix {argument!r} is too short (at least {SHORTEST} characters)."
        )
    known = journal().jobs_with_prefix(argument)
    if len(known) > 1:
        raise UsageError(
            f"{argument!r} matches {len(known)} jobs.",
            hint="Give more characters of the id.",
        )
    # An id that the journal does not know may still be complete.
    return known or [argument]


def is_run(reference: str) -> bool:
    """
    Tell whether a reference means all jobs of a run.
    """
    return reference.startswith(RUN)


def name_of_run(run: str) -> str:
    """
    Return the short reference to all jobs of a run.
    """
    return f"{RUN}{run[:SHORTEST]}"


def _select_run(argument: str, get_journal: Callable[[], Journal]) -> list[str]:
    beginning = argument.removeprefix(RUN)
    if len(beginning) < SHORTEST or not is_job_id(beginning):
        raise UsageError(
            f"{argument!r} is not a run.",
            hint=f"Use @last, or @ and the first {SHORTEST} characters of a run's id.",
        )
    journal = get_journal()
    runs = journal.runs_with_prefix(beginning)
    if len(runs) > 1:
        raise UsageError(
            f"{argument!r} matches {len(runs)} runs.",
            hint="Give more characters of the id.",
        )
    if not runs:
        raise UnknownJobError(
            f"Run {argument} is not in the journal.",
            hint=hint_at_other_service(journal),
        )
    jobs = [job.job_id for job in journal.run_results(runs[0])]
    if not jobs:
        raise LastSubmissionUnconfirmedError(
            f"The requests of run {argument} are unconfirmed, so it has no jobs yet.",
            hint=Step(Action.SETTLE),
        )
    return jobs


def hint_at_other_service(journal: Journal | JournalQueries) -> str | None:
    """
    Say how to use the jobs of another service, if the journal has some.
    """
    if not (other := journal.other_service()):
        return None
    way = way_to_service(other, current=journal.service)
    return f"There are jobs of {name_of_service(other)}. To use them, {way}."


def name_of_service(service: str) -> str:
    return "the sandbox" if service == SANDBOX else service


def way_to_service(service: str, *, current: str) -> str:
    """
    Say which option makes a command use `service` instead of the `current` one.
    """
    if service == SANDBOX:
        return "add --sandbox"
    if current == SANDBOX:
        return "leave out --sandbox and unset KREA_SANDBOX"
    return f"add --api-url {service}"
