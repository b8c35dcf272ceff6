"""
`krea batch`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from krea_cli.cli import options
from krea_cli.cli.batch_options import BatchDelivery, BatchOptions
from krea_cli.cli.context import CliContext
from krea_cli.commands import generate as request
from krea_cli.commands.plan_batch import BatchGiven
from krea_cli.commands.run_batch import run_batch
from krea_cli.errors import UsageError
from krea_cli.output.results.batch import ManifestSchema
from krea_cli.requests.param import Param


def batch(
    ctx: CliContext,
    own: BatchOptions,
    delivery: BatchDelivery,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="Manifest (.toml), table (.csv, .tsv, .jsonl), folder, quoted glob, "
            "or - for JSONL on standard input.",
            show_default=False,
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="PROMPT",
            help="What to generate; {COLUMN} inserts a value of the row.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        options.request_option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Model (default: google/nano-banana-pro).",
        ),
    ] = None,
    image: Annotated[
        list[str] | None,
        options.input_option(
            "--image",
            "-i",
            metavar="IMAGE",
            help="Input image of each item. Repeatable.",
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        options.request_option(
            "--param",
            "-p",
            metavar="KEY=VALUE",
            help="Set a field: KEY=TEXT, KEY=@FILE or KEY:=JSON. Repeatable.",
        ),
    ] = None,
    aspect_ratio: request.AspectRatio = None,
    resolution: request.Resolution = None,
    width: request.Width = None,
    height: request.Height = None,
    seed: request.Seed = None,
    strength: request.Strength = None,
    quality: request.Quality = None,
    negative_prompt: request.NegativePrompt = None,
    style: request.Style = None,
    no_validate: options.NoValidate = False,
    timeout: options.Timeout = None,
    max_cost: options.MaxCost = None,
    allow_unknown_cost: options.AllowUnknownCost = False,
    inline: Annotated[
        bool,
        options.input_option(
            "--inline", help="Embed images in the request instead of uploading."
        ),
    ] = False,
    keep_metadata: options.KeepMetadata = False,
    fit: options.Fit = False,
    webhook: options.Webhook = None,
    schema: Annotated[
        bool,
        options.output_option(
            "--schema", help="Print the JSON Schema of a manifest, for editors."
        ),
    ] = False,
) -> None:
    """
    Make many results from one source, each paid for once.

    Makes results that are missing or have changed, and leaves all others alone. For the
    manifest and the lock, see krea help batch.

    \b
    Examples:
      krea batch photos/ "a watercolor" -o 'out/{stem}.png' --max-cost 5
      krea batch prompts.csv -o 'out/{name}.png'
    """
    if schema:
        _show_schema(ctx)
        return
    if source is None:
        raise UsageError(
            "Missing argument 'SOURCE'.",
            hint="Pass a manifest, a table, a folder, a quoted glob, or - for JSONL.",
        )
    own.check_combinations()
    values: dict[str, Any] = {
        "model": model,
        "prompt": prompt,
        "image": image,
        "output": delivery.output,
        "aspect_ratio": aspect_ratio,
        "resolution": resolution,
        "width": width,
        "height": height,
        "seed": seed,
        "strength": strength,
        "quality": quality,
        "negative_prompt": negative_prompt,
        "style": style,
        "params": _params(param or ()),
        "expect": delivery.expect,
        "sidecar": delivery.sidecar or None,
        "quality_out": delivery.quality_out,
        "max_size": None if delivery.max_size is None else str(delivery.max_size),
        "fit": fit or None,
        "inline": inline or None,
    }
    given = BatchGiven(
        source=source,
        defaults={name: each for name, each in values.items() if each},
        options=own,
        max_cost=max_cost,
        allows_unknown_cost=allow_unknown_cost,
        force=delivery.force,
        keeps_metadata=keep_metadata,
        webhook=webhook,
        validates=not no_validate,
    )
    run_batch(ctx, given, timeout)


def _params(arguments: Sequence[str]) -> Mapping[str, Any]:
    """
    Return the fields by name. A field that is given several times becomes a list, as
    with `krea generate`.
    """
    found: dict[str, Any] = {}
    for each in map(Param.parse, arguments):
        if each.name not in found:
            found[each.name] = each.value
        elif isinstance(found[each.name], list):
            found[each.name].append(each.value)
        else:
            found[each.name] = [found[each.name], each.value]
    return found


def _show_schema(ctx: CliContext) -> None:
    from krea_cli.batch.manifest_schema import manifest_schema

    found = manifest_schema()
    text = json.dumps(found, indent=2)
    ctx.console.result([ManifestSchema(text, found)])
