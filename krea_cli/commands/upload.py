"""
`krea upload`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from krea_cli.cli import options
from krea_cli.cli.context import CliContext
from krea_cli.errors import InputError
from krea_cli.inputs.local_file import Image, LocalFile
from krea_cli.output.progress import Progress
from krea_cli.output.results.jobs import Uploaded


def upload(
    ctx: CliContext,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Files to upload; - reads standard input."
        ),
    ],
    keep_metadata: options.KeepMetadata = False,
    fit: options.Fit = False,
) -> None:
    """
    Upload files and print their URLs (free).

    \b
    Example:
      krea upload frame.png
    """
    resolver = ctx.input_resolver(keep_metadata=keep_metadata, fit=fit)
    images = [
        _local(resolver.read(file, stdin_option="krea upload -")) for file in files
    ]

    current: list[Progress] = []

    def report(*counts: int) -> None:
        current[-1].uploading(*counts)

    uploads = ctx.uploader(resolver).upload_all(images, report)
    while True:
        # A result is shown where no progress is.
        with ctx.console.progress() as progress:
            current.append(progress)
            uploaded = next(uploads, None)
        if uploaded is None:
            return
        image, asset = uploaded
        ctx.console.result([Uploaded(image.name, asset)])


def _local(image: Image) -> LocalFile:
    if isinstance(image, LocalFile):
        return image
    raise InputError(
        f"{image.name} is a URL, not a file.",
        hint="Use this URL as it is, for example with -i.",
    )
