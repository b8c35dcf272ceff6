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
    session: CliContext,
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
    session.keeps_metadata, session.fits_images = keep_metadata, fit
    images = [
        _local(session.images.read(file, stdin_word="krea upload -")) for file in files
    ]

    uploads = session.uploads
    for image in images:
        with session.out.progress() as progress:
            progress.doing(f"uploading {image.name}")
            asset = uploads.upload(image)
        session.out.result([Uploaded(image.name, asset)])


def _local(image: Image) -> LocalFile:
    if isinstance(image, LocalFile):
        return image
    raise InputError(f"{image.name} is no file.", hint="Use the URL itself.")
