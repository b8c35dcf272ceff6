"""
`krea styles`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Literal

import typer

from krea_cli.api.models import Style, is_job_id
from krea_cli.cli import options
from krea_cli.cli.context import CliContext
from krea_cli.commands.run_training import run_training
from krea_cli.errors import UsageError
from krea_cli.operations.list_account import each_item
from krea_cli.output.results.styles import StyleDetails, StyleRow

Type = Literal["Style", "Object", "Character", "Default"]


def list_styles(
    ctx: CliContext,
    word: Annotated[
        str, typer.Argument(metavar="[WORD]", help="Part of an id, title or prompt.")
    ] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Only your own styles.")] = False,
    public: Annotated[
        bool, typer.Option("--public", help="Only public styles.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="NAME", help="Only for a base model, such as k2."
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit",
            metavar="N",
            parser=options.integer(1),
            help="Show at most N styles.",
            show_default=True,
        ),
    ] = 100,
) -> None:
    """
    List your styles and public ones.

    \b
    Examples:
      krea styles list --mine
      krea styles list watercolor --public --model k2
    """
    if mine and public:
        raise UsageError("Use either --mine or --public, not both.")
    chosen = "user" if mine else "public" if public else "all"
    api = ctx.connection.api
    styles = each_item(
        lambda cursor: api.styles(filter_by=chosen, model=model, cursor=cursor)
    )
    found = list(islice((s for s in styles if _has_word(s, word)), limit + 1))
    ctx.console.result([StyleRow(style) for style in found[:limit]])
    if not found:
        ctx.console.note("No styles found.")
    elif len(found) > limit:
        ctx.console.note(f"There are more styles. Show them with --limit {limit * 10}.")


def _has_word(style: Style, word: str) -> bool:
    text = "\n".join((style.id, style.title or "", style.prompt or ""))
    return word.casefold() in text.casefold()


def show(
    ctx: CliContext,
    style: Annotated[str, typer.Argument(metavar="ID", help="Id of the style.")],
) -> None:
    """
    Show a style.

    \b
    Example:
      krea styles show a816d79d-55c9-43ee-81c3-8330ffe79e6c
    """
    if not is_job_id(style):
        raise UsageError(f"'{style}' is not a style id.")
    ctx.console.result([StyleDetails(ctx.connection.api.style(style))])


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """
    The options of `krea styles train`.
    """

    model: Annotated[
        str,
        options.request_option(
            "--model", "-m", metavar="NAME", help="Base model, such as k2 or z-image."
        ),
    ]
    type: Annotated[
        Type | None,
        options.request_option("--type", help="What the images have in common."),
    ] = None
    trigger: Annotated[
        str | None,
        options.request_option(
            "--trigger",
            metavar="WORD",
            help="Word in a prompt that applies the style.",
        ),
    ] = None
    steps: Annotated[
        int | None,
        options.request_option(
            "--steps",
            metavar="N",
            parser=options.integer(1),
            help="Maximum number of training steps.",
            show_default=False,
        ),
    ] = None
    keep_metadata: options.KeepMetadata = False
    fit: options.Fit = False
    timeout: options.Timeout = None
    wait: Annotated[
        bool,
        options.waiting_option(
            "--wait/--no-wait", help="Wait for the style, or exit after submitting."
        ),
    ] = True
    webhook: Annotated[
        str | None,
        options.waiting_option(
            "--webhook",
            metavar="URL",
            help="URL that Krea calls when the training finishes.",
        ),
    ] = None
    cancel_on_interrupt: options.CancelOnInterrupt = False
    max_cost: options.MaxCost = None
    allow_unknown_cost: options.AllowUnknownCost = False
    dry_run: Annotated[
        bool,
        options.money_option("--dry-run", help="Show the request; submit nothing."),
    ] = False
    no_journal: Annotated[
        bool,
        options.money_option(
            "--no-journal",
            help="Do not record the request; a lost job cannot be recovered.",
        ),
    ] = False


def train(
    ctx: CliContext,
    given: TrainOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the style.")],
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Files or https URLs of images."),
    ],
) -> None:
    """
    Train a style from images (paid; the price is unknown).

    \b
    Example:
      krea styles train "My ink" photo.jpg frame.png --model k2 --trigger ink
    """
    run_training(ctx, given, name, images)


COMMANDS = {"list": list_styles, "show": show, "train": train}
