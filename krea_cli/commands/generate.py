"""
`krea generate`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from krea_cli.cli import options
from krea_cli.cli.context import CliContext
from krea_cli.cli.generate_options import GenerateOptions
from krea_cli.commands.run_generation import run_generation
from krea_cli.requests.arguments import RequestArguments

Field = str | None
AspectRatio = Annotated[
    Field,
    options.request_option("--aspect-ratio", metavar="RATIO", help="Such as 16:9."),
]
Resolution = Annotated[
    Field,
    options.request_option("--resolution", metavar="SIZE", help="Such as 1K, 2K, 4K."),
]
Width = Annotated[
    Field,
    options.request_option("--width", metavar="PIXELS", help="Width of the result."),
]
Height = Annotated[
    Field,
    options.request_option("--height", metavar="PIXELS", help="Height of the result."),
]
Seed = Annotated[
    Field,
    options.request_option(
        "--seed", metavar="NUMBER", help="For the same result again."
    ),
]
Strength = Annotated[
    Field,
    options.request_option(
        "--strength", metavar="NUMBER", help="How strong the edit is."
    ),
]
Quality = Annotated[
    Field,
    options.request_option(
        "--quality", metavar="WORD", help="Such as low, medium, high."
    ),
]
NegativePrompt = Annotated[
    Field,
    options.request_option(
        "--negative-prompt", metavar="TEXT", help="What not to make."
    ),
]


@options.takes_output_setting
def generate(
    ctx: CliContext,
    given: GenerateOptions,
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="What to make; - is standard input."),
    ] = None,
    model: Annotated[
        str | None,
        options.request_option(
            "--model", "-m", metavar="MODEL", help="Such as google/nano-banana-pro."
        ),
    ] = None,
    prompt_file: Annotated[
        str | None,
        options.input_option("--prompt-file", metavar="FILE", help="Prompt in a file."),
    ] = None,
    params: Annotated[
        str | None,
        options.request_option(
            "--params", metavar="FILE", help="A JSON object of such fields."
        ),
    ] = None,
    aspect_ratio: AspectRatio = None,
    resolution: Resolution = None,
    width: Width = None,
    height: Height = None,
    seed: Seed = None,
    strength: Strength = None,
    quality: Quality = None,
    negative_prompt: NegativePrompt = None,
) -> None:
    """
    Generate or edit, wait, and save the result.

    \b
    Examples:
      krea generate "an owl" -o owl.png
      krea generate "a watercolour" -i photo.jpg --max-cost 0.50
    """
    arguments = RequestArguments(
        model=model,
        prompt=prompt,
        prompt_file=prompt_file,
        images=given.image or (),
        params=given.param or (),
        params_file=params,
        options={
            "aspect_ratio": aspect_ratio,
            "resolution": resolution,
            "width": width,
            "height": height,
            "seed": seed,
            "strength": strength,
            "quality": quality,
            "negative_prompt": negative_prompt,
        },
        webhook=given.webhook,
        validates=not given.no_validate,
    )
    run_generation(ctx, arguments, given)
