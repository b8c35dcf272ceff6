"""
Delete the results of a batch that belong to no item any more.
"""

from __future__ import annotations

from krea_cli.batch.journal_lines import time_text
from krea_cli.batch.lock import Lock
from krea_cli.batch.plan import Plan
from krea_cli.batch.prune import delete, unused_files, without_files
from krea_cli.cli.context import CliContext
from krea_cli.cli.next_steps import same_command
from krea_cli.commands.plan_batch import BatchGiven, BatchPlanning
from krea_cli.errors import StorageError, UsageError
from krea_cli.output.results.batch import DeletedFile


def prune_batch(
    ctx: CliContext,
    given: BatchGiven,
    planning: BatchPlanning,
    plan: Plan,
    lock: Lock,
) -> None:
    """
    List the unused results, ask the user, and delete them.

    Raises:
        UsageError: `--yes` is missing, and there is no terminal for the question.
        StorageError: the lock could not be written, or a file could not be deleted.
    """
    if plan.unlisted:
        # As in any run, the lock gets these lines: other machines must not pay again.
        planning.lock_file.append(plan.unlisted)
    folder = planning.source.folder
    found = unused_files(plan, lock, folder)
    doomed = [each.file for each in found if each.fault is None]
    for each in found:
        if each.fault:
            path = planning.shown(each.file.path)
            ctx.console.note(f"{path} is kept: {each.fault}")
        elif not given.options.yes:
            # With --yes, krea does not ask, and the results list the deleted files.
            ctx.console.note(planning.shown(each.file.path))
    if not doomed:
        ctx.console.note("Nothing to delete.")
        return
    if not given.options.yes and not _is_confirmed(ctx, len(doomed)):
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
    ctx.console.result([DeletedFile(planning.shown(path)) for path in sorted(gone)])
    ctx.console.note(f"Deleted {_files(len(gone))}.")
    if failed := {path: fault for path, fault in faults.items() if fault}:
        raise StorageError(
            f"Cannot delete {_files(len(failed))}.",
            details=[
                f"{planning.shown(path)}: {fault}" for path, fault in failed.items()
            ],
        )


def _is_confirmed(ctx: CliContext, count: int) -> bool:
    """
    Ask whether to delete `count` files.

    Raises:
        UsageError: there is no terminal for the question.
    """
    if not ctx.prompter.is_interactive or ctx.invocation.flags.quiet:
        command = same_command(
            ctx.invocation.argv, service=ctx.next_steps.service, more=["--yes"]
        )
        raise UsageError(
            "Nothing was deleted: without a terminal, krea cannot ask.",
            hint=f"Delete {_files(count)} without asking: {command}",
        )
    answer = ctx.prompter.ask(
        f"Delete {_files(count)}? Type y to delete, or press Enter to keep: "
    )
    return answer.strip().lower() in ("y", "yes")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
