"""
Resolve references to jobs: ids, id prefixes, @last, and @RUN for all jobs of a run.
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

LAST_RUN = "@last"
# Before the id of a run.
RUN_PREFIX = "@"
MIN_PREFIX_CHARS = 8
# The name of all sandboxes in the journal.
SANDBOX = "sandbox"
# An argument of this length is a complete id, so the journal is not needed.
UUID_CHARS = 36


def resolve_job_refs(
    arguments: Sequence[str], journal: Callable[[], Journal]
) -> list[str]:
    """
    Return the ids of the jobs that the arguments refer to, without duplicates.

    An argument is a job id, a prefix of a job id in the journal, `@` and a prefix of a
    run's id, or @last, which is also the default. `journal` is called only if needed.

    Raises:
        UnknownJobError: the journal has no such job or run.
        LastSubmissionUnconfirmedError: the last request may or may not have a job.
        UsageError: an argument is not a job id, or matches several.
    """
    found: dict[str, None] = {}
    for argument in arguments or [LAST_RUN]:
        found |= dict.fromkeys(_resolve(argument, journal))
    return list(found)


def _resolve(argument: str, journal: Callable[[], Journal]) -> list[str]:
    if argument == LAST_RUN:
        last = journal().last_run_jobs()
        if not last and journal().is_last_unconfirmed():
            raise LastSubmissionUnconfirmedError(
                "The last request is unconfirmed, so @last is unknown.",
                hint=Step(Action.SETTLE),
            )
        if not last:
            raise UnknownJobError(
                "No jobs yet.",
                hint=other_service_hint(journal()) or "Specify a job id.",
            )
        return last
    if is_run_ref(argument):
        return _resolve_run(argument, journal)
    if not is_job_id(argument):
        raise UsageError(
            f"{argument!r} is not a job id.",
            hint="Use a job id, its first 8 characters, or @last.",
        )
    if len(argument) >= UUID_CHARS:
        return [argument]
    if len(argument) < MIN_PREFIX_CHARS:
        raise UsageError(
            f"Job id prefix {argument!r} is too short (at least {MIN_PREFIX_CHARS} "
            "characters)."
        )
    known = journal().jobs_with_prefix(argument)
    if len(known) > 1:
        raise UsageError(
            f"{argument!r} matches {len(known)} jobs.",
            hint="Give more characters of the id.",
        )
    # It may be a complete id that the journal does not know.
    return known or [argument]


def is_run_ref(reference: str) -> bool:
    """
    Return True if a reference stands for all jobs of a run.
    """
    return reference.startswith(RUN_PREFIX)


def run_ref(run: str) -> str:
    """
    Return the short reference to all jobs of a run.
    """
    return f"{RUN_PREFIX}{run[:MIN_PREFIX_CHARS]}"


def _resolve_run(argument: str, get_journal: Callable[[], Journal]) -> list[str]:
    prefix = argument.removeprefix(RUN_PREFIX)
    if len(prefix) < MIN_PREFIX_CHARS or not is_job_id(prefix):
        raise UsageError(
            f"{argument!r} is not a run.",
            hint=f"Use @last, or @ and the first {MIN_PREFIX_CHARS} characters of a "
            "run's id.",
        )
    journal = get_journal()
    runs = journal.runs_with_prefix(prefix)
    if len(runs) > 1:
        raise UsageError(
            f"{argument!r} matches {len(runs)} runs.",
            hint="Give more characters of the id.",
        )
    if not runs:
        raise UnknownJobError(
            f"Run {argument} is not in the journal.",
            hint=other_service_hint(journal),
        )
    jobs = [job.job_id for job in journal.run_results(runs[0])]
    if not jobs:
        raise LastSubmissionUnconfirmedError(
            f"The requests of run {argument} are unconfirmed, so it has no jobs yet.",
            hint=Step(Action.SETTLE),
        )
    return jobs


def other_service_hint(journal: Journal | JournalQueries) -> str | None:
    """
    Say how to use the jobs of another service, if the journal has some.
    """
    if not (other := journal.other_service()):
        return None
    option = service_option_hint(other, current=journal.service)
    return f"To use the jobs of {service_name(other)}, {option}."


def service_name(service: str) -> str:
    return "the sandbox" if service == SANDBOX else service


def service_option_hint(service: str, *, current: str) -> str:
    """
    Say which option makes a command use `service` instead of the `current` one.
    """
    if service == SANDBOX:
        return "add --sandbox"
    if current == SANDBOX:
        return "leave out --sandbox and unset KREA_SANDBOX"
    return f"add --api-url {service}"
