"""
Ask again until jobs are final.  Knows nothing of HTTP or of the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from krea_cli.api.resources import Job
from krea_cli.clock import Clock
from krea_cli.errors import KreaError, ServiceError, UsageError

FIRST_SECONDS, GROWTH, LONGEST_SECONDS = 2.0, 1.15, 5.0
# Looks that fail one after the other for so long are no passing trouble (hazard L2).
TOLERANCE_SECONDS = 300.0
# At most five looks a second, however many jobs there are (hazard L8).
SPACING_SECONDS = 0.2


def delays() -> Iterator[float]:
    """
    Seconds between looks: 2 at first, slowly up to 5, as the service advises.
    """
    delay = FIRST_SECONDS
    while True:
        yield delay
        delay = min(delay * GROWTH, LONGEST_SECONDS)


def poll(
    job_ids: Sequence[str],
    fetch: Callable[[str], Job],
    *,
    deadline: float,
    clock: Clock,
    give_up: Callable[[str, KreaError], object],
    pauses_first: bool = False,
) -> Iterator[Job]:
    """
    Yield each job each time it is looked at, until all are final or *deadline* (on the
    monotonic clock) has passed; the caller sees by the jobs which it was.

    *pauses_first* is for jobs that have just been submitted, and so been seen.

    Any status that is not known to be final is waited on (hazard L1).  A look that
    fails is made again, up to five minutes on end; then, or when the service refuses
    it, *give_up* is told, and the others are waited for.  A look that fails at the
    deadline is no failure: the job goes on, as far as anyone knows.

    Raises:
        KreaError: what concerns every look, such as a rejected token.
    """
    pending = list(job_ids)
    failing_since: dict[str, float] = {}
    if pending and pauses_first:
        clock.sleep(min(FIRST_SECONDS, max(0.0, deadline - clock.now())))
    for delay in delays():
        for at, job_id in enumerate(tuple(pending)):
            if at and clock.now() >= deadline:
                return
            try:
                job = fetch(job_id)
            except (ServiceError, UsageError) as exc:
                since = failing_since.setdefault(job_id, clock.now())
                if _is_hopeless(exc, since=since, now=clock.now(), deadline=deadline):
                    pending.remove(job_id)
                    give_up(job_id, exc)
                continue
            failing_since.pop(job_id, None)
            if job.is_final:
                pending.remove(job_id)
            yield job
        left = deadline - clock.now()
        if not pending or left <= 0:
            return
        clock.sleep(min(max(delay, SPACING_SECONDS * len(pending)), left))


def _is_hopeless(exc: KreaError, *, since: float, now: float, deadline: float) -> bool:
    if not isinstance(exc, ServiceError):
        return True
    asks = exc.retry_after or 0.0
    return now - since >= TOLERANCE_SECONDS or now + asks > deadline
