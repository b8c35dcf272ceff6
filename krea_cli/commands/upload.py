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
from krea_cli.output.results.jobs import Uploaded


def upload(
    ctx: CliContext,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="What to upload; - works, too."),
    ],
    keep_metadata: options.KeepMetadata = False,
    fit: options.Fit = False,
) -> None:
    """
    Upload files and tell their URLs; it costs nothing.

    \b
    Example:
      krea upload frame.png
    """
    resolver = ctx.input_resolver(keep_metadata=keep_metadata, fit=fit)
    images = [_local(resolver.read(file, stdin_word="krea upload -")) for file in files]

    uploader = ctx.uploader(resolver)
    for image in images:
        with ctx.console.progress() as progress:
            progress.doing(f"uploading {image.name}")
            asset = uploader.upload(image)
        ctx.console.result([Uploaded(image.name, asset)])


def _local(image: Image) -> LocalFile:
    if isinstance(image, LocalFile):
        return image
    raise InputError(f"{image.name} is no file.", hint="Use the URL itself.")
