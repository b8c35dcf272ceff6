"""
Delete the results of a batch that no item wants any more.
"""

from __future__ import annotations

from krea_cli.batch.journal_lines import time_text
from krea_cli.batch.lock import Lock
from krea_cli.batch.plan import Plan
from krea_cli.batch.prune import delete, prunable_files, without_files
from krea_cli.cli.context import CliContext
from krea_cli.commands.plan_batch import BatchGiven, BatchPlanning
from krea_cli.errors import StorageError, UsageError


def prune_batch(
    ctx: CliContext,
    given: BatchGiven,
    planning: BatchPlanning,
    plan: Plan,
    lock: Lock,
) -> None:
    """
    List the results, ask, and delete them.

    Raises:
        UsageError: nobody can be asked, and --yes is missing.
        StorageError: a file could not be deleted.
    """
    folder = planning.source.folder
    orphans = set(map(id, plan.orphans))
    rest = [line for line in lock.lines if id(line) not in orphans]
    wanted = {file.path for line in (*rest, *lock.others) for file in line.files}
    wanted |= {step.output for step in plan.steps}
    found = prunable_files(plan.orphans, folder, wanted=wanted)
    doomed = [each.file for each in found if each.fault is None]
    for each in found:
        kept = f" stays: {each.fault}" if each.fault else ""
        ctx.console.note(f"{each.file.path}{kept}")
    if doomed and not given.options.yes:
        if not ctx.prompter.is_interactive:
            raise UsageError(
                f"{len(doomed)} files would be deleted.", hint="Delete them with --yes."
            )
        answer = ctx.prompter.ask(f"Delete {len(doomed)} files? [y/N] ")
        if answer.lower() not in ("y", "yes"):
            ctx.console.note("Nothing was deleted.")
            return
    faults = {file.path: delete(file, folder) for file in doomed}
    gone = {path for path, fault in faults.items() if fault is None}
    at = time_text(ctx.clock.wall())
    is_there = {each.file.path for each in found} - gone
    lines = [
        without_files(line, at)
        for line in plan.orphans
        if not is_there & {file.path for file in line.files}
    ]
    if lines:
        planning.lock_file.replace(lines)
    ctx.console.note(f"{len(gone)} files deleted.")
    if failed := {path: fault for path, fault in faults.items() if fault}:
        raise StorageError(
            f"{len(failed)} files could not be deleted.",
            details=[f"{path}: {fault}" for path, fault in failed.items()],
        )
