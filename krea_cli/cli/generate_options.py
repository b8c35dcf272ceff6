"""
The options of `krea generate` and `krea replay`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from krea_cli.cli import options
from krea_cli.errors import UsageError

# More than this is certainly a mistake.
MAX_JOBS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions:
    """
    The options for making, paying for, waiting for and saving a request.
    """

    image: Annotated[
        list[str] | None,
        options.input_option(
            "--image",
            "-i",
            metavar="IMAGE",
            help="Input image: file, https URL, data URI or -. Repeatable.",
        ),
    ] = None
    delivery: options.DeliveryOptions
    param: Annotated[
        list[str] | None,
        options.request_option(
            "--param",
            "-p",
            metavar="KEY=VALUE",
            help="Set a field: KEY=TEXT, KEY=@FILE or KEY:=JSON. Repeatable.",
        ),
    ] = None
    no_validate: options.NoValidate = False
    count: Annotated[
        int,
        options.request_option(
            "--count",
            "-n",
            metavar="N",
            parser=options.integer(1, MAX_JOBS),
            help="Number of results to make (at most 10,000).",
        ),
    ] = 1
    once: Annotated[
        bool,
        options.money_option(
            "--once", help="Pay once: reuse the job of an identical earlier request."
        ),
    ] = False
    timeout: options.Timeout = None
    wait: Annotated[
        bool,
        options.waiting_option(
            "--wait/--no-wait", help="Wait for the result, or exit after submitting."
        ),
    ] = True
    no_download: Annotated[
        bool,
        options.output_option(
            "--no-download", help="Print the result URLs instead of saving files."
        ),
    ] = False
    dry_run: Annotated[
        bool,
        options.money_option(
            "--dry-run", help="Show the request and estimate; submit nothing."
        ),
    ] = False
    max_cost: options.MaxCost = None
    allow_unknown_cost: options.AllowUnknownCost = False
    inline: Annotated[
        bool,
        options.input_option(
            "--inline", help="Embed images in the request instead of uploading."
        ),
    ] = False
    keep_metadata: options.KeepMetadata = False
    fit: options.Fit = False
    webhook: options.Webhook = None
    cancel_on_interrupt: options.CancelOnInterrupt = False
    no_journal: options.NoJournal = False

    @property
    def saves(self) -> bool:
        """
        Return True if this run saves the results.
        """
        return self.wait and not self.no_download

    @property
    def saves_later(self) -> bool:
        """
        Return True if a later `krea wait` should save the results to this -o.
        """
        is_named = self.delivery.output is not None
        return is_named and not (self.wait or self.no_download)

    def check(self) -> None:
        """
        Check the combination of options.

        Raises:
            UsageError: options contradict each other.
        """
        if self.no_download and self.delivery.output is not None:
            raise UsageError("Use either --no-download or -o, not both.")
        if self.once and self.count > 1:
            raise UsageError(
                "--once works for one result only.",
                hint="Remove -n, or use krea batch for several results.",
            )
        if self.once and self.no_journal:
            raise UsageError("--once needs the journal: leave out --no-journal.")
        if self.no_download and self.delivery.sidecar:
            raise UsageError("Use either --no-download or --sidecar, not both.")
