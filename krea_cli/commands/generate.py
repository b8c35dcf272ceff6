"""
`krea generate`.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from krea_cli import options, order, showing, step
from krea_cli.collection import Collection
from krea_cli.dispatch import dispatch
from krea_cli.errors import UsageError
from krea_cli.output.results import JobAccepted, JobSaved, JobUrls
from krea_cli.session import Session
from krea_cli.words import Words

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


def generate(
    session: Session,
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="What to make; - is standard input."),
    ] = None,
    image: Annotated[
        list[str] | None,
        options.input_option(
            "--image",
            "-i",
            metavar="IMAGE",
            help="A file, an https URL, a data URI, or -; repeatable.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        options.request_option(
            "--model", "-m", metavar="MODEL", help="Such as google/nano-banana-pro."
        ),
    ] = None,
    output: options.Output = None,
    param: Annotated[
        list[str] | None,
        options.request_option(
            "--param",
            "-p",
            metavar="KEY=VALUE",
            help="A field of the model, or KEY:=JSON; repeatable.",
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
    no_validate: Annotated[
        bool,
        options.request_option(
            "--no-validate", help="Send as it is, also to unknown models."
        ),
    ] = False,
    count: Annotated[
        int,
        options.request_option(
            "--count", "-n", metavar="N", min=1, help="So many jobs of the request."
        ),
    ] = 1,
    timeout: options.Timeout = None,
    wait: Annotated[
        bool,
        options.waiting_option(
            "--wait/--no-wait", help="Wait for the result, or do not."
        ),
    ] = True,
    no_download: Annotated[
        bool,
        options.output_option(
            "--no-download", help="Tell the result URLs; save nothing."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        options.money_option("--dry-run", help="Show request and price; send nothing."),
    ] = False,
    max_cost: Annotated[
        float | None,
        options.money_option(
            "--max-cost", metavar="USD", min=0, help="Send nothing that costs more."
        ),
    ] = None,
    allow_unknown_cost: Annotated[
        bool,
        options.money_option(
            "--allow-unknown-cost", help="With --max-cost: also if unknown."
        ),
    ] = False,
    inline: Annotated[
        bool,
        options.input_option("--inline", help="Send images in the request itself."),
    ] = False,
    keep_metadata: options.KeepMetadata = False,
    fit: options.Fit = False,
    webhook: Annotated[
        str | None,
        options.waiting_option(
            "--webhook", metavar="URL", help="Told when a job is final."
        ),
    ] = None,
    force: options.Force = False,
    max_size: options.MaxSize = None,
    preview: options.Preview = None,
    cancel_on_interrupt: options.CancelOnInterrupt = False,
    github: options.Github = False,
    no_journal: Annotated[
        bool,
        options.money_option(
            "--no-journal", help="Keep no record; a lost job stays lost."
        ),
    ] = False,
) -> None:
    """
    Generate or edit, wait, and save the result.

    \b
    Examples:
      krea generate "an owl" -o owl.png
      krea generate "a watercolour" -i photo.jpg --max-cost 0.50
    """
    if github:
        step.begin(session)
    session.keeps_journal = not no_journal
    session.cancels_on_interrupt = cancel_on_interrupt
    words = Words(
        model=model,
        prompt=prompt,
        prompt_file=prompt_file,
        images=image or (),
        params=param or (),
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
        webhook=webhook,
        validates=not no_validate,
    )
    session.keeps_metadata, session.fits_images = keep_metadata, fit
    if no_download and output is not None:
        raise UsageError("--no-download saves nothing, so there is nothing for -o.")
    taken = order.take(session, words)
    if dry_run:
        session.out.result([order.dry_run(session, taken, count)])
        return
    order.check_cost(taken, count, most=max_cost, allows_unknown=allow_unknown_cost)
    output = session.settings.output if output is None else output
    session.output, session.overwrites = output, force
    target = None
    if wait and not no_download:
        naming = order.naming(session, taken)
        target = session.target(
            output,
            count=count,
            force=force,
            kind=taken.request.model.result_kind,
            naming=naming,
        )

    sent = dispatch(session, taken.request, count=count, timeout=timeout, inline=inline)
    made = Collection(session, sent.jobs, sent.errors, output=output)
    if wait:
        made.wait(deadline=sent.deadline)
    if target:
        made.save(
            target,
            lambda job: session.naming_of(job, naming),
            force=force,
            max_bytes=max_size,
        )

    result = JobSaved if target else JobUrls if wait else JobAccepted
    shown = partial(showing.preview, session, wanted=preview, before=taken.local_source)
    made.tell(result, waits=wait, preview=shown if target else None)
