"""
Select the steps of a plan that a run carries out: named steps, a number of steps, or a
shard.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from krea_cli.batch.item_requests import Planned
from krea_cli.batch.plan import PAID, UP_TO_DATE, Plan, PlanStep, Sign, matching
from krea_cli.batch.problems import suggest
from krea_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Shard:
    """
    Shard number `index` of `count`, counted from 1.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """
        Parse a shard in the form I/N, with I from 1 to N.

        Raises:
            ValueError: the text does not have this form.
        """
        found = re.fullmatch("([0-9]{1,6})/([0-9]{1,6})", text.strip())
        if found and 1 <= int(found[1]) <= int(found[2]):
            return cls(int(found[1]), int(found[2]))
        raise ValueError(f"'{text}' is not a shard. Examples: 1/5, 5/5")


def shard_groups(planned: Sequence[Planned]) -> list[str]:
    """
    Return for each item the name of its group, which must stay in one shard.

    Items belong together if their requests are equal, or if one takes the output of
    another. The name of a group is the smallest key of its items.
    """
    places = {each.item.output: index for index, each in enumerate(planned)}
    root = list(range(len(planned)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    first: dict[str, int] = {}
    for index, each in enumerate(planned):
        ties = [places[output] for output in each.item.needs.values()]
        if each.key:
            ties.append(first.setdefault(each.key, index))
        for other in ties:
            root[find(index)] = find(other)
    # An item without a key cannot be made. Its output decides which shard reports it.
    names = [each.key or each.item.output for each in planned]
    smallest: dict[int, str] = {}
    for index, name in enumerate(names):
        at = find(index)
        smallest[at] = min(smallest.get(at, name), name)
    return [smallest[find(index)] for index in range(len(planned))]


def shards_of(plan: Plan, count: int) -> dict[str, int]:
    """
    Return the shard of each output of the whole plan, as a number from 1 to `count`.
    """
    groups = shard_groups([step.planned for step in plan.steps])
    hashes = [hashlib.sha256(group.encode()).hexdigest() for group in groups]
    return {
        step.output: int(number[:15], 16) % count + 1
        for step, number in zip(plan.steps, hashes, strict=True)
    }


def in_shard(plan: Plan, shards: Mapping[str, int], index: int) -> Plan:
    """
    Return the plan with the steps of one shard, and without orphans.
    """
    steps = tuple(step for step in plan.steps if shards[step.output] == index)
    return replace(plan, orphans=(), steps=steps)


def only(plan: Plan, names: Sequence[str]) -> Plan:
    """
    Return the plan with the outputs that match `names`, and the steps that they need
    first. Orphans are left out.

    Raises:
        UsageError: a name matches no output.
    """
    items = [step.planned.item for step in plan.steps]
    waiting = list[str]()
    for name in names:
        outputs = matching(items, name)
        if not outputs:
            raise UsageError(
                f"--only {name}: no output has this name.",
                hint=suggest(name, [item.shown for item in items]) or None,
            )
        waiting += outputs
    steps = {step.output: step for step in plan.steps}
    taken = set[str]()
    while waiting:
        output = waiting.pop()
        if output in taken:
            continue
        taken.add(output)
        waiting += _needed(steps[output])
    kept = [step for step in plan.steps if step.output in taken]
    return replace(plan, steps=tuple(_alone(kept)), orphans=())


def _needed(step: PlanStep) -> Iterable[str]:
    """
    Return the outputs that a step needs to end as planned. A blocked step needs only
    the output that blocks it, as the reason to report.
    """
    if step.blocked_by is not None:
        return [step.blocked_by]
    is_stuck = step.error or step.sign in (Sign.ENDED, Sign.UNCONFIRMED)
    if is_stuck or step.sign in UP_TO_DATE:
        return []
    return step.planned.item.needs.values()


def _alone(steps: Sequence[PlanStep]) -> list[PlanStep]:
    """
    Return the steps, with new jobs where a shared job was left out. Steps with the same
    request share the new job.
    """
    outputs = {step.output for step in steps}
    first: dict[str, str] = {}
    found = []
    for step in steps:
        if step.same_as is None or step.same_as in outputs:
            found.append(step)
            continue
        other = first.setdefault(step.planned.key, step.output)
        shares = None if other == step.output else other
        usd = step.planned.cost_usd if shares is None else 0.0
        found.append(replace(step, same_as=shares, usd=usd))
    return found


def limited_in_shards(plan: Plan, shards: Mapping[str, int], most: int) -> Plan:
    """
    Return the plan with at most `most` paid jobs in each shard.
    """
    kept = {
        step.output
        for index in set(shards.values())
        for step in limited(in_shard(plan, shards, index), most).steps
    }
    steps = tuple(step for step in plan.steps if step.output in kept)
    return replace(plan, steps=steps)


def limited(plan: Plan, most: int) -> Plan:
    """
    Return the plan with at most the first `most` paid jobs. Steps that need or share
    another paid job are left out, too.
    """
    left = most
    dropped = set[str]()
    for step in plan.steps:
        if step.is_paid:
            left -= 1
            if left < 0:
                dropped.add(step.output)
    steps = {step.output: step for step in plan.steps}
    # Also leave out the steps that need or share a job that is left out.
    while True:
        more = {
            step.output
            for step in plan.steps
            if step.output not in dropped
            and step.sign in PAID
            and dropped & {step.same_as, *step.planned.item.needs.values()}
        }
        if not more:
            break
        dropped |= more
    kept = tuple(step for output, step in steps.items() if output not in dropped)
    return replace(plan, steps=kept)


def collecting(plan: Plan) -> Plan:
    """
    Return the plan without items that need a new job. Failures of earlier jobs count as
    in any other run.
    """
    return limited(plan, 0)
