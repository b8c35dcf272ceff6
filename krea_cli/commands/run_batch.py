"""
Carry out a batch, or show, check or prune it.
"""

from __future__ import annotations

from krea_cli.batch.plan import Plan, PlanStep, Sign
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.batch.sources import Kind
from krea_cli.cli import collaborators, next_steps
from krea_cli.cli.context import CliContext
from krea_cli.commands.plan_batch import (
    BatchGiven,
    BatchPlanning,
    prepare_batch,
    selected,
)
from krea_cli.errors import OutOfDateError
from krea_cli.output.human.format_text import UNKNOWN, dollars
from krea_cli.output.results.batch import PlannedItem

_ACTIONS = {
    Sign.MAKE: "make",
    Sign.CHANGE: "change",
    Sign.WAIT: "wait",
    Sign.FETCH: "fetch",
    Sign.SAME: "up to date",
    Sign.EDITED: "edited",
    Sign.ENDED: "failed",
    Sign.UNCONFIRMED: "unconfirmed",
    Sign.UNUSABLE: "unusable",
}


def run_batch(ctx: CliContext, given: BatchGiven, timeout: float | None) -> None:
    """
    Carry out what the options say.

    Raises:
        KreaError: not every item is there.
    """
    step = collaborators.github_step(ctx)
    options = given.options
    planning = prepare_batch(ctx, given)
    lock, disk = planning.lock(), ResultsOnDisk(planning.source.folder)
    whole = planning.plan(given, lock, disk)
    if options.prune:
        from krea_cli.commands.prune_batch import prune_batch

        prune_batch(ctx, given, planning, whole, lock)
        return
    plan = selected(ctx, given, whole, planning.manifest.budget_usd)
    if options.dry_run:
        _show(ctx, plan)
        _check_affordable(ctx, given, planning, whole)
        return
    if options.check:
        _check(ctx, given, planning, plan)
        return

    from krea_cli.commands.carry_out_batch import carry_out

    try:
        carry_out(ctx, given, planning, plan, lock, disk, timeout=timeout, github=step)
    finally:
        if options.sheet is not None:
            _write_sheet(ctx, given, planning)


def _show(ctx: CliContext, plan: Plan) -> None:
    """
    Show the plan, and its price.
    """
    is_bare = ctx.invocation.flags.quiet
    ctx.console.result(
        [
            _planned(number, step, is_bare=is_bare)
            for number, step in enumerate(plan.steps, start=1)
        ]
    )
    for line in plan.orphans:
        ctx.console.note(f"-  orphan  {line.output}")
    jobs = sum(step.is_paid for step in plan.steps)
    cost = plan.cost_usd
    price = UNKNOWN if cost is None else dollars(cost)
    ctx.console.note(f"Items: {len(plan.steps)}. Jobs to submit: {jobs}, for {price}.")


def _check_affordable(
    ctx: CliContext, given: BatchGiven, planning: BatchPlanning, plan: Plan
) -> None:
    """
    Raises:
        CostError, TargetExistsError: the run itself would not begin.
    """
    from dataclasses import replace

    real = replace(given, options=replace(given.options, dry_run=False))
    selected(ctx, real, plan, planning.manifest.budget_usd)


def _check(
    ctx: CliContext, given: BatchGiven, planning: BatchPlanning, plan: Plan
) -> None:
    """
    Raises:
        OutOfDateError: there is work to do.
    """
    if given.options.sheet is not None:
        _write_sheet(ctx, given, planning)
    if plan.is_up_to_date:
        ctx.console.note(f"{len(plan.steps)} items are up to date.")
        return
    open_ = [
        _planned(number, step, is_bare=False)
        for number, step in enumerate(plan.steps, start=1)
        if step.sign not in (Sign.SAME, Sign.EDITED) or step.error
    ]
    count = len(open_) + len(plan.orphans)
    are = "item is" if count == 1 else "items are"
    details = [each.line for each in open_]
    details += [f"-  orphan  {line.output}" for line in plan.orphans]
    raise OutOfDateError(
        f"{count} {are} not up to date.",
        details=details,
        hint=_how_to_make(ctx, given, planning),
    )


def _how_to_make(ctx: CliContext, given: BatchGiven, planning: BatchPlanning) -> str:
    if planning.source.kind == Kind.MANIFEST:
        return f"Make them: {next_steps.batch(ctx.next_steps, given.source)}"
    return "Run the same command without --check to make them."


def _planned(number: int, step: PlanStep, *, is_bare: bool) -> PlannedItem:
    line, request = step.line, step.planned.request
    action = _ACTIONS[step.sign]
    if step.sign == Sign.ENDED and line is not None:
        action = line.state
    if step.sign == Sign.SAME and step.copy_of is not None:
        action = f"copy of {step.copy_of}"
    if step.same_as is not None:
        action = f"shares the job of {step.same_as}"
    if step.blocked_by is not None:
        action = f"blocked by {step.blocked_by}"
    return PlannedItem(
        item=number,
        output=step.output,
        key=step.planned.key,
        sign=str(step.sign),
        action=action,
        model=request.model.id if request else None,
        cost_usd=step.usd,
        job_id=line.job if line else None,
        error=step.error.message if step.error else None,
        is_bare=is_bare,
    )


def _write_sheet(ctx: CliContext, given: BatchGiven, planning: BatchPlanning) -> None:
    from krea_cli.commands.sheet_batch import write_sheet

    write_sheet(ctx, given, planning)
