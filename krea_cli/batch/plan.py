"""
Plan what a run does with each item, and estimate the cost.

Planning sends and writes nothing. The same lock, journal and files give the same plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from krea_cli.batch.item import Item
from krea_cli.batch.item_requests import Planned, by_need
from krea_cli.batch.lock import Lock, LockedFile, LockLine, news_of
from krea_cli.batch.output_names import folded
from krea_cli.batch.problems import suggest
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.batch.shown_path import shown_path
from krea_cli.errors import (
    CostError,
    KreaError,
    TargetExistsError,
    UsageError,
)
from krea_cli.output.human.format_text import dollars

# Sums of binary floats are not exact.
_ROUNDING_USD = 1e-9
FINISHED = ("failed", "cancelled")
RUNNING = ("submitted", "unconfirmed")


class Sign(StrEnum):
    MAKE = "+"
    CHANGE = "~"
    WAIT = ">"
    FETCH = "v"
    SAME = "="
    EDITED = "e"
    ENDED = "!"
    UNCONFIRMED = "?"
    UNUSABLE = "x"


# Items with these signs need no work.
UP_TO_DATE = frozenset({Sign.SAME, Sign.EDITED})
PAID = frozenset({Sign.MAKE, Sign.CHANGE})


@dataclass(frozen=True, kw_only=True)
class PlanStep:
    """
    The planned step for one item.

    `line` is the lock line with the current state of the request. `attempt` is the
    number of a new job for the same request. `known` has the records and jobs of
    earlier attempts, which do not prevent a new job. `usd` is the estimated price, or
    None if it is unknown.

    `same_as` is the output of an earlier item with the same request: the two share a
    job. `copy_of` is a file on disk with the same result. `found` is the line of a file
    that only its sidecar identifies.

    `replaces` allows replacing the file at the output's path. `keeps` names files that
    were edited by hand and stay. `compares` means that the existing file may already be
    the result. `is_elsewhere` means that this machine's journal has no record of an
    unconfirmed request.

    `blocked_by` is a needed output that will not be made. `error` ends the item before
    anything is sent for it.
    """

    planned: Planned
    sign: Sign
    line: LockLine | None = None
    attempt: int = 1
    known: frozenset[str] = frozenset()
    usd: float | None = 0.0
    same_as: str | None = None
    copy_of: str | None = None
    found: LockLine | None = None
    replaces: bool = False
    is_elsewhere: bool = False
    compares: bool = False
    keeps: frozenset[str] = frozenset()
    blocked_by: str | None = None
    error: KreaError | None = None

    @property
    def output(self) -> str:
        return self.planned.item.output

    @property
    def shown(self) -> str:
        return self.planned.item.shown

    @property
    def is_paid(self) -> bool:
        """
        Return whether a job has to be submitted for this step.
        """
        return (
            self.sign in PAID
            and self.same_as is None
            and self.error is None
            and self.blocked_by is None
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """
    The steps of all items, in the order of the file.

    `orphans` are lock lines of this source whose outputs belong to no item any more.
    `unlisted` are lines that this machine's journal has and the lock lacks. They must
    be added to the lock, so that another machine does not pay for their requests again.
    `spent_usd` is the sum of all jobs in the lock that may be billed.
    """

    steps: tuple[PlanStep, ...]
    orphans: tuple[LockLine, ...] = ()
    unlisted: tuple[LockLine, ...] = ()
    spent_usd: float = 0.0

    @property
    def cost_usd(self) -> float | None:
        """
        Return the estimate for all jobs of the plan in USD, or None if a price is
        unknown.
        """
        amounts = [step.usd for step in self.steps if step.is_paid]
        known = [amount for amount in amounts if amount is not None]
        return sum(known) if len(known) == len(amounts) else None

    @property
    def unknown_prices(self) -> list[str]:
        """
        Return the ids of the models without a known price.
        """
        models = [
            step.planned.request.model.id
            for step in self.steps
            if step.is_paid and step.usd is None and step.planned.request
        ]
        return list(dict.fromkeys(models))

    @property
    def unused(self) -> list[LockLine]:
        """
        Return the newest orphan of each output. An output with several requests has a
        line for each of them.
        """
        newest: dict[str, LockLine] = {}
        for line in sorted(self.orphans, key=lambda line: (line.at, line.text)):
            newest[folded(line.output)] = line
        return [newest[output] for output in sorted(newest)]

    @property
    def is_up_to_date(self) -> bool:
        return not self.orphans and all(
            step.sign in UP_TO_DATE and step.error is None for step in self.steps
        )


# Returns the journal's lines for an item, given the item and its lines in the lock.
JournalLines = Callable[[Planned, Sequence[LockLine]], Sequence[LockLine]]


@dataclass(frozen=True, kw_only=True)
class Planner:
    """
    The planner of a batch.

    `source` is the lock's name for the source of the items. `journal_lines` returns the
    journal's lines for an item. `again` selects what to pay for again: outputs as names
    or globs, "failed" or "cancelled". `sandbox_files` has the results of the sandbox by
    output; a real run may replace them. `in_sidecar` returns a line for a file whose
    sidecar shows the same request, or None.
    """

    lock: Lock
    disk: ResultsOnDisk
    source: str
    journal_lines: JournalLines = lambda _, __: ()
    again: Sequence[str] = ()
    force: bool = False
    sandbox_files: Mapping[str, Iterable[LockedFile]] = field(default_factory=dict)
    in_sidecar: Callable[[Planned], LockLine | None] = lambda _: None

    def plan(self, planned: Sequence[Planned]) -> Plan:
        """
        Plan all items.

        Raises:
            UsageError: `--again` names an output that does not exist.
        """
        again = self._named_again(planned)
        steps: dict[str, PlanStep] = {}
        aliases: dict[str, set[str]] = defaultdict(set)
        first: dict[str, str] = {}
        unlisted: list[LockLine] = []
        items = [each.item for each in planned]
        for index in by_need(items):
            each = planned[index]
            step = self._step(each, aliases, unlisted, again)
            if step.line is not None:
                aliases[each.key].add(step.line.key)
            needed = [steps[output] for output in each.item.needs.values()]
            steps[each.item.output] = _blocked(step, needed)
        found = {each.found.key: each.found for each in steps.values() if each.found}
        ordered = [_shared(steps[item.output], first, found) for item in items]
        return Plan(
            steps=tuple(ordered),
            orphans=tuple(self._orphans(planned)),
            unlisted=tuple(unlisted),
            spent_usd=self.lock.spent_usd(),
        )

    def _named_again(self, planned: Sequence[Planned]) -> set[str]:
        """
        Return the outputs that `--again` names.

        Raises:
            UsageError: a name matches no output.
        """
        items = [each.item for each in planned]
        found = set[str]()
        for word in self.again:
            if word in FINISHED:
                continue
            outputs = matching(items, word)
            if not outputs:
                names = [*(item.shown for item in items), *FINISHED]
                raise UsageError(
                    f"--again {word}: no output has this name.",
                    hint=suggest(word, names) or "Name outputs, failed or cancelled.",
                )
            found |= set(outputs)
        return found

    def _step(
        self,
        planned: Planned,
        aliases: Mapping[str, set[str]],
        unlisted: list[LockLine],
        named_again: Collection[str],
    ) -> PlanStep:
        if planned.unusable or planned.identity is None:
            return PlanStep(planned=planned, sign=Sign.UNUSABLE, error=planned.unusable)
        locked = self.lock.history(planned.identity, aliases)
        own = self.journal_lines(planned, locked)
        unlisted += news_of(own, locked, planned.item.output)
        lines = locked
        if own:
            # The journal is the authority on this machine's own requests.
            both = Lock.of([*locked, *own], own[0].service)
            lines = both.history(planned.identity, aliases)
        line = next((each for each in lines if each.counts), None)
        step = PlanStep(planned=planned, sign=Sign.MAKE, line=line)
        if line is None:
            return self._made(step, lines)
        is_unconfirmed = line.state == "unconfirmed"
        is_own = line.record in {each.record for each in own}
        step = replace(step, is_elsewhere=is_unconfirmed and not is_own)
        if self._is_again(step, line, named_again):
            return self._made(replace(step, is_elsewhere=False), lines)
        if line.state == "completed":
            return self._completed(step, lines)
        if line.state == "submitted":
            is_free = not self.disk.exists(planned.item.output)
            waiting = replace(step, sign=Sign.WAIT)
            return waiting if is_free else self._in_place_of_another(waiting)
        return replace(step, sign=Sign.UNCONFIRMED if is_unconfirmed else Sign.ENDED)

    def _is_again(self, step: PlanStep, line: LockLine, named: Collection[str]) -> bool:
        is_named = step.output in named
        if line.state in RUNNING:
            # This machine cannot resolve a request of another one, so the user
            # decides. Only the full name of the output is clear enough for that.
            return step.is_elsewhere and is_named and self._is_exact(step.planned.item)
        return line.state in self.again or is_named

    def _is_exact(self, item: Item) -> bool:
        """
        Return whether `--again` has the full name of the output, not only a glob.
        """
        return any(
            item.shown == shown_path(word) or item.output == word.removeprefix("./")
            for word in self.again
        )

    def _made(self, step: PlanStep, lines: Sequence[LockLine]) -> PlanStep:
        """
        Return a step that pays for a new job.

        If a file exists at the output's path, the step replaces it, recognizes it by
        its sidecar, or has an error.
        """
        output = step.output
        step = replace(
            step,
            usd=step.planned.cost_usd,
            attempt=1 + max((line.attempt for line in lines), default=0),
            known=frozenset(
                each for line in lines for each in (line.record, line.job) if each
            ),
        )
        if not self.disk.exists(output):
            return step
        if self.force or self._is_ours(output):
            return replace(step, sign=Sign.CHANGE, replaces=True)
        if self._is_of_sandbox(output):
            return replace(step, sign=Sign.CHANGE, replaces=True)
        if self.lock.of_output(output):
            return replace(step, sign=Sign.CHANGE, usd=0.0, error=_changed(step.shown))
        if not lines and (found := self.in_sidecar(step.planned)):
            return replace(step, sign=Sign.SAME, usd=0.0, found=found)
        return replace(step, usd=0.0, error=_in_the_way(step.shown))

    def _is_of_sandbox(self, output: str) -> bool:
        return self.disk.is_one_of(output, self.sandbox_files.get(output, ()))

    def _is_ours(self, output: str) -> bool:
        """
        Return whether the file is an unchanged result of krea, for this or any other
        request.
        """
        files = [
            file
            for line in self.lock.of_output(output)
            for file in line.files
            if file.path == output
        ]
        return self.disk.is_one_of(output, files)

    def _completed(self, step: PlanStep, lines: Sequence[LockLine]) -> PlanStep:
        """
        Return a step for a result that is already paid for.
        """
        output, line = step.output, step.line
        assert line is not None  # noqa: S101  (checked by the caller)
        of_job = [each for each in lines if each.job == line.job]
        mine = next(
            (each for each in of_job if each.output == output and each.files), None
        )
        if mine is not None:
            return self._saved(replace(step, line=mine))
        files = [file for each in of_job for file in each.files]
        if self.disk.is_one_of(output, files):
            return replace(step, sign=Sign.SAME)
        if self.disk.exists(output):
            return self._in_place_of_another(replace(step, sign=Sign.FETCH))
        copy_of = self._copy(output, of_job)
        if copy_of is not None:
            return replace(step, sign=Sign.SAME, copy_of=copy_of)
        return replace(step, sign=Sign.FETCH)

    def _saved(self, step: PlanStep) -> PlanStep:
        """
        Return a step for a result whose files the lock lists under the same output.
        """
        assert step.line is not None  # noqa: S101  (checked by the caller)
        files = step.line.files
        missing = [file for file in files if not self.disk.exists(file.path)]
        changed = [
            file
            for file in files
            if file not in missing and not self.disk.is_unchanged(file)
        ]
        # Unchanged results of an earlier request: the current result replaces them.
        stale = [file for file in changed if self._is_ours(file.path)]
        edited = frozenset(file.path for file in changed if file not in stale)
        if missing or stale or (edited and self.force):
            return replace(
                step,
                sign=Sign.FETCH,
                replaces=bool(stale) or self.force,
                keeps=frozenset() if self.force else edited,
            )
        return replace(step, sign=Sign.EDITED if edited else Sign.SAME)

    def _in_place_of_another(self, step: PlanStep) -> PlanStep:
        """
        Return a step for a result that is paid for, while another file has its name.
        """
        assert step.line is not None  # noqa: S101  (checked by the caller)
        output = step.output
        if self.force or self._is_ours(output) or self._is_of_sandbox(output):
            return replace(step, replaces=True)
        if any(line.files for line in self.lock.of_output(output)):
            return replace(step, sign=Sign.CHANGE, error=_changed(step.shown))
        if self.lock.has_completed(step.line):
            return replace(step, sign=Sign.CHANGE, error=_in_the_way(step.shown))
        # A run that died may have saved this very result without recording it. The
        # new run compares the two, and records at least that the job has completed.
        return replace(step, compares=True)

    def _copy(self, output: str, lines: Sequence[LockLine]) -> str | None:
        """
        Return the path of an unchanged file with the same result and extension, or None
        if there is none.
        """
        suffix = PurePosixPath(output).suffix.lower()
        for line in lines:
            if len(line.files) != 1:
                continue
            [file] = line.files
            is_alike = PurePosixPath(file.path).suffix.lower() == suffix
            if (
                is_alike
                and self.disk.exists(file.path)
                and self.disk.is_unchanged(file)
            ):
                return file.path
        return None

    def _orphans(self, planned: Sequence[Planned]) -> list[LockLine]:
        wanted = {folded(each.item.output) for each in planned}
        return [
            line
            for line in self.lock.lines
            if line.source == self.source
            and (line.files or line.state in RUNNING)
            and folded(line.output) not in wanted
        ]


class EditedResultError(TargetExistsError):
    """
    A result was changed by hand.
    """


def _changed(output: str) -> TargetExistsError:
    return EditedResultError(
        f"{output} has changed since it was saved, so it is not replaced.",
        hint="Move it away, or replace it with --force.",
    )


def _in_the_way(output: str) -> TargetExistsError:
    return TargetExistsError(
        f"{output} already exists and was not made by this batch.",
        hint="Move it away, or replace it with --force.",
    )


def _blocked(step: PlanStep, needed: Sequence[PlanStep]) -> PlanStep:
    """
    Return the step, marked as blocked if a step that it needs cannot succeed.
    """
    if step.sign not in PAID or step.error:
        return step
    for each in needed:
        is_stuck = each.sign in (Sign.ENDED, Sign.UNCONFIRMED)
        if is_stuck or each.error or each.blocked_by:
            return replace(
                step,
                sign=each.sign,
                usd=0.0,
                error=each.error,
                blocked_by=each.output,
            )
    return step


def _shared(
    step: PlanStep, first: dict[str, str], found: Mapping[str, LockLine]
) -> PlanStep:
    """
    Return the step, changed if it can share a job with the same request: that of an
    earlier step, or of a result in `found`, which sidecars identify.
    """
    if step.sign not in PAID or step.error or step.blocked_by:
        return step
    if step.planned.key in found:
        line = found[step.planned.key]
        return replace(step, sign=Sign.FETCH, line=line, usd=0.0)
    other = first.setdefault(step.planned.key, step.output)
    return step if other == step.output else replace(step, same_as=other, usd=0.0)


def matching(items: Sequence[Item], pattern: str) -> list[str]:
    """
    Return the outputs that match a name or a glob. Names as seen from the current
    folder take precedence over names in the lock.
    """

    def fits(name: str, wanted: str) -> bool:
        return name == wanted or fnmatchcase(name, wanted)

    wanted = shown_path(pattern)
    shown = [item.output for item in items if fits(item.shown, wanted)]
    plain = pattern.removeprefix("./")
    return shown or [item.output for item in items if fits(item.output, plain)]


def check_free(plan: Plan) -> None:
    """
    Check that no unknown file has the name of a result.

    Raises:
        TargetExistsError: a file is in the way that the lock does not list.
    """
    in_the_way = [
        step.error
        for step in plan.steps
        if step.sign == Sign.MAKE and isinstance(step.error, TargetExistsError)
    ]
    if len(in_the_way) == 1:
        raise in_the_way[0]
    if in_the_way:
        raise TargetExistsError(
            f"Nothing was submitted: {len(in_the_way)} files already exist and were "
            "not made by this batch.",
            hint="Move them away, or replace them with --force.",
            details=[error.message for error in in_the_way],
        )


def check_cost(
    plan: Plan,
    *,
    max_cost: float | None,
    budget: float | None,
    allows_unknown: bool = False,
) -> None:
    """
    Check that the plan stays within `max_cost`, and all runs together within `budget`.
    Both are in USD.

    Raises:
        CostError: the plan costs more, or its cost is unknown and `allows_unknown` is
            False.
    """
    cost = plan.cost_usd
    if cost == 0.0:
        # Free work is allowed even if the budget is already spent.
        return
    if cost is None and (max_cost is not None or budget is not None):
        if allows_unknown:
            return
        models = ", ".join(plan.unknown_prices)
        raise CostError(
            f"Nothing was submitted: the price of {models} is unknown.",
            hint="Allow it with --allow-unknown-cost, or remove the limit.",
        )
    cost = cost or 0.0
    if max_cost is not None and cost > max_cost + _ROUNDING_USD:
        fewer = _fewer(plan, max_cost, ", or make fewer at a time with --limit")
        raise CostError(
            f"Nothing was submitted: the estimate of {dollars(cost)} is above the "
            f"limit of {dollars(max_cost)}.",
            hint=f"Raise --max-cost{fewer}.",
        )
    if budget is not None and plan.spent_usd + cost > budget + _ROUNDING_USD:
        left = budget - plan.spent_usd
        fewer = _fewer(plan, left, ", or make fewer with --limit")
        raise CostError(
            f"Nothing was submitted: {dollars(plan.spent_usd)} of the budget of "
            f"{dollars(budget)} has been spent, and another {dollars(cost)} "
            "(estimated) would exceed it.",
            hint=f"Raise usd under [budget] in the manifest{fewer}.",
        )


def _fewer(plan: Plan, left: float, advice: str) -> str:
    """
    Return `advice` if fewer items would be affordable: the first one alone costs at
    most `left` USD. Otherwise, return "".
    """
    prices = [step.usd or 0.0 for step in plan.steps if step.is_paid]
    return advice if prices[1:] and prices[0] <= left + _ROUNDING_USD else ""
