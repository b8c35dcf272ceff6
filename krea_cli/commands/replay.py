"""
`krea replay`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from krea_cli.cli.context import CliContext
from krea_cli.cli.generate_options import GenerateOptions
from krea_cli.operations import generate
from krea_cli.requests.arguments import RequestArguments, read_sidecar


def replay(
    session: CliContext,
    wishes: GenerateOptions,
    file: Annotated[
        str,
        typer.Argument(
            metavar="SIDECAR", help="What --sidecar wrote; - is standard input."
        ),
    ],
) -> None:
    """
    Send the request of a sidecar again; options win over it.

    \b
    Example:
      krea replay out.png.json -p resolution=2K -o again.png
    """
    former = read_sidecar(session, file)
    words = RequestArguments(
        model=former.model,
        images=wishes.image or (),
        params=wishes.param or (),
        webhook=wishes.webhook,
        validates=not wishes.no_validate,
        former=former.fields,
    )
    wishes = replace(
        wishes,
        inline=wishes.inline or former.inline,
        fit=wishes.fit or former.fit,
    )
    # The sidecar may be anybody's, and metadata may tell where a photo was taken: only
    # the command line keeps it.
    if former.keep_metadata and not wishes.keep_metadata:
        session.out.note(
            "Removing metadata from the input files. The first request kept it; to "
            "keep it again, add --keep-metadata."
        )
    generate.run_generation(session, words, wishes)
