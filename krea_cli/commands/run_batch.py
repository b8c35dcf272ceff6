"""
Carry out a batch, or show, check or prune it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from krea_cli.batch.lock import Lock, LockLine
from krea_cli.batch.plan import RUNNING, UP_TO_DATE, Plan, PlanStep, Sign
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.cli import collaborators
from krea_cli.cli.context import CliContext
from krea_cli.cli.next_steps import same_command
from krea_cli.commands.describe_batch import (
    Shown,
    action_of,
    automatic_values,
    plan_summary,
    unconfirmed_hints,
)
from krea_cli.commands.plan_batch import (
    BatchGiven,
    BatchPlanning,
    prepare_batch,
    selected,
)
from krea_cli.errors import (
    CombinedError,
    Hint,
    KreaError,
    OutOfDateError,
    SignalError,
)
from krea_cli.output.results.batch import PlannedItem

if TYPE_CHECKING:
    from krea_cli.operations.github_step import GithubStep


def run_batch(ctx: CliContext, given: BatchGiven, timeout: float | None) -> None:
    """
    Carry out, show, check or prune the batch, as the options say.

    Raises:
        KreaError: an item failed or is unfinished, or is not up to date with `--check`.
    """
    step = collaborators.github_step(ctx)
    planning = prepare_batch(ctx, given)
    if given.options.dry_run or given.options.check:
        _plan_and_run(ctx, given, planning, timeout, step)
        return
    with planning.lock_file.hold(alone=ctx.invocation.run.no_journal):
        _plan_and_run(ctx, given, planning, timeout, step)


def _plan_and_run(
    ctx: CliContext,
    given: BatchGiven,
    planning: BatchPlanning,
    timeout: float | None,
    step: GithubStep | None,
) -> None:
    options = given.options
    lock, disk = planning.lock(), ResultsOnDisk(planning.source.folder)
    whole = planning.plan(given, lock, disk)
    if options.prune:
        from krea_cli.commands.prune_batch import prune_batch

        prune_batch(ctx, given, planning, whole, lock)
        return
    plan = selected(ctx, given, whole, planning.manifest.budget_usd)
    if options.dry_run:
        _show(ctx, planning, plan)
        _check_affordable(ctx, given, planning, whole)
        _check_usable(plan)
        return
    if options.check:
        _check(ctx, given, planning, _without_kept(ctx, planning, plan, lock), step)
        return

    from krea_cli.commands.carry_out_batch import carry_out

    try:
        carry_out(ctx, given, planning, plan, lock, disk, timeout=timeout, github=step)
    except SignalError:
        raise
    except KreaError:
        if options.sheet is not None:
            # An error of the sheet must not hide why the run has failed.
            try:
                _write_sheet(ctx, given, planning)
            except KreaError as exc:
                ctx.console.warn(f"No contact sheet: {exc.message}")
        raise
    if options.sheet is not None:
        _write_sheet(ctx, given, planning)


def _show(ctx: CliContext, planning: BatchPlanning, plan: Plan) -> None:
    """
    Show the plan and its price.
    """
    ctx.console.result(_items_of(ctx, planning, plan))
    for note in automatic_values(plan):
        ctx.console.note(note)
    ctx.console.note(plan_summary(plan))


def _items_of(
    ctx: CliContext, planning: BatchPlanning, plan: Plan
) -> list[PlannedItem]:
    is_bare, shown = ctx.invocation.flags.quiet, planning.shown
    found = [
        _planned(number, step, shown, is_bare=is_bare)
        for number, step in enumerate(plan.steps, start=1)
    ]
    return found + [_unused(line, shown, is_bare=is_bare) for line in plan.unused]


def _check_affordable(
    ctx: CliContext, given: BatchGiven, planning: BatchPlanning, plan: Plan
) -> None:
    """
    Check that the run itself would begin.

    Raises:
        CostError: the plan is too expensive.
        TargetExistsError: files are in the way.
    """
    real = replace(given, options=replace(given.options, dry_run=False))
    selected(ctx, real, plan, planning.manifest.budget_usd)


def _check_usable(plan: Plan) -> None:
    """
    Check that the inputs of all items are usable.

    Raises:
        InputError: the input of the only item is unusable.
        CombinedError: inputs are unusable, in a plan with several items.
    """
    errors = _unusable(plan)
    if not errors:
        return
    good = len(plan.steps) - len(errors)
    error = CombinedError(errors, succeeded=good, noun="item")
    if len(errors) == 1 and not good:
        raise errors[0]
    cannot = f"{len(errors)} of {len(plan.steps)} items cannot be made, as shown above."
    raise error.but(_about_inputs(errors), message=cannot)


def _unusable(plan: Plan) -> list[KreaError]:
    return [
        step.error for step in plan.steps if step.sign == Sign.UNUSABLE and step.error
    ]


def _about_inputs(errors: Sequence[KreaError]) -> str:
    """
    Return the hint to provide or correct the inputs, with the first error.
    """
    more = f" (and {len(errors) - 1} more)" if errors[1:] else ""
    return f"Provide the input files, or correct their names: {errors[0].message}{more}"


def _without_kept(
    ctx: CliContext, planning: BatchPlanning, plan: Plan, lock: Lock
) -> Plan:
    """
    Return the plan without orphans that `--prune` would keep, such as edited files.
    Report those orphans in notes.
    """
    if not plan.orphans:
        return plan
    from dataclasses import replace

    from krea_cli.batch.prune import OF_ANOTHER, unused_files, with_deletable

    found = unused_files(plan, lock, planning.source.folder)
    for each in found:
        if each.fault and each.fault != OF_ANOTHER:
            path = planning.shown(each.file.path)
            ctx.console.note(f"{path} is in no item and is kept: {each.fault}.")
    for line in plan.unused:
        if line.state in RUNNING:
            output = planning.shown(line.output)
            is_job = line.state == "submitted"
            state = "job was submitted" if is_job else "request is unconfirmed"
            ctx.console.note(f"{output} is in no item, and its {state}.")
    return replace(plan, orphans=with_deletable(plan.orphans, found))


def _check(
    ctx: CliContext,
    given: BatchGiven,
    planning: BatchPlanning,
    plan: Plan,
    github: GithubStep | None,
) -> None:
    """
    Show the items that are not up to date, also in the summary of a workflow step.

    Raises:
        OutOfDateError: an item is not up to date, or a file belongs to no item.
    """
    if given.options.sheet is not None:
        _write_sheet(ctx, given, planning)
    if plan.is_up_to_date:
        count = len(plan.steps)
        items = "1 item is" if count == 1 else f"{count} items are"
        copies = sum(step.copy_of is not None for step in plan.steps)
        to_copy = f"; the next run copies {copies} of them" if copies else ""
        ctx.console.note(f"{items} up to date{to_copy}.")
        return
    unchanged = {str(sign) for sign in UP_TO_DATE}
    open_ = [
        each
        for each in _items_of(ctx, planning, plan)
        if each.sign not in unchanged or each.error
    ]
    ctx.console.result(open_)
    if github:
        github.list_items(
            [(each.output, each.error or each.action, each.price) for each in open_]
        )
    raise OutOfDateError(_what_is_open(open_), hint=_ways_out(ctx, plan))


def _what_is_open(open_: Sequence[PlannedItem]) -> str:
    orphans = sum(each.sign == "-" for each in open_)
    items = len(open_) - orphans
    parts = list[str]()
    if items:
        parts.append(f"{items} item{' is' if items == 1 else 's are'} not up to date")
    if orphans:
        files = "1 file belongs" if orphans == 1 else f"{orphans} files belong"
        parts.append(f"{files} to no item")
    return f"{', and '.join(parts)}."


def _ways_out(ctx: CliContext, plan: Plan) -> list[Hint]:
    """
    Return the commands that bring the items up to date.
    """
    hints = list[Hint]()
    signs = {
        step.sign
        for step in plan.steps
        if step.error is None and step.blocked_by is None
    }

    def repeated(*more: str) -> str:
        return same_command(
            ctx.invocation.argv,
            service=ctx.next_steps.service,
            without=["--check", "--github"],
            without_value=["--sheet"],
            more=more,
        )

    if signs & {Sign.MAKE, Sign.CHANGE, Sign.WAIT, Sign.FETCH}:
        hints.append(f"Bring everything up to date: {repeated()}")
    ended = {
        step.line.state for step in plan.steps if step.line and step.sign == Sign.ENDED
    }
    if unusable := _unusable(plan):
        hints.append(_about_inputs(unusable))
    billed = "" if ctx.service.is_sandbox else " (billed)"

    def make_again(lead: str, what: str, which: str) -> str:
        return f"{lead} {what} again{billed}: {repeated('--again', which)}"

    hints += [
        make_again("Make", f"the {state} items", state)
        for state in ("failed", "cancelled")
        if state in ended
    ]
    if Sign.UNCONFIRMED in signs:
        steps = [step for step in plan.steps if step.sign == Sign.UNCONFIRMED]
        steps = [step for step in steps if step.blocked_by is None]
        hints += unconfirmed_hints(steps, make_again)
    if plan.orphans:
        hints.append(f"Delete files that belong to no item: {repeated('--prune')}")
    return hints


def _unused(line: LockLine, shown: Shown, *, is_bare: bool) -> PlannedItem:
    return PlannedItem(
        item=None,
        output=shown(line.output),
        key=line.key,
        sign="-",
        action="unused",
        model=None,
        cost_usd=0.0,
        job_id=line.job,
        error=None,
        is_bare=is_bare,
    )


def _planned(
    number: int, step: PlanStep, shown: Shown, *, is_bare: bool
) -> PlannedItem:
    line, request = step.line, step.planned.request
    return PlannedItem(
        item=number,
        output=step.shown,
        key=step.planned.key,
        sign=str(step.sign),
        action=action_of(step, shown),
        model=request.model.id if request else None,
        cost_usd=step.usd,
        job_id=line.job if line else None,
        error=step.error.message if step.error else None,
        is_bare=is_bare,
    )


def _write_sheet(ctx: CliContext, given: BatchGiven, planning: BatchPlanning) -> None:
    from krea_cli.commands.sheet_batch import write_sheet

    write_sheet(ctx, given, planning)
