"""
Report the progress of a batch as log lines, or not at all.
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
_MINUTE, _MIN_DURATIONS = 60, 3


@dataclass(frozen=True, slots=True)
class BatchWork:
    """
    The work of a batch run.

    `models` has the model of each output to process. `estimate_usd` is for all jobs to
    be submitted. `usual_seconds` returns how long jobs of a model usually take.
    """

    models: Mapping[str, str | None]
    estimate_usd: float | None
    usual_seconds: Callable[[str | None], float]


@dataclass(slots=True)
class _Running:
    """
    A job that has not finished. `since` is when it was first reported, and `error_text`
    describes the error of its last poll, if any.
    """

    job: Job
    since: float
    error_text: str = ""

    @property
    def is_waiting(self) -> bool:
        return self.job.status in QUEUED_STATUSES


@dataclass(slots=True)
class BatchCounts:
    """
    Count finished items, money spent and time left of a batch. `now` returns the time
    of the monotonic clock.
    """

    work: BatchWork
    now: Callable[[], float]
    spent_usd: float = 0.0
    _running: dict[str, _Running] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _durations: dict[str | None, list[float]] = field(default_factory=dict)
    _max_running: int = 0

    def seen(self, output: str, job: Job, *, is_paid: bool) -> None:
        """
        Store the current state of a job. With `is_paid`, this run has just submitted
        it.
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
                took = self._durations.setdefault(self.work.models.get(output), [])
                took.append(self.now() - known.since)
            known.job, known.error_text = job, ""
        at_once = sum(not each.is_waiting for each in self.rows())
        self._max_running = max(self._max_running, at_once)

    def missed(self, output: str, error: KreaError) -> None:
        """
        Record that a poll of a job failed.
        """
        if known := self._running.get(output):
            known.error_text = collapse_whitespace(error.message, 100).rstrip(".")

    def ended(self, output: str, job: Job | None, *, is_paid: bool) -> None:
        """
        Record that an item is done. Failed jobs are not billed.
        """
        self._ended.add(output)
        self._running.pop(output, None)
        if is_paid and job is not None and job.status in UNBILLED_STATUSES:
            self.spent_usd = max(0.0, self.spent_usd - (job.cost_usd or 0.0))

    def rows(self) -> list[_Running]:
        return list(self._running.values())

    def oldest(self, most: int) -> list[tuple[str, _Running]]:
        """
        Return up to `most` items with running jobs, oldest first.
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
        Return the numbers of items that are done, running and waiting. They add up to
        the total.
        """
        running = sum(not each.is_waiting for each in self.rows())
        waiting = self.total - self.done - running
        parts = [f"{self.done}/{self.total} done"]
        named = {"running": running, "waiting": waiting}
        return parts + [f"{count} {name}" for name, count in named.items() if count]

    @property
    def money(self) -> str:
        """
        Return the money spent and the estimate; "" if nothing will be paid.
        """
        estimate = self.work.estimate_usd
        if estimate is None:
            return f"{dollars(self.spent_usd)} so far"
        return f"{dollars(self.spent_usd)} of {dollars(estimate)}" if estimate else ""

    @property
    def time_left(self) -> str:
        """
        Return roughly how long the rest will take; "" at the end, and before any job
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
        Estimate how long the rest will take, from the usual durations of the models and
        the number of jobs that have run at once so far, or None if that is not known
        yet.
        """
        if not self._max_running:
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
        return max(slowest, (sum(rest) + waiting) / self._max_running)

    def _usual(self, model: str | None) -> float:
        took = self._durations.get(model, ())
        if len(took) >= _MIN_DURATIONS:
            return sum(took) / len(took)
        return self.work.usual_seconds(model)

    @property
    def summary(self) -> str:
        """
        Return all numbers in one line.
        """
        parts = [DOT.join(self.numbers), self.money, self.time_left]
        return "  ".join(filter(None, parts))


class BatchProgress:
    """
    Receive all events of a batch and show nothing. A context manager.
    """

    # True if `ended` shows its `line`.
    shows_lines = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def seen(self, output: str, job: Job, *, is_paid: bool = False) -> None:
        """
        Report the current state of a job. With `is_paid`, this run has just submitted
        it.
        """

    def missed(self, output: str, error: KreaError) -> None:
        """
        Report that a poll of a job failed, and will be repeated.
        """

    def ended(
        self, output: str, line: str, job: Job | None, *, is_paid: bool = False
    ) -> None:
        """
        Report that an item is done. `line` describes its outcome.
        """


class BatchLines(BatchProgress):
    """
    Write a line for each item that is done, and the totals every 30 s.
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
