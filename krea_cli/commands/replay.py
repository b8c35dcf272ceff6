"""
`krea replay`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from krea_cli.cli import options
from krea_cli.cli.context import CliContext
from krea_cli.cli.generate_options import GenerateOptions
from krea_cli.commands.run_generation import run_generation
from krea_cli.requests.arguments import RequestArguments
from krea_cli.requests.recorded_request import read_sidecar


@options.takes_output_setting
def replay(
    ctx: CliContext,
    given: GenerateOptions,
    file: Annotated[
        str,
        typer.Argument(
            metavar="SIDECAR", help="File written by --sidecar; - reads standard input."
        ),
    ],
) -> None:
    """
    Repeat the request in a sidecar; options override it.

    \b
    Example:
      krea replay out.png.json -p resolution=2K -o again.png
    """
    former = read_sidecar(ctx.prompter, file)
    arguments = RequestArguments(
        model=former.model,
        images=given.image or (),
        params=given.param or (),
        webhook=given.webhook,
        validates=not given.no_validate,
        former=former.fields,
    )
    given = replace(
        given,
        inline=given.inline or former.inline,
        fit=given.fit or former.fit,
    )
    # The sidecar may come from anybody, and metadata may show where a photo was taken:
    # only the command line can keep it.
    if former.keep_metadata and not given.keep_metadata:
        ctx.console.note(
            "Sending the input files without their metadata. The first request kept "
            "it; to keep it again, add --keep-metadata."
        )
    run_generation(ctx, arguments, given)
