"""
Report how far a batch is: as lines of a log, or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from krea_cli.api.models import QUEUED_STATUSES, UNBILLED_STATUSES
from krea_cli.output.escape import collapse_whitespace
from krea_cli.output.human.format_text import dollars, duration
from krea_cli.output.progress import HEARTBEAT_SECONDS

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.errors import KreaError

DOT = " \N{MIDDLE DOT} "
_MINUTE, _ENOUGH = 60, 3


@dataclass(frozen=True, slots=True)
class BatchWork:
    """
    The items that a run has work with: their outputs, each with its model, and the
    estimate for all jobs that it is going to submit.

    *usual_seconds* returns how long jobs of a model usually take.
    """

    models: Mapping[str, str | None]
    estimate_usd: float | None
    usual_seconds: Callable[[str | None], float]


@dataclass(slots=True)
class _Running:
    """
    A job that has not finished: since when it is known, and its trouble, if any.
    """

    job: Job
    since: float
    trouble: str = ""

    @property
    def is_waiting(self) -> bool:
        return self.job.status in QUEUED_STATUSES


@dataclass(slots=True)
class BatchCounts:
    """
    How far the items of a batch are, what was spent, and how long the rest takes. *now*
    is the time on the monotonic clock.
    """

    work: BatchWork
    now: Callable[[], float]
    spent_usd: float = 0.0
    _running: dict[str, _Running] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _took: dict[str | None, list[float]] = field(default_factory=dict)
    _most_at_once: int = 0

    def seen(self, output: str, job: Job, *, is_paid: bool) -> None:
        """
        Store a job as it is now; *is_paid* says that this run has just submitted it.
        """
        if is_paid:
            self.spent_usd += job.cost_usd or 0.0
        if output in self._ended:
            return
        known = self._running.get(output)
        if known is None:
            self._running[output] = _Running(job, self.now())
        else:
            if job.is_final and not known.job.is_final:
                took = self._took.setdefault(self.work.models.get(output), [])
                took.append(self.now() - known.since)
            known.job, known.trouble = job, ""
        at_once = sum(not each.is_waiting for each in self.rows())
        self._most_at_once = max(self._most_at_once, at_once)

    def missed(self, output: str, error: KreaError) -> None:
        """
        Store that a job could not be polled.
        """
        if known := self._running.get(output):
            known.trouble = collapse_whitespace(error.message, 100).rstrip(".")

    def ended(self, output: str, job: Job | None, *, is_paid: bool) -> None:
        """
        Store that an item has ended. A job that failed is not billed.
        """
        self._ended.add(output)
        self._running.pop(output, None)
        if is_paid and job is not None and job.status in UNBILLED_STATUSES:
            self.spent_usd = max(0.0, self.spent_usd - (job.cost_usd or 0.0))

    def rows(self) -> list[_Running]:
        return list(self._running.values())

    def oldest(self, most: int) -> list[tuple[str, _Running]]:
        """
        Return at most so many of the items whose jobs run, the oldest first.
        """
        found = [
            (output, each)
            for output, each in list(self._running.items())
            if not each.is_waiting
        ]
        return found[:most]

    @property
    def total(self) -> int:
        return len(self.work.models)

    @property
    def done(self) -> int:
        return len(self._ended)

    @property
    def numbers(self) -> list[str]:
        """
        Return how many items are done, run and wait; the numbers add up.
        """
        running = sum(not each.is_waiting for each in self.rows())
        waiting = self.total - self.done - running
        parts = [f"{self.done}/{self.total} done"]
        named = {"running": running, "waiting": waiting}
        return parts + [f"{count} {name}" for name, count in named.items() if count]

    @property
    def money(self) -> str:
        """
        Return what was spent of the estimate; empty where nothing is to be paid.
        """
        estimate = self.work.estimate_usd
        if estimate is None:
            return f"{dollars(self.spent_usd)} so far"
        return f"{dollars(self.spent_usd)} of {dollars(estimate)}" if estimate else ""

    @property
    def time_left(self) -> str:
        """
        Return about how long the rest takes; empty at the end, and as long as no job
        has run.
        """
        seconds = self.seconds_left
        if seconds is None or seconds < 1:
            return ""
        step = 5 if seconds < _MINUTE else _MINUTE
        rounded = max(step, round(seconds / step) * step)
        return f"about {duration(rounded).removesuffix(' 0 s')} left"

    @property
    def seconds_left(self) -> float | None:
        """
        Estimate how long the rest takes, by the usual times of the models and by as
        many jobs at once as the service has run so far; None before that is known.
        """
        if not self._most_at_once:
            return None
        rows = list(self._running.items())
        models = self.work.models
        rest = [
            max(0.0, self._usual(models.get(output)) - (self.now() - each.since))
            for output, each in rows
            if not each.is_waiting and not each.job.is_final
        ]
        open_ = Counter(
            model
            for output, model in models.items()
            if output not in self._ended
            and (output not in self._running or self._running[output].is_waiting)
        )
        waiting = sum(self._usual(model) * count for model, count in open_.items())
        if not waiting:
            return max(rest, default=0.0)
        slowest = max(map(self._usual, open_), default=0.0)
        return max(slowest, (sum(rest) + waiting) / self._most_at_once)

    def _usual(self, model: str | None) -> float:
        took = self._took.get(model, ())
        if len(took) >= _ENOUGH:
            return sum(took) / len(took)
        return self.work.usual_seconds(model)

    @property
    def summary(self) -> str:
        """
        Return all of it in one line.
        """
        parts = [DOT.join(self.numbers), self.money, self.time_left]
        return "  ".join(filter(None, parts))


class BatchProgress:
    """
    Receives what happens to the items of a batch, and shows nothing; a context manager.
    """

    # Tells whether `ended` shows the line that it gets.
    shows_lines = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def seen(self, output: str, job: Job, *, is_paid: bool = False) -> None:
        """
        Report a job as it is now; *is_paid* says that this run has just submitted it.
        """

    def missed(self, output: str, error: KreaError) -> None:
        """
        Report that a job could not be polled, and will be polled again.
        """

    def ended(
        self, output: str, line: str, job: Job | None, *, is_paid: bool = False
    ) -> None:
        """
        Report that an item has ended, with a *line* that says how.
        """


class BatchLines(BatchProgress):
    """
    Writes a line for each item that has ended, and the totals every 30 s.
    """

    shows_lines = True

    def __init__(self, counts: BatchCounts, say: Callable[[str], None]) -> None:
        self._counts = counts
        self._say = say
        self._said_at = counts.now()

    def seen(self, output: str, job: Job, *, is_paid: bool = False) -> None:
        self._counts.seen(output, job, is_paid=is_paid)
        self._sum_up()

    def missed(self, output: str, error: KreaError) -> None:
        self._counts.missed(output, error)
        reason = collapse_whitespace(error.message, 200).rstrip(".")
        self._sum_up(f"; cannot check: {reason}")

    def ended(
        self, output: str, line: str, job: Job | None, *, is_paid: bool = False
    ) -> None:
        self._counts.ended(output, job, is_paid=is_paid)
        self._say(line)
        self._sum_up()

    def _sum_up(self, more: str = "") -> None:
        now = self._counts.now()
        if now - self._said_at >= HEARTBEAT_SECONDS and self._counts.total:
            self._said_at = now
            self._say(f"{self._counts.summary}{more}")
