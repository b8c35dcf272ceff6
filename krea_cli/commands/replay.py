"""
`krea replay`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from krea_cli.session import Session
from krea_cli.wishes import Wishes
from krea_cli.work import making
from krea_cli.work.words import Words, read_sidecar


def replay(
    session: Session,
    wishes: Wishes,
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
    words = Words(
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
    making.make(session, words, wishes)
