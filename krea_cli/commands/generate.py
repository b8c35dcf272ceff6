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
    options.request_option(
        "--aspect-ratio", metavar="RATIO", help="Aspect ratio, such as 16:9."
    ),
]
Resolution = Annotated[
    Field,
    options.request_option(
        "--resolution", metavar="SIZE", help="Resolution, such as 1K, 2K or 4K."
    ),
]
Width = Annotated[
    Field,
    options.request_option(
        "--width", metavar="PIXELS", help="Width of the result in pixels."
    ),
]
Height = Annotated[
    Field,
    options.request_option(
        "--height", metavar="PIXELS", help="Height of the result in pixels."
    ),
]
Seed = Annotated[
    Field,
    options.request_option(
        "--seed", metavar="NUMBER", help="Number that makes a result repeatable."
    ),
]
Strength = Annotated[
    Field,
    options.request_option(
        "--strength",
        metavar="NUMBER",
        help="Strength of the edit (the model sets the range).",
    ),
]
Quality = Annotated[
    Field,
    options.request_option(
        "--quality", metavar="WORD", help="Quality, such as low, medium or high."
    ),
]
NegativePrompt = Annotated[
    Field,
    options.request_option(
        "--negative-prompt", metavar="TEXT", help="What to avoid in the result."
    ),
]

Style = Annotated[
    list[str] | None,
    options.request_option(
        "--style",
        metavar="ID[:STRENGTH]",
        help="A trained style; repeatable [strength: 1].",
    ),
]


@options.takes_output_setting
def generate(
    ctx: CliContext,
    given: GenerateOptions,
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="PROMPT", help="What to generate; - reads standard input."
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
    prompt_file: Annotated[
        str | None,
        options.input_option(
            "--prompt-file", metavar="FILE", help="Read the prompt from a file."
        ),
    ] = None,
    params: Annotated[
        str | None,
        options.request_option(
            "--params",
            metavar="FILE",
            help="Read fields from a JSON file; - reads standard input.",
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
    style: Style = None,
) -> None:
    """
    Generate or edit, wait for the result and save it.

    \b
    Examples:
      krea generate "an owl" -o owl.png
      krea generate "a watercolor" -i photo.jpg --max-cost 0.50
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
        styles=style or (),
        webhook=given.webhook,
        validates=not given.no_validate,
    )
    run_generation(ctx, arguments, given)
