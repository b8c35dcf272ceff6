"""
`krea assets`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Annotated

import typer

from krea_cli.api.models import Asset, is_job_id
from krea_cli.cli import collaborators, options
from krea_cli.cli.context import CliContext
from krea_cli.errors import KreaError, UsageError
from krea_cli.jobs import job_errors
from krea_cli.operations.delete_assets import delete_assets
from krea_cli.operations.list_account import each_item
from krea_cli.output.results.assets import AssetDeleted, AssetRow

Limit = Annotated[
    int,
    typer.Option(
        "--limit",
        metavar="N",
        parser=options.integer(1),
        help="Show at most N files.",
        show_default=True,
    ),
]


def list_assets(ctx: CliContext, limit: Limit = 100) -> None:
    """
    List the files that were uploaded to your account.

    \b
    Example:
      krea assets list --limit 20
    """
    found = list(islice(_all_assets(ctx), limit + 1))
    ctx.console.result([AssetRow(asset) for asset in found[:limit]])
    if not found:
        ctx.console.note("No uploaded files.")
    elif len(found) > limit:
        ctx.console.note(f"There are more files. Show them with --limit {limit * 10}.")


def delete(
    ctx: CliContext,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...", help="Ids of files (krea assets list shows them)."
        ),
    ] = None,
    uploaded_by_krea: Annotated[
        bool,
        typer.Option(
            "--uploaded-by-krea", help="Delete every file that krea uploaded."
        ),
    ] = False,
) -> None:
    """
    Delete uploaded files from your account.

    \b
    Example:
      krea assets delete --uploaded-by-krea
    """
    if bool(ids) == uploaded_by_krea:
        if ids:
            raise UsageError("Use either ids or --uploaded-by-krea, not both.")
        raise UsageError("Give the ids of files, or --uploaded-by-krea.")
    api = ctx.connection.api
    found: list[Callable[[], Asset]]
    if uploaded_by_krea:
        # The list changes while files are deleted, so it is read before.
        own = [asset for asset in _all_assets(ctx) if asset.uploaded_by_krea]
        found = [partial(_identity, asset) for asset in own]
    else:
        for each in ids or ():
            if not is_job_id(each):
                raise UsageError(f"'{each}' is not a file id.")
        found = [partial(api.asset, each) for each in dict.fromkeys(ids or ())]
    errors = list[KreaError]()
    count = 0
    for asset in delete_assets(
        found, api, collaborators.upload_cache(ctx), errors.append
    ):
        ctx.console.result([AssetDeleted(asset)])
        count += 1
    if not found:
        ctx.console.note("krea has not uploaded any files.")
    job_errors.raise_errors(errors, succeeded=count, noun="file")


def _all_assets(ctx: CliContext) -> Iterator[Asset]:
    api = ctx.connection.api
    return each_item(lambda cursor: api.assets(cursor=cursor))


def _identity(asset: Asset) -> Asset:
    return asset


COMMANDS = {"list": list_assets, "delete": delete}
