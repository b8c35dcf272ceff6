"""
Draw styles and uploaded files.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.filesize import decimal
from rich.text import Text

from krea_cli.output.escape import collapse_whitespace
from krea_cli.output.human.jobs import minute, statuses
from krea_cli.output.human.layout import GAP, Parts, ResponsiveTable, wrap_sentence
from krea_cli.output.results.assets import AssetDeleted, AssetRow
from krea_cli.output.results.styles import StyleDetails, StyleRow, StyleTrained


def styles(_: StyleRow, results: Sequence[StyleRow]) -> Parts:
    """
    Draw a row for each style.
    """
    rows = [
        (
            Text(collapse_whitespace(style.id)),
            Text(collapse_whitespace(style.title or "")),
            Text(collapse_whitespace(", ".join(style.models)), "dim"),
            minute(style.created_at),
        )
        for style in (result.style for result in results)
    ]
    titles = ("ID", "TITLE", "MODELS", "CREATED")
    return [ResponsiveTable(titles, rows, optional=("MODELS", "CREATED"))]


def style_details(_: StyleDetails, results: Sequence[StyleDetails]) -> Parts:
    """
    Draw a line for each fact.
    """
    for result in results:
        for label, text in result.facts:
            yield wrap_sentence(text, label=(f"{label:<9}", "dim"))


def trained(_: StyleTrained, results: Sequence[StyleTrained]) -> Parts:
    """
    Draw the style of each training, or its status if there is none.
    """
    for result in results:
        if result.job.style_id:
            yield wrap_sentence(
                result.job.style_id, label=("style  ", "dim"), hanging=GAP
            )
        else:
            yield from statuses(result, [result])


def assets(_: AssetRow, results: Sequence[AssetRow]) -> Parts:
    """
    Draw a row for each file.
    """
    rows = [
        (
            Text(collapse_whitespace(asset.id)),
            Text(collapse_whitespace(asset.media_type or ""), "dim"),
            Text("" if asset.size_bytes is None else decimal(asset.size_bytes)),
            minute(asset.uploaded_at),
            Text(collapse_whitespace(asset.url), "dim"),
        )
        for asset in (result.asset for result in results)
    ]
    titles = ("ID", "TYPE", "SIZE", "UPLOADED", "URL")
    return [ResponsiveTable(titles, rows, optional=("URL", "TYPE", "SIZE"))]


def deleted(_: AssetDeleted, results: Sequence[AssetDeleted]) -> Parts:
    """
    Draw the id of each deleted file.
    """
    for result in results:
        yield wrap_sentence(f"{collapse_whitespace(result.asset.id)} deleted")
