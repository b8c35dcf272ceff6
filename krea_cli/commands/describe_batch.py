"""
Describe the plan of a batch, its items and its outcome in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from krea_cli.batch.plan import PAID, EditedResultError, Plan, PlanStep, Sign
from krea_cli.errors import Action, Hint, Step
from krea_cli.operations.batch_outcome import ItemOutcome
from krea_cli.output.human.format_text import dollars

# Returns the name of a file as seen from the current folder.
Shown = Callable[[str], str]

_ACTIONS = {
    Sign.MAKE: "make",
    Sign.CHANGE: "change",
    Sign.WAIT: "wait",
    Sign.FETCH: "download",
    Sign.SAME: "up to date",
    Sign.EDITED: "edited",
    Sign.ENDED: "failed",
    Sign.UNCONFIRMED: "unconfirmed",
    Sign.UNUSABLE: "unusable",
}
_COUNTED = {
    Sign.MAKE: "to make",
    Sign.CHANGE: "to make again (changed)",
    Sign.WAIT: "running",
    Sign.FETCH: "to download",
    Sign.SAME: "up to date",
    Sign.EDITED: "edited",
    Sign.ENDED: "failed",
    Sign.UNCONFIRMED: "unconfirmed",
    Sign.UNUSABLE: "unusable",
}
# The words for states of outcomes. Other states are shown by their names.
_SHARED = "same as another item"
_STATES = {
    "fetched": "downloaded",
    "shared": _SHARED,
    "running": "still running",
    "unsubmitted": "not submitted",
    "unchecked": "not checked",
    "unsaved": "not saved",
    "conflict": "not replaced",
    "unusable": "left out",
}
_ORDER = (
    "made",
    "shared",
    "copied",
    "fetched",
    "unchanged",
    "submitted",
    "running",
    "unsubmitted",
    "unchecked",
    "failed",
    "cancelled",
    "unsaved",
    "unconfirmed",
    "blocked",
    "conflict",
    "unusable",
)
_FREE = ("failed", "cancelled")


def automatic_values(plan: Plan) -> list[str]:
    """
    Return a note for each value that krea chose for requests to pay for, with the
    number of items that have it.
    """
    counts = Counter(
        f"{choice.field} {choice.value} ({choice.reason})"
        for step in plan.steps
        if step.is_paid
        for choice in step.planned.choices
    )
    return [
        f"Using {text}" + (f" for {count} items." if count > 1 else ".")
        for text, count in counts.items()
    ]


def action_of(step: PlanStep, shown: Shown) -> str:
    """
    Return what a run would do with an item.
    """
    if step.blocked_by is not None:
        return f"blocked by {shown(step.blocked_by)}"
    if step.error is not None and step.sign != Sign.UNUSABLE:
        return "edited" if isinstance(step.error, EditedResultError) else "file exists"
    if step.same_as is not None:
        return f"same as {shown(step.same_as)}"
    if step.copy_of is not None:
        return f"copy of {shown(step.copy_of)}"
    if step.sign == Sign.ENDED and step.line is not None:
        return step.line.state
    return "compare" if step.compares else _ACTIONS[step.sign]


def plan_summary(plan: Plan) -> str:
    """
    Return the number of items for each action, and the estimate for all of them.
    """
    counts = Counter[str]()
    for step in plan.steps:
        counts[_word_of(step)] += 1
    order = [
        "to make",
        "to make again (changed)",
        _SHARED,
        "to copy",
        *_COUNTED.values(),
        "blocked",
        "kept because the file exists",
    ]
    order = list(dict.fromkeys(order))
    parts = [f"{counts[word]} {word}" for word in order if counts[word]]
    if unused := plan.unused:
        parts.append(f"{len(unused)} unused")
    return f"{', '.join(parts)}. {_estimate_of(plan)}"


def _estimate_of(plan: Plan) -> str:
    cost = plan.cost_usd
    if cost is not None:
        return f"Estimate: {dollars(cost)}"
    known = sum(step.usd or 0.0 for step in plan.steps if step.is_paid)
    unknown = f"the price of {', '.join(plan.unknown_prices)} is unknown."
    if known:
        return f"Estimate: more than {dollars(known)}, as {unknown}"
    return f"T{unknown[1:]}"


def _word_of(step: PlanStep) -> str:
    if step.blocked_by is not None:
        return "blocked"
    if step.error is not None:
        return "unusable" if step.sign == Sign.UNUSABLE else action_of(step, str)
    if step.same_as is not None:
        return _SHARED
    return "to copy" if step.copy_of is not None else _COUNTED[step.sign]


def unconfirmed_hints(
    steps: Sequence[PlanStep], make_again: Callable[[str, str, str], str]
) -> list[Hint]:
    """
    Return the ways to resolve unconfirmed items. This computer can only look for the
    jobs of its own requests.

    `make_again` builds a hint from its first words, the words for the item, and the
    value of `--again`.
    """
    hints = list[Hint]()
    names = [step.shown for step in steps if step.is_elsewhere]
    if len(names) < len(steps):
        hints.append(Step(Action.SETTLE))
    if names:
        what, which = ("it", names[0]) if len(names) == 1 else ("an item", "OUTPUT")
        lead = f"If that list has no job for {what}, make"
        hints.append(Step(Action.SETTLE_THERE))
        hints.append(Step(Action.LOOK_FOR_JOB))
        hints.append(make_again(lead, "it", which))
    return hints


def line_of(outcome: ItemOutcome, shown: Shown) -> str:
    """
    Return the line about an item that has ended, or "" if there is no news.
    """
    step, state = outcome.step, outcome.state
    name = step.shown
    if state in ("unchanged", "unsubmitted", "unusable"):
        return f"{name} was edited and is left alone." * (step.sign == Sign.EDITED)
    if state == "made":
        cost = outcome.job.cost_usd if outcome.job else None
        return f"saved {name}" + (f" ({dollars(cost)})" if cost else "")
    if state == "fetched":
        if step.copy_of is not None:
            return f"copied {name} from {shown(step.copy_of)}"
        if step.same_as is not None:
            return f"saved {name} (same request as {shown(step.same_as)})"
        return f"downloaded {name}"
    return f"{_STATES.get(state, state)}: {name}"


def _end_of(outcome: ItemOutcome) -> str:
    if outcome.state == "fetched":
        step = outcome.step
        return "shared" if step.same_as else "copied" if step.copy_of else "fetched"
    return outcome.state


def run_summary(outcomes: Sequence[ItemOutcome], *, is_sandbox: bool) -> str:
    """
    Return the number of items for each outcome, and the cost of this run.
    """
    counts = Counter(map(_end_of, outcomes))
    parts = [f"{counts[s]} {_STATES.get(s, s)}" for s in _ORDER if counts[s]]
    words = ", ".join(parts) or "No items"
    cost = sum(
        outcome.job.cost_usd or 0.0
        for outcome in outcomes
        if outcome.is_paid and outcome.job is not None and outcome.state not in _FREE
    )
    doubtful = sum(
        outcome.step.usd or 0.0
        for outcome in outcomes
        if outcome.state == "unconfirmed" and outcome.step.sign in PAID
    )
    spent = f"cost {dollars(cost)} (estimated)" if cost else "cost nothing"
    if is_sandbox and cost:
        spent = f"would have cost {dollars(cost)} outside the sandbox"
    if doubtful:
        spent += f"; unconfirmed requests may add {dollars(doubtful)}"
    return f"{words}. This run {spent}."
