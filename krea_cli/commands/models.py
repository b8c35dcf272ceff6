"""
`krea models`: what can be asked of the service, without asking it.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

import typer

from krea_cli.catalog import cache as cached
from krea_cli.catalog import example, openapi, schema_text
from krea_cli.catalog import refresh as changes
from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.model import Model
from krea_cli.cli import collaborators
from krea_cli.cli.context import CliContext
from krea_cli.errors import UsageError
from krea_cli.output.results.models import (
    FieldDetails,
    ModelChange,
    ModelDetails,
    ModelRow,
)
from krea_cli.requests import defaults
from krea_cli.runtime import shell_words

Kind = Literal["image", "video", "enhance", "3d", "audio", "other"]
Order = Literal["price", "name"]


def list_models(
    ctx: CliContext,
    word: Annotated[
        str, typer.Argument(metavar="[WORD]", help="Part of a model id or name.")
    ] = "",
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="Only models of this kind.")
    ] = None,
    takes_image: Annotated[
        bool,
        typer.Option("--takes-image", help="Only models that accept an image (-i)."),
    ] = False,
    sort: Annotated[
        Order | None,
        typer.Option("--sort", help="Sort by price (lowest first) or by name."),
    ] = None,
) -> None:
    """
    List models with their inputs and prices.

    \b
    Examples:
      krea models list banana
      krea models list --kind image --sort price
    """
    found = [
        model
        for model in ctx.catalog.models
        if word.lower() in f"{model.id}\n{model.name}".lower()
        and kind in (None, model.kind if model.kind in get_args(Kind) else "other")
        and (not takes_image or model.takes_image)
    ]
    if sort is not None:
        found.sort(key=_by_price if sort == "price" else _by_name)
    ctx.console.result([ModelRow(model) for model in found])
    if not found:
        ctx.console.note("No matching models.")


def _by_price(model: Model) -> tuple[float, str]:
    """
    Order by the lowest known price; models without one come last.
    """
    return min((p.amount for p in model.prices), default=math.inf), model.id


def _by_name(model: Model) -> str:
    return model.id


def show(
    ctx: CliContext,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Model, such as nano-banana-pro.")
    ],
) -> None:
    """
    Show the fields, prices and an example of a model.

    \b
    Example:
      krea models show nano-banana-pro
    """
    found = collaborators.catalog_renewal(ctx).find(model)
    automatic = defaults.automatic_fields(found)
    fields = tuple(
        FieldDetails(
            name=name,
            schema=schema,
            allowed=schema_text.describe_schema(schema),
            is_required=name in found.required,
            is_automatic=name in automatic,
        )
        for name, schema in found.fields.items()
    )
    command = shell_words.join(example.command(found, automatic))
    ctx.console.result([ModelDetails(model=found, fields=fields, example=command)])


def refresh(ctx: CliContext) -> None:
    """
    Update the list of models (no token needed).

    \b
    Example:
      krea models refresh
    """
    if ctx.settings.sandbox:
        raise UsageError(
            "The sandbox uses the built-in list of models.",
            hint="To update Krea's list, remove --sandbox, KREA_SANDBOX and the "
            "sandbox setting.",
        )
    known, folder = ctx.catalog, ctx.folders.cache
    with ctx.console.progress() as progress:
        progress.doing("Updating the list of models")
        spec = ctx.connection.api_with(None).openapi()
    today = datetime.fromtimestamp(ctx.clock.wall(), UTC).date().isoformat()
    replacement = changes.build_replacement(spec, known, today=today)
    fetched = Catalog(replacement.document)

    cached.store(folder, ctx.service.origin, openapi.dumps(replacement.document))

    found = [ModelChange(change) for change in changes.compare_catalogs(known, fetched)]
    ctx.console.result(found)
    counts = Counter(each.change.what for each in found)
    told = ", ".join(f"{count} {_CHANGED[what]}" for what, count in counts.items())
    for paths, outcome in (
        (replacement.kept, "Kept the old entry of"),
        (replacement.skipped, "Left out"),
    ):
        for path in paths:
            ctx.console.warn(f"{outcome} {path}: cannot read its new description.")
    ctx.console.note(
        f"{len(fetched.models)} models as of {fetched.date} "
        f"(your list was from {known.date}): {told or 'no changes'}."
    )


_CHANGED = {
    "added": "added",
    "removed": "removed",
    "fields": "with changed fields",
    "price": "with a changed price",
    "deprecated": "deprecated",
}
COMMANDS = {"list": list_models, "show": show, "refresh": refresh}
