"""
What is wished of something new: how it is asked for, paid for, waited for and saved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from krea_cli.cli import options

# More than anybody pays for in one call on purpose.
MOST_JOBS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions:
    """
    The options of every command that makes something new.
    """

    image: Annotated[
        list[str] | None,
        options.input_option(
            "--image",
            "-i",
            metavar="IMAGE",
            help="A file, an https URL, a data URI, or -; repeatable.",
        ),
    ] = None
    delivery: options.DeliveryOptions
    param: Annotated[
        list[str] | None,
        options.request_option(
            "--param",
            "-p",
            metavar="KEY=VALUE",
            help="A field of the model, or KEY:=JSON; repeatable.",
        ),
    ] = None
    no_validate: Annotated[
        bool,
        options.request_option(
            "--no-validate", help="Send as it is, also to unknown models."
        ),
    ] = False
    count: Annotated[
        int,
        options.request_option(
            "--count",
            "-n",
            metavar="N",
            parser=options.whole(1, MOST_JOBS),
            help="So many jobs of the request: 10,000 at most.",
        ),
    ] = 1
    timeout: options.Timeout = None
    wait: Annotated[
        bool,
        options.waiting_option(
            "--wait/--no-wait", help="Wait for the result, or do not."
        ),
    ] = True
    no_download: Annotated[
        bool,
        options.output_option(
            "--no-download", help="Tell the result URLs; save nothing."
        ),
    ] = False
    dry_run: Annotated[
        bool,
        options.money_option("--dry-run", help="Show request and price; send nothing."),
    ] = False
    max_cost: options.MaxCost = None
    allow_unknown_cost: options.AllowUnknownCost = False
    inline: Annotated[
        bool,
        options.input_option("--inline", help="Send images in the request itself."),
    ] = False
    keep_metadata: options.KeepMetadata = False
    fit: options.Fit = False
    webhook: Annotated[
        str | None,
        options.waiting_option(
            "--webhook", metavar="URL", help="Told when a job is final."
        ),
    ] = None
    cancel_on_interrupt: options.CancelOnInterrupt = False
    no_journal: Annotated[
        bool,
        options.money_option(
            "--no-journal", help="Keep no record; a lost job stays lost."
        ),
    ] = False
