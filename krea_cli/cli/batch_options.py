"""
The options that only `krea batch` has.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import Annotated

from krea_cli.batch.selection import Shard
from krea_cli.cli import options
from krea_cli.errors import UsageError

SHEETS = (".html", ".png")
# Each of these replaces submitting. A run can have only one.
_MODES = ("check", "dry_run", "collect", "prune")
_FOR_SUBMITTING = ("again", "limit", "no_wait", "sure")
_CONTRADICTIONS = (
    *combinations(_MODES, 2),
    *product(_MODES, _FOR_SUBMITTING),
    *product(["prune"], ["only", "shard", "sheet"]),
    ("dry_run", "sheet"),
    ("sure", "shard"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """
    The options of a batch run.
    """

    dry_run: Annotated[
        bool,
        options.money_option(
            "--dry-run", help="Show the plan and its price; submit nothing."
        ),
    ] = False
    check: Annotated[
        bool,
        options.money_option(
            "--check", help="Submit nothing; exit 12 if there is something to do."
        ),
    ] = False
    only: Annotated[
        list[str] | None,
        options.request_option(
            "--only",
            metavar="NAME",
            help="Only outputs with this name or glob. Repeatable.",
        ),
    ] = None
    again: Annotated[
        list[str] | None,
        options.money_option(
            "--again",
            metavar="WHICH",
            help="Make failed, cancelled or named outputs again (billed).",
        ),
    ] = None
    sure: Annotated[
        bool,
        options.money_option(
            "--sure", help="Exit 11 if unknown jobs may belong to this batch."
        ),
    ] = False
    limit: Annotated[
        int | None,
        options.money_option(
            "--limit",
            metavar="N",
            parser=options.integer(1),
            help="Maximum number of jobs to submit.",
            show_default=False,
        ),
    ] = None
    shard: Annotated[
        str | None,
        options.request_option(
            "--shard", metavar="I/N", help="Only the items of shard I of N."
        ),
    ] = None
    no_wait: Annotated[
        bool, options.waiting_option("--no-wait", help="Exit after submitting.")
    ] = False
    collect: Annotated[
        bool,
        options.waiting_option(
            "--collect", help="Save the results of submitted jobs; submit nothing."
        ),
    ] = False
    cancel_on_interrupt: options.CancelOnInterrupt = False
    no_journal: options.NoJournal = False
    sheet: Annotated[
        str | None,
        options.output_option(
            "--sheet",
            metavar="FILE",
            help="Write a contact sheet of all results: *.html or *.png.",
            show_default=False,
        ),
    ] = None
    prune: Annotated[
        bool,
        options.output_option(
            "--prune", help="Delete results of items that no longer exist."
        ),
    ] = False
    yes: Annotated[
        bool,
        options.output_option("--yes", help="Delete without asking (with --prune)."),
    ] = False
    lock: Annotated[
        str | None,
        options.output_option(
            "--lock",
            metavar="FILE",
            help="Path of the lock file [SOURCE.lock].",
            show_default=False,
        ),
    ] = None

    @property
    def submits(self) -> bool:
        """
        Return True if the run may submit jobs.
        """
        return not any(getattr(self, mode) for mode in _MODES)

    @property
    def looks_for_lost_jobs(self) -> bool:
        """
        Return True if the run compares its items with the service's list of jobs before
        it submits: the lock of an earlier run may have been lost with its computer.
        """
        return self.submits and self.shard is None

    def check_combinations(self) -> None:
        """
        Check the combination of options.

        Raises:
            UsageError: options contradict each other.
        """
        for first, second in _CONTRADICTIONS:
            if getattr(self, first) and getattr(self, second):
                one, other = (f"--{name.replace('_', '-')}" for name in (first, second))
                raise UsageError(f"Use either {one} or {other}, not both.")
        self.parsed_shard()
        if self.yes and not self.prune:
            raise UsageError("--yes needs --prune.")
        if self.sheet is not None and not self.sheet.lower().endswith(SHEETS):
            raise UsageError(
                f"Cannot write {self.sheet} as a contact sheet.",
                hint="Name it *.html or *.png.",
            )

    def parsed_shard(self) -> Shard | None:
        """
        Return the shard of this run, or None without --shard.

        Raises:
            UsageError: its value is not of the form I/N.
        """
        if self.shard is None:
            return None
        try:
            return Shard.parse(self.shard)
        except ValueError as exc:
            raise UsageError(f"--shard: {exc}") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDelivery(options.SavingOptions):
    """
    The options that save the results of a batch: their names are templates.
    """

    output: Annotated[
        str | None,
        options.output_option(
            "--output",
            "-o",
            metavar="OUTPUT",
            help="Name of each result, such as 'out/{stem}.png'.",
            show_default=False,
        ),
    ] = None
