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

LAST = "@last"
# The id of a run follows it.
RUN = "@"
SHORTEST = 8
ELSEWHERE = "check --sandbox, KREA_SANDBOX and --api-url."
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
                "No jobs yet.", hint=_elsewhere(journal()) or "Specify a job id."
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
            f"Run {argument} is not in the journal.", hint=_elsewhere(journal)
        )
    jobs = [job.job_id for job in journal.run_results(runs[0])]
    if not jobs:
        raise LastSubmissionUnconfirmedError(
            f"The requests of run {argument} are unconfirmed, so it has no jobs yet.",
            hint=Step(Action.SETTLE),
        )
    return jobs


def _elsewhere(journal: Journal) -> str | None:
    if not journal.has_other_services():
        return None
    return f"There are jobs of another API address. To use them, {ELSEWHERE}"
